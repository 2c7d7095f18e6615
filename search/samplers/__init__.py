"""Samplers of our own, for the Optuna engine."""
