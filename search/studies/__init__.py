"""What an Optuna study holds of a search, where it is kept, and who shares it."""

from pathlib import Path

STUDIES = Path("mlruns", "studies")  # a folder for each search
STUDY = "study.journal"  # in that folder
