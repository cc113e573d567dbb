"""Where the course's own files are, and where runs go."""

import os
from pathlib import Path

# In a Kubeflow notebook server, FASTKF_COURSE names the learner's copy in the home folder.
PROJECT = Path(os.environ.get("FASTKF_COURSE") or Path(__file__).resolve().parents[2])
NOTEBOOKS = PROJECT / "notebooks"
DATA = PROJECT / "data"
LOCK = PROJECT / "requirements.txt"
RUNS = Path("runs")
