"""From the values of a configuration to a model, and what a model predicts."""
