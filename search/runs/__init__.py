"""What MLflow holds of a search: its runs, its data, its models."""
