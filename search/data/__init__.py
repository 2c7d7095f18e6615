"""The data of a search: read, prepared, checked, and what needs no search on it."""
