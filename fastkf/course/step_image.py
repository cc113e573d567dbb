"""What is known of the image of the course's steps, labs/kubeflow_notebooks/Dockerfile."""

import posixpath
import re
from pathlib import PurePosixPath

from fastkf.course import places
from fastkf.course.data import read_sources

# As it is built, and as the release pushes it. Under another name it is as any other image.
NAME = re.compile(r"(.*/)?fast-kubeflow/step([:@].*)?")
START = "/opt/fast-kubeflow/notebooks"  # where the containers of steps start
DATA = PurePosixPath(START).parent / "data"


def has_data(image: str, place: str) -> bool:
    """Whether an image is known to have data in a folder, seen from where its steps start.

    Raises:
        FastkfError: the list of data sets cannot be read.
    """
    if not NAME.fullmatch(image) or places.COURSE is None:
        return False
    folder = PurePosixPath(posixpath.normpath(posixpath.join(START, place)))
    return folder == DATA or folder in {DATA / name for name in read_sources()}
