"""The champion as files for other runtimes, each compared with the Keras model it is."""
