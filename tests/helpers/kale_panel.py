"""`fastkf lab`, started, and its JupyterLab with Kale's panel, driven as a learner's hand does.

with start_lab(tmp_path / "notebooks") as lab, browser.open_page(chromium) as page:
    notebook = NotebookPage(page, lab)
    notebook.open("02_titanic.ipynb")
    notebook.press_run()
    link = notebook.wait_for_run()
"""

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from commands import Forked, start

from fastkf.base.ports import free_ports
from fastkf.notebook.model import Notebook

SECONDS_TO_START = 200
SECONDS_TO_ANSWER = 150  # of a page, on a busy machine
SECONDS_TO_RUN = 500
MILLISECONDS = 200  # between two looks; else Playwright looks at, and so draws, 60 frames a second

NOTEBOOK = ".jp-NotebookPanel:not(.lm-mod-hidden)"
READ_TAGS = f"""Array.from(
    document.querySelectorAll("{NOTEBOOK} .kale-inline-cell-metadata:not(.hidden)"), cell => [
        cell.querySelector(".kale-chip")?.textContent,
        Array.from(cell.querySelectorAll(".kale-inline-cell-dependency"), dot => dot.ariaLabel)
    ])"""
PANEL_TAB = '.jp-SideBar [data-id="jupyterlab-kubeflow-kale/kubeflowDeployment"]'
RUN_LINK = '.deploy-progress-row a[href*="/runs/details/"]'


@dataclass
class Lab:
    """A `fastkf lab` that answers.

    Attributes:
        page: JupyterLab's address, with the token.
        pipelines: the address of the runs' pages.
        logs: the folder of the logs.
    """

    process: Forked | subprocess.Popen
    output: Path
    page: str
    pipelines: str
    logs: Path

    @property
    def address(self) -> str:
        return re.split(r"lab(/tree/[^?]*)?\?", self.page)[0]

    @property
    def token(self) -> str:
        return self.page.split("token=")[1]

    def end(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """Sends it a signal; returns the exit code and all that it has written."""
        self.process.send_signal(number)
        self.process.wait(60)
        return self.process.returncode, self.output.read_text()


@contextlib.contextmanager
def start_lab(*words, **variables: str) -> Iterator[Lab]:
    """`fastkf lab --no-browser` with further words and environment variables, until it answers.

    HOME is an empty folder unless it is given.
    """
    with tempfile.TemporaryDirectory(prefix="fastkf-test-") as folder:
        output = Path(folder, "output.txt")
        home, temporary = Path(folder, "home"), Path(folder, "tmp")
        home.mkdir()
        temporary.mkdir()
        [port] = free_ports(1)  # several tests at once would all choose 8888
        options = ["--no-browser", "--port", str(port), *map(str, words)]
        with output.open("wb") as file:
            own = {"HOME": str(home), "TMPDIR": str(temporary)}
            environment = {**os.environ, **own, **variables}
            process = start("lab", *options, stdout=file, env=environment)
        try:
            _wait_until_it_answers(process, output)
            text = output.read_text()
            page, pipelines, logs = (
                re.search(rf"^  {name} +(\S+)$", text, re.M)[1]
                for name in ("JupyterLab", "Pipelines", "Logs")
            )
            yield Lab(process, output, page, pipelines, Path(logs))
        finally:
            process.terminate()
            process.wait(60)


def _wait_until_it_answers(process: Forked | subprocess.Popen, output: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while "Ctrl-C" not in output.read_text():
        assert process.poll() is None, f"fastkf lab ended: {output.read_text()}"
        assert time.monotonic() < deadline, f"fastkf lab is silent: {output.read_text()}"
        time.sleep(0.1)


class NotebookPage:
    """The notebook in front, and Kale's panel beside it.

    Attributes:
        page: the browser's page.
    """

    def __init__(self, page, lab: Lab):
        self.page, self.lab = page, lab
        page.set_default_timeout(SECONDS_TO_ANSWER * 1000)

    def open(self, name: str) -> None:
        """Loads JupyterLab with a notebook of its root folder."""
        self.page.goto(f"{self.lab.address}lab/tree/{quote(name)}?token={self.lab.token}&reset")
        self._wait_for_notebook(name)

    def open_another(self, name: str) -> None:
        """Opens a notebook in the page that is loaded."""
        self._choose("Open from Path…")
        self.page.fill(".jp-Dialog input", name)
        self.page.click(".jp-Dialog .jp-mod-accept")
        self._wait_for_notebook(name)

    def save(self) -> None:
        """Chooses to save the notebook."""
        self._choose("Save Notebook")

    def close(self) -> None:
        """Closes the notebook and ends its kernel."""
        self._choose("Close and Shut Down Notebook…")
        self.page.click(".jp-Dialog .jp-mod-accept")
        self.page.wait_for_selector(NOTEBOOK, state="detached")

    def wait_for_panel(self, notebook: Notebook) -> None:
        """Opens the panel; returns when it is connected and shows the notebook's settings."""
        if not self.page.locator(".kubeflow-widget").is_visible():
            self.page.click(PANEL_TAB)
        self.page.wait_for_selector(".kfp-status-text-connected")
        self.page.wait_for_function(
            """name => Array.from(document.querySelectorAll(".kubeflow-widget input"))
                .some(input => input.value === name)""",
            arg=notebook.pipeline_name,
            polling=MILLISECONDS,
        )

    def tags(self, expected: list) -> list:
        """What Kale shows above the cells, once it is as expected or stays otherwise.

        A chip with the step or the special tag, and a dot for each step that it depends on.
        """
        with contextlib.suppress(self._timeout):
            self.page.wait_for_function(
                f"expected => JSON.stringify({READ_TAGS}) === JSON.stringify(expected)",
                arg=expected,
                polling=MILLISECONDS,
            )
        return self.page.evaluate(READ_TAGS)

    def press_run(self) -> None:
        """Presses Compile and Run."""
        self.page.locator('.deploy-button [aria-label="split button"] button').first.click()

    def press_run_above_the_notebook(self) -> None:
        self.page.click(f"{NOTEBOOK} [data-jp-item-name=kaleRun] jp-button")

    def wait_for_run(self):
        """The link to the run's page, when the run has ended, well or not."""
        self.page.wait_for_function(
            """link => document.querySelector(".jp-Dialog")
                || ["Done", "Failed"].includes(document.querySelector(link)?.textContent)""",
            arg=RUN_LINK,
            polling=MILLISECONDS,
            timeout=SECONDS_TO_RUN * 1000,
        )
        dialogs = self.page.locator(".jp-Dialog").all_inner_texts()
        assert not dialogs, f"a dialog came up: {dialogs}"
        return self.page.locator(RUN_LINK)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Returns when the condition holds; fails when it does not for too long."""
        deadline = time.monotonic() + SECONDS_TO_ANSWER
        while not condition():
            assert time.monotonic() < deadline, "it has not come to pass"
            self.page.wait_for_timeout(50)

    def _choose(self, item: str) -> None:
        """Chooses an item of the file menu."""
        self.page.click('.lm-MenuBar-item:has-text("File")')
        self.page.click(f'.lm-Menu-item:has(.lm-Menu-itemLabel:text-is("{item}"))')

    def _wait_for_notebook(self, name: str) -> None:
        title = Path(name).name
        self.page.wait_for_selector(f'.lm-mod-current .lm-TabBar-tabLabel:text-is("{title}")')
        self.page.wait_for_selector(f"{NOTEBOOK} .jp-CodeCell")

    @property
    def _timeout(self):
        from playwright.sync_api import TimeoutError

        return TimeoutError


def expected_tags(notebook: Notebook) -> list:
    """What Kale should show above each code cell, as `NotebookPage.tags` gives it."""
    return [[cell.step or cell.role, cell.tag_values("prev")] for cell in notebook.code_cells]
