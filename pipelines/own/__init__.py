"""Pipelines for a user's own data: a table, a folder of images, arrays."""
