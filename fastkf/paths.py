"""Where the course's own files are, and where runs go."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
NOTEBOOKS = PROJECT / "notebooks"
DATA = PROJECT / "data"
LOCK = PROJECT / "requirements.txt"
RUNS = Path("runs")
