"""What the steps of a run have to show, as pages of the run's folder."""

import pytest

from fastkf.engine.results import write_pages
from fastkf.runs.model import Artifact, Step, Values


@pytest.fixture
def show(tmp_path):
    (tmp_path / "outputs").mkdir()
    (tmp_path / "artifacts").mkdir()

    def call(**files: tuple[str, str]) -> str | None:
        made = {}
        for name, (type, content) in files.items():
            (tmp_path / "artifacts" / name).write_text(content)
            made[name] = Artifact(f"system.{type}", f"artifacts/{name}", {})
        write_pages([Step("train", "train", outputs=Values(artifacts=made))], tmp_path)
        page = tmp_path / "outputs" / "train.html"
        return page.read_text() if page.exists() else None

    return call


def test_one_page_is_taken_as_it_is(show):
    assert show(page=("HTML", "<b>90 %</b>"), model=("Model", "x")) == "<b>90 %</b>"


def test_markdown_is_drawn_and_no_html_in_it_is_taken(show):
    page = show(text=("Markdown", "# Losses\n\n| a |\n|---|\n| 1 |\n\n<script>x</script>"))
    assert "<h1>Losses</h1>" in page
    assert "<td>1</td>" in page
    assert "<script>" not in page


def test_several_pages_of_a_step_stand_under_each_other(show):
    page = show(first=("HTML", "<b>1</b>"), second=("Markdown", "*2*"))
    assert page.index("<h2>first</h2>") < page.index("<b>1</b>") < page.index("<em>2</em>")


def test_nothing_to_show(show):
    assert show(model=("Model", "x")) is None
