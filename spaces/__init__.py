"""What may be built: one architecture family a file."""
