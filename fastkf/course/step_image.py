"""What is known of the image of the course's steps, labs/kubeflow_notebooks/Dockerfile."""

import posixpath
import re
from pathlib import PurePosixPath

from fastkf.course import places
from fastkf.course.data import read_sources
from fastkf.notebook.dockerfile import Base
from fastkf.package.pins import Pins

# As it is built, and as the release pushes it. Under another name it is as any other image.
NAME = re.compile(r"(.*/)?fast-kubeflow/step([:@].*)?")
IMAGE = "localhost/fast-kubeflow/step:1.0"
LISTS = ("steps.txt", "tensorflow.txt")
START = "/opt/fast-kubeflow/notebooks"  # where the containers of steps start
DATA = PurePosixPath(START).parent / "data"


def describe_base(image: str) -> Base:
    """What is known of an image that is to be the base of another one.

    Args:
        image: its name; "": the course's.

    Raises:
        FastkfError: the course's lists of its packages cannot be read.
    """
    image = image or IMAGE
    if not NAME.fullmatch(image):
        return Base(image)
    lists = [places.PROJECT / "labs" / "kubeflow_notebooks" / name for name in LISTS]
    packages = [Pins.from_lock(path).versions for path in lists if path.exists()]
    return Base(image, START, frozenset(name for versions in packages for name in versions))


def has_data(image: str, place: str) -> bool:
    """Whether an image is known to have data in a folder, seen from where its steps start.

    Raises:
        FastkfError: the list of data sets cannot be read.
    """
    if not NAME.fullmatch(image) or places.COURSE is None:
        return False
    folder = PurePosixPath(posixpath.normpath(posixpath.join(START, place)))
    return folder == DATA or folder in {DATA / name for name in read_sources()}
