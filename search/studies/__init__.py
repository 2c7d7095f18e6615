"""What an Optuna study holds of a search, where it is kept, and who shares it."""
