"""Uploaded packages: a package, or one line that says why there is none. Never anything else."""

import contextlib
import copy
import gzip
import io
import lzma
import tarfile
import zipfile

import pytest
import yaml
from fuzz import holds
from hypothesis import strategies as st
from servers import chain

from fastkf.package.errors import PackageError
from fastkf.package.model import Package
from fastkf.package.settings import describe_settings

pytestmark = [pytest.mark.security, pytest.mark.slow]
PACKAGE = chain("return 1", "return 2", name="small", parameters={"folds": 3, "place": "a"})
YAML = yaml.safe_dump(PACKAGE).encode()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(*members: tuple[str, bytes, bytes], linked: str = "") -> bytes:
    """A .tar.gz of members: name, type, content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        for name, kind, content in members:
            member = tarfile.TarInfo(name)
            member.type, member.size, member.linkname = kind, len(content), linked
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


FILE = ("pipeline.yaml", tarfile.REGTYPE, YAML)
WHOLE = {"yaml": YAML, "zip": zipped(("pipeline.yaml", YAML)), "tar.gz": tarred(FILE)}


@pytest.mark.parametrize("content", WHOLE.values(), ids=WHOLE)
def test_a_whole_one_is_read(content):
    assert Package.from_upload(content).name == "small"


def test_what_lies_beside_it_in_a_tar_changes_nothing():
    content = tarred(
        ("folder.yaml", tarfile.DIRTYPE, b""), FILE, ("notes.txt", tarfile.SYMTYPE, b"")
    )
    assert Package.from_upload(content).name == "small"


KINDS = {
    "file": tarfile.REGTYPE,
    "link": tarfile.SYMTYPE,
    "hard link": tarfile.LNKTYPE,
    "pipe": tarfile.FIFOTYPE,
    "device": tarfile.CHRTYPE,
}


@pytest.mark.parametrize("kind", KINDS)
def test_two_members_of_one_name_are_refused(kind):
    again = ("pipeline.yaml", KINDS[kind], b"")
    for content in (tarred(FILE, again), tarred(again, FILE)):
        with pytest.raises(PackageError, match="pipeline.yaml more than once"):
            Package.from_upload(content)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_in_a_zip_are_refused():
    with pytest.raises(PackageError, match="pipeline.yaml more than once"):
        Package.from_upload(zipped(("pipeline.yaml", YAML), ("pipeline.yaml", b"")))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "file"])
@pytest.mark.parametrize("linked", ["pipeline.yaml", "/etc/passwd", "nothing", ""])
def test_a_link_and_a_device_are_no_package(kind, linked):
    """A link to itself is a loop, and one to a file of this machine never leads there."""
    content = tarred(("pipeline.yaml", KINDS[kind], b""), linked=linked)
    with pytest.raises(PackageError, match="no YAML file: pipeline.yaml is a link or a device"):
        Package.from_upload(content)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_zip_is_stored_or_deflated(method):
    """LZMA asks for as much memory as the file says."""
    with pytest.raises(PackageError, match="not compressed as"):
        Package.from_upload(zipped(("pipeline.yaml", YAML), method=method))


def test_a_tar_that_is_compressed_twice_is_not_unpacked_again():
    bomb = gzip.compress(lzma.compress(bytes(10_000_000)))
    with pytest.raises(PackageError, match="cannot be read"):
        Package.from_upload(bomb)


def test_a_tar_whose_headers_lead_to_headers():
    name = tarfile.TarInfo("x")
    name.type = tarfile.GNUTYPE_LONGNAME
    with pytest.raises(PackageError, match="cannot be read"):
        Package.from_upload(gzip.compress(name.tobuf(tarfile.GNU_FORMAT) * 5000))


@holds(100, st.sampled_from(sorted(WHOLE)), st.data())
def test_broken_files(kind, data):
    """Bytes of a good one are changed, taken away, and put in."""
    content = bytearray(WHOLE[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        end = at + data.draw(st.integers(0, 8))
        content[at:end] = data.draw(st.binary(max_size=8))
    is_package_or_refused(bytes(content))


@holds(100, st.sampled_from(["zip", "tar.gz"]), st.binary(max_size=200))
def test_broken_contents_in_a_whole_archive(kind, content):
    name = "pipeline.yaml"
    member = (name, tarfile.REGTYPE, content)
    is_package_or_refused(zipped((name, content)) if kind == "zip" else tarred(member))
    is_package_or_refused(gzip.compress(content))


def paths(value, path=()):
    """The paths of all values in plain data."""
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from paths(value[key], (*path, key))


PATHS = list(paths(PACKAGE))


@holds(80, st.sampled_from(PATHS[1:]), JSON)
def test_any_value_in_any_place(path, value):
    package = copy.deepcopy(PACKAGE)
    place = package
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    try:
        read = Package.from_spec(package)
    except PackageError as error:
        assert_says_why(error)
        return
    uses(read)


def nested(width: int, levels: int) -> dict:
    """A package of few lines whose pipelines inside each other stand for width**levels tasks."""
    package = copy.deepcopy(PACKAGE)
    components = package["components"]
    for level in range(1, levels + 1):
        below = f"inner-{level - 1}" if level > 1 else "comp-1"
        tasks = {f"task-{n}": {"componentRef": {"name": below}} for n in range(width)}
        components[f"inner-{level}"] = {"dag": {"tasks": tasks}}
    package["root"]["dag"]["tasks"] = {"all": {"componentRef": {"name": f"inner-{levels}"}}}
    return package


@pytest.mark.parametrize(("width", "levels"), [(10, 20), (1, 500), (100, 2)])
def test_pipelines_inside_each_other_are_counted_as_what_they_stand_for(width, levels):
    with pytest.raises(PackageError, match="more than 5000 tasks, or 30 pipelines"):
        Package.from_spec(nested(width, levels))


def test_a_package_of_many_tasks_is_read():
    package = nested(10, 3)
    assert len(Package.from_spec(package).tasks) == 1000


def is_package_or_refused(content: bytes) -> None:
    try:
        package = Package.from_upload(content)
    except PackageError as error:
        assert_says_why(error)
        return
    uses(package)


def assert_says_why(error: PackageError) -> None:
    text = str(error)
    assert text.startswith("not a pipeline package")
    assert "\n" not in text
    assert len(text) < 1000
    text.encode()


def uses(package: Package) -> None:
    """What the server does with each package; a circle of tasks is found when it is to run."""
    assert package.name
    assert package.as_yaml()
    assert package.defaults is not None
    assert package.describe()
    assert package.python_sources is not None
    with contextlib.suppress(PackageError):
        assert package.steps


@pytest.mark.parametrize("version", ["2.0.0", "2.2.0", ""])
def test_a_package_of_another_version_of_the_format_is_refused(version):
    other = {**PACKAGE, "schemaVersion": version}
    with pytest.raises(PackageError, match="reads 2.1.0 alone"):
        Package.from_spec(other)


def test_what_a_newer_sdk_asks_for_of_the_whole_pipeline_is_kept_and_told():
    config = {"pipelineRunParallelism": 7, "workspace": {"size": "1Gi"}}
    platform = {"platforms": {"kubernetes": {"pipelineConfig": config}}}
    package = Package.from_spec({"pipeline_spec": PACKAGE, "platform_spec": platform})
    assert package.platform == platform
    assert describe_settings(package) == ("the pipeline: limit of steps at a time",)
