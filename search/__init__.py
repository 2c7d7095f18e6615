"""Finds the smallest model that is accurate enough; knows no task and no architecture."""
