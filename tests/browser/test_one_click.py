"""One click in the real JupyterLab: the real Kale extension, in a real browser, to a finished run.

Screenshots of it stay in runs/screenshots/, or where FASTKF_SCREENSHOTS says.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import browser
import lab_processes
import pytest
from build import write_notebook
from conftest import LABS, SOLUTIONS, WELCOME
from kale_panel import Lab, NotebookPage, expected_tags, start_lab

from fastkf.course import places
from fastkf.course.data import fetch
from fastkf.engine.notebook import read_metrics
from fastkf.notebook.model import Notebook, read
from fastkf.runs.compare import is_equal

SCREENSHOTS = Path(os.environ.get("FASTKF_SCREENSHOTS", places.PROJECT / "runs" / "screenshots"))
SIZE = {"width": 1600, "height": 1000}
SMALL = {"width": 1000, "height": 600}  # what nobody looks at need not be large
SIX_DIGITS = 1e-5  # the pages show no more; a relative difference


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory):
    """A folder with copies of the course's notebooks, whose data are there."""
    fetch(["titanic"])
    folder = tmp_path_factory.mktemp("one_click") / "notebooks"
    shutil.copytree(
        places.NOTEBOOKS, folder, ignore=shutil.ignore_patterns(".*", "golden", "__pycache__")
    )
    return folder


@pytest.fixture(scope="module")
def lab(chromium, notebooks):
    """One `fastkf lab` for all tests of this file, with a data folder of its own.

    Its kernels are forked, as those of the labs: each of two dozen would import Kale otherwise.
    """
    import matplotlib

    own = {
        "FASTKF_SERVER": str(notebooks.parent / "server"),
        "MPLCONFIGDIR": matplotlib.get_cachedir(),
    }
    if lab_processes.CAN_FORK:
        own["JUPYTER_PATH"] = str(lab_processes.describe_kernel(""))
    with start_lab(notebooks, **own) as lab:
        yield lab


@pytest.fixture(scope="module")
def page(chromium):
    """One page for all: what Chromium has compiled of JupyterLab stays with its context."""
    with browser.open_page(chromium, viewport=SIZE) as page:
        yield page


@contextlib.contextmanager
def kept(page, lab: Lab, name: str) -> Iterator[Path]:
    """A folder for screenshots; when the test fails, for all there is to see of it, and says so."""
    folder = SCREENSHOTS / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    except BaseException as error:
        for number, one in enumerate(page.context.pages, start=1):
            one.screenshot(path=folder / f"failed_{number}.png")
        (folder / "console.txt").write_text("\n".join(page.complaints))
        shutil.copytree(lab.logs, folder / "logs", ignore=shutil.ignore_patterns("*.json"))
        error.add_note(f"screenshots, the browser's console and the logs: {folder}")
        raise


def open_in_lab(page, lab: Lab, notebook: Notebook) -> NotebookPage:
    in_lab = NotebookPage(page, lab)
    in_lab.open(notebook.path.name)
    in_lab.wait_for_panel(notebook)
    return in_lab


@contextlib.contextmanager
def follow(page, link) -> Iterator:
    """The page that the panel links to, when its run is shown."""
    with page.context.expect_page() as opened:
        link.click()
    run = opened.value
    run.wait_for_selector(".verdict strong")
    yield run
    run.close()


@pytest.mark.parametrize("name", ["00_welcome", "01_first_pipeline", "02_titanic"])
def test_compile_and_run(name, lab, notebooks, page):
    """Each tag is shown; the click; the run's page; and there the metrics of the notebook."""
    notebook = read(notebooks / f"{name}.ipynb")
    with kept(page, lab, name) as folder:
        in_lab = open_in_lab(page, lab, notebook)
        tags = expected_tags(notebook)
        assert in_lab.tags(tags) == tags

        in_lab.press_run()
        link = in_lab.wait_for_run()
        page.screenshot(path=folder / "panel.png")
        with follow(page, link) as run:
            assert run.inner_text(".verdict strong").strip() == "Succeeded"
            shown = dict(
                zip(
                    run.locator(".metrics dt").all_text_contents(),
                    run.locator(".metrics dd").all_text_contents(),
                    strict=True,
                )
            )
            run.screenshot(path=folder / "run.png", full_page=True)

        committed = read_metrics(places.NOTEBOOKS / notebook.path.name)
        tolerance = max(notebook.course.tolerance or 0, SIX_DIGITS)
        assert shown.keys() == committed.keys()
        for metric, value in committed.items():
            assert is_equal(value, float(shown[metric]), tolerance), metric
        elsewhere = page.requested_elsewhere(lab.address)
        assert not elsewhere


def test_a_failing_step_shows_its_exception(lab, notebooks, page):
    """One click on the panel's link, and learners read their own exception, with cell and line."""
    path = write_notebook(
        notebooks / "failing.ipynb",
        [
            ("markdown", "# A step that fails"),
            ("step:load_ages", "ages = [22, 38, 26]"),
            (
                ["step:find_oldest", "prev:load_ages"],
                "oldest = max(ages)\n"
                "if oldest < 100:\n"
                "    raise ValueError(f'nobody is 100: the oldest is {oldest}')",
            ),
        ],
        pipeline_name="failing",
    )
    with kept(page, lab, "failing") as folder:
        in_lab = open_in_lab(page, lab, read(path))
        in_lab.press_run()
        link = in_lab.wait_for_run()
        page.screenshot(path=folder / "panel.png")
        with follow(page, link) as run:
            assert run.inner_text(".verdict strong").strip() == "Failed"
            problem = run.inner_text(".problems article")
            run.screenshot(path=folder / "run.png", full_page=True)
        assert "find_oldest" in problem
        assert "ValueError: nobody is 100: the oldest is 38" in problem
        assert "raise ValueError" in problem


def test_opening_and_saving_changes_no_committed_notebook(lab, notebooks, page):
    """Only a notebook that is not in the form that Kale's panel saves is changed.

    Of the solutions one is opened: what the panel reads and writes in the others is that of their
    labs (see test_labs.py), and opening a notebook takes four seconds of the processor.
    """
    committed = (*WELCOME, *LABS, SOLUTIONS[0])
    names = [str(path.relative_to(places.NOTEBOOKS)) for path in committed]
    other = "not_normalised.ipynb"
    content = json.loads(LABS[0].read_text())
    content["metadata"]["kubeflow_notebook"]["base_image"] = "python:3.12"
    (notebooks / other).write_text(json.dumps(content, indent=1) + "\n")
    page.set_viewport_size(SMALL)
    with kept(page, lab, "saving"):
        in_lab = open_in_lab(page, lab, read(notebooks / names[0]))
        in_lab.close()
        changed = [name for name in [*names, other] if is_changed(in_lab, notebooks, name)]
        assert changed == [other]


def is_changed(in_lab: NotebookPage, notebooks: Path, name: str) -> bool:
    """Whether opening and saving a notebook changes its file."""
    path = notebooks / name
    content, written = path.read_bytes(), path.stat().st_mtime_ns
    in_lab.open_another(name)
    in_lab.wait_for_panel(read(path))
    in_lab.save()
    in_lab.wait_until(lambda: path.stat().st_mtime_ns != written)
    in_lab.close()
    return path.read_bytes() != content
