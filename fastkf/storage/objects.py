"""Copies files to an object store and back, and lists objects, through fsspec and s3fs."""

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError
from s3fs import S3FileSystem

from fastkf.base.errors import FastkfError, UsageError, one_line
from fastkf.base.outputs import cannot_be_written

SCHEME = "s3://"
# What Kubeflow's own store means by these codes of S3.
NO_ROOM = (
    "the store of Kubeflow Pipelines has room for its one bucket, and answers so in any other "
    "(its log says `No writable volumes`): copy to s3://mlpipeline/datasets/..."
)
NOT_YOURS = (
    "with the keys of a profile of Kubeflow, write below s3://mlpipeline/private/NAMESPACE/, and "
    "read the artifacts of runs below s3://mlpipeline/private-artifacts/NAMESPACE/"
)
ITS_LOG = (
    "the log of the store says why: kubectl -n kubeflow logs deployment/seaweedfs --tail=50; on "
    "this machine weed.log, in the folder of fastkf storage status"
)
NO_WAY = (
    "open the way to it (kubectl port-forward -n kubeflow svc/seaweedfs 8333:8333); of a store on "
    'this machine, read its address again: eval "$(fastkf storage env)"'
)
BUCKET = "mlpipeline"  # of Kubeflow Pipelines
REMEDIES = {"AccessDenied": NOT_YOURS, "403": NOT_YOURS}
FAULTS = ("InternalError", "500")


def connect(variables: Mapping[str, str]) -> S3FileSystem:
    """The store that AWS_ENDPOINT_URL_S3, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY name.

    A variable that is missing is taken as botocore takes it: from the environment, or a file.
    """
    return S3FileSystem(
        endpoint_url=variables.get("AWS_ENDPOINT_URL_S3"),
        key=variables.get("AWS_ACCESS_KEY_ID"),
        secret=variables.get("AWS_SECRET_ACCESS_KEY"),
        use_listings_cache=False,
    )


def copy(store: S3FileSystem, source: str, target: str) -> Iterator[tuple[str, int]]:
    """Copies a file, or a folder with all below it, and yields each new place and its bytes.

    One of the two is a URL s3://BUCKET/KEY, the other a path. A target that ends with `/` is a
    folder. A bucket that is missing is made; a file that is there is not overwritten.

    Raises:
        UsageError: there is no such source, the target is there, or not one of the two is a URL.
        FastkfError: the store refuses, or does not answer.
    """
    if source.startswith(SCHEME) == target.startswith(SCHEME):
        raise UsageError(f"{source} to {target}: one of the two is to be s3://BUCKET/KEY")
    upload = target.startswith(SCHEME)
    files = list_files(Path(source)) if upload else list_objects(store, source)
    if not files:
        raise UsageError(f"{source}: there is nothing to copy")
    if not upload:
        check_inside(files, source, target)
    for part, size in files.items():
        place = place_of(part or source.rsplit("/", 1)[-1], bool(part), target)
        with explained(place if upload else source):
            if upload:
                send(store, str(Path(source) / part), place)
            else:
                receive(store, source, part, Path(place))
        yield place, size


def place_of(name: str, in_folder: bool, target: str) -> str:
    """Where a file goes: below the target when it comes from a folder, or the target is one."""
    bucket_only = target.startswith(SCHEME) and "/" not in target.removeprefix(SCHEME)
    if in_folder or bucket_only or target.endswith("/"):
        return f"{target.rstrip('/')}/{name}"
    return target


def send(store: S3FileSystem, source: str, place: str) -> None:
    """Writes first, and makes the bucket when it is missing.

    The other way round, keys that may write below one prefix only would be refused at the bucket.
    """
    try:
        store.put_file(source, place)
    except FileNotFoundError:
        store.makedirs(place.removeprefix(SCHEME).split("/")[0], exist_ok=True)
        store.put_file(source, place)


def check_inside(names: Iterable[str], source: str, target: str) -> None:
    """Raises FastkfError where an object's name, which anybody may have given, leads elsewhere."""
    for name in names:
        if ".." in name.split("/"):
            place = one_line(f"{source.rstrip('/')}/{name}")
            raise FastkfError(
                f"{place}: its name leads out of {target}, so nothing is copied",
                "copy the others alone",
            )


def receive(store: S3FileSystem, source: str, part: str, place: Path) -> None:
    if os.path.lexists(place):
        raise UsageError(f"{place}: is there already", "name another target")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_be_written(place, error) from error
    store.get_file(f"{source.rstrip('/')}/{part}" if part else source, str(place))


def list_files(path: Path) -> dict[str, int]:
    """The files below a folder, with their bytes, named from it; of a file, itself as ``""``.

    Raises:
        UsageError: there is no such path.
    """
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder")
    if path.is_file():
        return {"": path.stat().st_size}
    files = sorted(one for one in path.rglob("*") if one.is_file())
    return {one.relative_to(path).as_posix(): one.stat().st_size for one in files}


def list_objects(store: S3FileSystem, url: str) -> dict[str, int]:
    """The objects below a URL, with their bytes, named from it; of an object, itself as ``""``.

    Without a bucket, ``s3://``, the buckets.

    Raises:
        UsageError: there is no such bucket or object.
        FastkfError: the store refuses, or does not answer.
    """
    path = url.removeprefix(SCHEME).strip("/")
    with explained(url):
        if not path:
            return {one["name"]: one["size"] for one in store.ls("", detail=True)}
        try:
            found = store.find(path, detail=True)
        except FileNotFoundError:
            found = {}
        if not found and not store.exists(path):
            raise UsageError(f"{url}: no such bucket or object")
    return {name[len(path) :].lstrip("/"): one["size"] for name, one in found.items()}


@contextlib.contextmanager
def explained(place: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, BotoCoreError, ClientError) as error:
        raise FastkfError(f"{place}: {error}", find_remedy(place, error)) from error


def find_remedy(place: str, error: BaseException) -> str | None:
    if isinstance(error, EndpointConnectionError):
        return NO_WAY
    code, bucket = find_code(error), place.removeprefix(SCHEME).split("/")[0]
    if code in FAULTS:
        return ITS_LOG if bucket == BUCKET else NO_ROOM
    return REMEDIES.get(code)


def find_code(error: BaseException | None) -> str:
    """S3's code of the refusal behind an error; "" when there is none."""
    while error is not None:
        if isinstance(error, ClientError):
            return str(error.response.get("Error", {}).get("Code", ""))
        error = error.__cause__
    return ""
