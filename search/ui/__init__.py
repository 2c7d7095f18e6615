"""The pages of MLflow and Optuna, opened on a search."""
