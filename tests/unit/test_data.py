"""Data sets: made from a wheel, checked by hash, never half-written or overwritten."""

import csv
import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from fastkf.base.errors import FastkfError
from fastkf.course import data, places, recipes
from fastkf.course.flights import TABLES

pytestmark = pytest.mark.slow

MEMBERS = ["example/titanic_train.csv", "example/titanic_test.csv"]
ONE_HOT = [
    *("Sex_female", "Sex_male"),
    *(f"Deck_{letter}" for letter in "ABCDEFGT"),
    *("Embarked_Cherbourg", "Embarked_Queenstown", "Embarked_Southampton"),
]
FLIGHTS_CSV = """\
year,month,day,dep_delay,tailnum,time_hour
2013,1,1,-2,N14228,2013-01-01T10:00:00Z
2013,2,8,NA,NA,2013-02-08T11:00:00Z
2013,2,9,15,N24211,2013-02-09T12:00:00Z
"""
TITANIC_CSV = """\
name,survived,passenger_class,sex,age,siblings_spouses,parents_children,fare,port,deck
"Allen, Mr. William",0,3,male,,0,0,8.05,Southampton,
"Cumings, Mrs. John Bradley (Florence Briggs Thayer)",1,1,female,38.0,1,0,71.2833,,C
"""


def source_table(rows):
    """A table in the form of the source, its one-hot columns 0 where a row does not name them."""
    columns = [*recipes.TITANIC_COLUMNS, *ONE_HOT]
    lines = [columns, *([row.get(column, "0") for column in columns] for row in rows)]
    return recipes.write_csv(lines)


CUMINGS = {
    "Name": "Cumings, Mrs. John Bradley (Florence Briggs Thayer)",
    **{"Survival": "1", "PassengerClass": "1", "Age": "38.0", "Fare": "71.2833"},
    **{"No_of_siblings_plus_spouses_on_board": "1", "Deck_C": "1"},
}
ALLEN = {
    "Name": "Allen, Mr. William",
    **{"Survival": "0", "PassengerClass": "3", "Age": "-999.0", "Fare": "8.05"},
    **{"Sex_male": "1", "Embarked_Southampton": "1"},
}


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder that pip uses as its only index, with one wheel of two passengers."""
    folder = tmp_path / "index"
    folder.mkdir()
    with zipfile.ZipFile(folder / "example_data-1.0-py3-none-any.whl", "w") as wheel:
        for name, content in {
            MEMBERS[0]: source_table([CUMINGS]),
            MEMBERS[1]: source_table([ALLEN]),
            "example_data-1.0.dist-info/METADATA": "Name: example-data\nVersion: 1.0\n",
            "example_data-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\n",
        }.items():
            wheel.writestr(zipfile.ZipInfo(name), content)  # of no time, so always the same bytes
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def sources(tmp_path, index):
    """A sources.toml that declares the wheel's passengers as the data set `tiny`."""
    return write_sources(tmp_path, index)


@pytest.fixture
def flights(tmp_path, index):
    """A sources.toml that declares `flights`, from a source archive of three flights."""
    shutil.rmtree(index)
    index.mkdir()
    members = write_source_archive(index / "example_flights-1.0.tar.gz")
    files = recipes.RECIPES["flights"](list(members.values()))
    pins = "".join(
        f'[flights.files."{name}"]\nbytes = {len(content)}\n'
        f'sha256 = "{hashlib.sha256(content).hexdigest()}"\n'
        for name, content in files.items()
    )
    archive = next(index.iterdir()).read_bytes()
    path = tmp_path / "sources.toml"
    path.write_text(
        f"""[flights]
title = "Three flights"
package = "example-flights==1.0"
licence = "CC0"
archive = "sdist"
archive_bytes = {len(archive)}
archive_sha256 = "{hashlib.sha256(archive).hexdigest()}"
members = {list(members)}
recipe = "flights"
{pins}"""
    )
    return path


def write_source_archive(path):
    """A package's sources with the five tables; returns the tables, by their names in it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("flights.csv", FLIGHTS_CSV)
    tables = {"example/flights.csv.zip": packed.getvalue()}
    tables |= {f"example/{name}.csv": b"origin,year\nEWR,NA\n" for name in TABLES}
    setup = b"from setuptools import setup\nsetup(name='example-flights', version='1.0')\n"
    info = b"Metadata-Version: 2.1\nName: example-flights\nVersion: 1.0\n"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in {"setup.py": setup, "PKG-INFO": info, **tables}.items():
            member = tarfile.TarInfo(f"example_flights-1.0/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return tables


def write_sources(folder, index, wheel_sha256=None, file_sha256=None, package="example-data==1.0"):
    wheel = next(index.iterdir()).read_bytes()
    path = folder / "sources.toml"
    path.write_text(
        f"""
        [tiny]
        title = "Two passengers"
        package = "{package}"
        licence = "none"
        archive = "wheel"
        archive_bytes = {len(wheel)}
        archive_sha256 = "{wheel_sha256 or hashlib.sha256(wheel).hexdigest()}"
        members = {MEMBERS}
        recipe = "titanic"
        [tiny.files."titanic.csv"]
        bytes = {len(TITANIC_CSV)}
        sha256 = "{file_sha256 or hashlib.sha256(TITANIC_CSV.encode()).hexdigest()}"
        """
    )
    return path


@pytest.fixture(scope="module")
def brought():
    """The archives that pip has brought for the tests of this module, by what they were."""
    return {}


@pytest.fixture
def pip_once(brought, monkeypatch):
    """What pip has brought it is not asked for again, which takes it more than a second.

    For tests of what comes after it.
    """
    download = data.download_archive

    def bring(source, folder, progress):
        wanted = source.package, source.archive_sha256
        if wanted not in brought:
            archive = download(source, folder, progress)
            brought[wanted] = archive.name, archive.read_bytes()
        name, content = brought[wanted]
        (folder / name).write_bytes(content)
        return folder / name

    monkeypatch.setattr(data, "download_archive", bring)


def fetch(root, sources):
    """Fetches `tiny`; returns its file and what was said."""
    said = []
    folders = data.fetch(["tiny"], root=root, progress=said.append, sources=sources)
    return folders["tiny"] / "titanic.csv", said


def test_makes_the_tidy_table_from_the_wheel(tmp_path, sources):
    file, said = fetch(tmp_path / "data", sources)
    assert file.read_text() == TITANIC_CSV
    assert "tiny: downloading example-data==1.0, in which the data lie (" in said[0]
    assert said[-1] == f"tiny: ready in {file.parent}"
    assert [path.name for path in file.parent.iterdir() if path.name != ".lock"] == ["titanic.csv"]


@pytest.mark.usefixtures("pip_once")
def test_does_not_download_what_is_there(tmp_path, sources, monkeypatch):
    file, _ = fetch(tmp_path / "data", sources)
    monkeypatch.setattr(data, "download_archive", None)
    _, said = fetch(tmp_path / "data", sources)
    assert said == [f"tiny: ready in {file.parent}"]


@pytest.mark.usefixtures("pip_once")
def test_reads_from_a_folder_it_cannot_write(tmp_path, sources, monkeypatch):
    fetch(tmp_path / "data", sources)
    monkeypatch.setattr(data, "take_turn", None)
    fetch(tmp_path / "data", sources)


@pytest.mark.usefixtures("pip_once")
@pytest.mark.parametrize("content", [b"", b"mine", TITANIC_CSV.replace("8.05", "8.06").encode()])
def test_a_changed_file_is_an_error_and_is_kept(tmp_path, sources, content):
    file, _ = fetch(tmp_path / "data", sources)
    file.write_bytes(content)
    with pytest.raises(FastkfError, match="run `fastkf data tiny`") as caught:
        fetch(tmp_path / "data", sources)
    assert str(file) in str(caught.value)
    assert file.read_bytes() == content


@pytest.mark.usefixtures("pip_once")
def test_a_deleted_file_is_fetched_again(tmp_path, sources):
    file, _ = fetch(tmp_path / "data", sources)
    file.unlink()
    fetch(tmp_path / "data", sources)
    assert file.read_text() == TITANIC_CSV


@pytest.mark.usefixtures("pip_once")
def test_clears_what_a_killed_fetch_left(tmp_path, sources):
    left = tmp_path / "data" / "tiny" / ".partial"
    left.mkdir(parents=True)
    (left / "half.whl").write_bytes(b"half")
    file, _ = fetch(tmp_path / "data", sources)
    assert file.read_text() == TITANIC_CSV
    assert not left.exists()


def test_refuses_a_wheel_with_another_hash(tmp_path, index):
    sources = write_sources(tmp_path, index, wheel_sha256="0" * 64)
    with pytest.raises(FastkfError, match="offers another example-data==1.0 than the one pinned"):
        fetch(tmp_path / "data", sources)
    assert not (tmp_path / "data" / "tiny" / "titanic.csv").exists()


@pytest.mark.usefixtures("pip_once")
def test_refuses_to_write_a_file_with_another_hash(tmp_path, index):
    sources = write_sources(tmp_path, index, file_sha256="0" * 64)
    with pytest.raises(FastkfError, match="titanic.csv, made from example-data==1.0, is not"):
        fetch(tmp_path / "data", sources)
    assert not (tmp_path / "data" / "tiny" / "titanic.csv").exists()


def test_says_what_pip_said_when_the_download_fails(tmp_path, index):
    sources = write_sources(tmp_path, index, package="example-data==2.0")
    with pytest.raises(FastkfError, match="No matching distribution") as caught:
        fetch(tmp_path / "data", sources)
    assert "Check the network" in str(caught.value)


def test_says_what_to_do_without_pip(tmp_path, sources, monkeypatch):
    monkeypatch.setattr(data.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FastkfError, match="python -m ensurepip"):
        fetch(tmp_path / "data", sources)


def test_a_folder_that_cannot_be_made_is_one_message(tmp_path, sources):
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(FastkfError, match="cannot be"):
        fetch(tmp_path / "data", sources)


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    with pytest.raises(FastkfError, match="titanic, mnist_5k, reuters_r8"):
        data.fetch(["titanik"], root=tmp_path)


def test_an_unreadable_list_of_data_sets_is_one_message(tmp_path):
    with pytest.raises(FastkfError, match="sources.toml"):
        data.read_sources(tmp_path / "sources.toml")


def test_fetches_at_once_download_once(tmp_path, sources):
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: fetch(tmp_path / "data", sources), range(4)))
    assert {file.read_text() for file, _ in runs} == {TITANIC_CSV}
    assert sum("downloading" in line for _, said in runs for line in said) == 1


def test_says_that_it_is_alive_during_a_long_download(monkeypatch):
    monkeypatch.setattr(data, "HEARTBEAT_SECONDS", 0.2)
    beats = []
    command = [
        sys.executable,
        "-c",
        "import time; time.sleep(1); print('done'); raise SystemExit(3)",
    ]
    assert data.run_with_heartbeat(command, beats.append) == (3, "done\n")
    assert beats


def test_stops_pip_when_interrupted(monkeypatch):
    monkeypatch.setattr(data, "HEARTBEAT_SECONDS", 0.2)
    started = []
    popen = subprocess.Popen
    monkeypatch.setattr(
        data.subprocess,
        "Popen",
        lambda *args, **kw: started.append(popen(*args, **kw)) or started[0],
    )

    def interrupt(seconds):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        data.run_with_heartbeat([sys.executable, "-c", "import time; time.sleep(60)"], interrupt)
    assert started[0].returncode != 0


def test_converts_an_orange_table():
    table = b"Category\tText\nd\tstring\nclass\t\n\nearn\ta, b \nmoney-fx\tc\n"
    assert recipes.convert_orange_table(table) == b'topic,text\nearn,"a, b"\nmoney-fx,c\n'


def test_every_data_set_has_a_recipe_and_a_section_in_the_readme():
    declared = data.read_sources()
    readme = (places.DATA / "README.md").read_text()
    for name, source in declared.items():
        assert source.recipe in recipes.RECIPES
        assert f"\n## {name}\n" in readme
        assert all(f"`{name}/{pin.name}`" in readme for pin in source.files)


@pytest.fixture(scope="session")
def titanic():
    """The passengers of the real file; fetched when it is not there yet."""
    folder = data.fetch(["titanic"], progress=lambda line: None)["titanic"]
    with open(folder / "titanic.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def count(passengers, column):
    """How often each value of a column occurs."""
    values = [passenger[column] for passenger in passengers]
    return {value: values.count(value) for value in sorted(set(values))}


def test_the_real_titanic_table_is_what_its_readme_says(titanic):
    assert list(titanic[0]) == recipes.TITANIC_HEADER
    assert count(titanic, "survived") == {"0": 549, "1": 342}
    assert count(titanic, "passenger_class") == {"1": 216, "2": 184, "3": 491}
    assert count(titanic, "sex") == {"female": 314, "male": 577}
    ports = {"": 2, "Cherbourg": 168, "Queenstown": 77, "Southampton": 644}
    assert count(titanic, "port") == ports
    assert count(titanic, "deck")[""] == 687
    ages = [float(passenger["age"]) for passenger in titanic if passenger["age"]]
    assert len(titanic) - len(ages) == 177
    assert (min(ages), max(ages)) == (0.42, 80)
    names = [passenger["name"] for passenger in titanic]
    assert names == sorted(set(names))


def test_the_real_titanic_table_comes_through_the_index(tmp_path, titanic):
    """The pins of sources.toml hold today: a fetch from nothing gives the same file."""
    data.fetch(["titanic"], root=tmp_path, progress=lambda line: None)
    assert data.inspect(data.read_sources()["titanic"], tmp_path) == data.READY
    shutil.rmtree(tmp_path / "titanic")
    assert data.inspect(data.read_sources()["titanic"], tmp_path) == data.MISSING


def test_a_source_archive_gives_a_table_for_each_month(flights, tmp_path):
    import pandas as pd

    folder = data.fetch(["flights"], root=tmp_path / "data", sources=flights)["flights"]
    february = pd.read_parquet(folder / "2013-02.parquet")
    assert february["day"].tolist() == [8, 9]
    assert february["dep_delay"].isna().tolist() == [True, False]
    assert february["tailnum"].isna().tolist() == [True, False]
    assert february["time_hour"].iloc[1] == pd.Timestamp("2013-02-09 12:00")
    assert len(pd.read_parquet(folder / "2013-03.parquet")) == 0
    assert {path.stem for path in folder.glob("*.parquet")} >= {"2013-12", *TABLES}


def test_a_source_archive_with_another_hash_is_refused_before_it_runs(flights, tmp_path):
    right = data.read_sources(flights)["flights"].archive_sha256
    flights.write_text(flights.read_text().replace(right, "0" * 64))
    with pytest.raises(FastkfError, match="offers another example-flights"):
        data.fetch(["flights"], root=tmp_path / "data", sources=flights)
    assert not list((tmp_path / "data").rglob("*.parquet"))
