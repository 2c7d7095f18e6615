"""How a trial is trained."""
