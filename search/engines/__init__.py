"""Where trials come from: one engine a file, each with `ask` and `tell`."""
