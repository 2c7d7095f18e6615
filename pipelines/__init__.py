"""One real task a file: data, preprocessing, space, target."""
