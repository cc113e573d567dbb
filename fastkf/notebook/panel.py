"""The metadata of a notebook as JupyterLab with Kale's panel saves them."""

from typing import Any

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
    "version": "3.12.0",
}


def new_settings(name: str) -> dict[str, Any]:
    """Kale's settings for a notebook that has none."""
    return {
        "experiment": {"id": "new", "name": name},
        "experiment_name": name,
        "pipeline_description": "",
        "pipeline_name": name,
        "steps_defaults": [],
        "volumes": [],
    }
