"""What the course's text says is there: links, commands, paths, versions, diagrams, examples.

Links to other sites are checked for their form only: tests do not reach the network. So are
diagrams: whether Mermaid can draw them, only a browser shows.
"""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from unittest import mock
from urllib.parse import unquote, urlsplit

import pytest
import typer
import yaml
from build import write_notebook
from conftest import LABS, SOLUTIONS, WELCOME
from guides import (
    all_blocks,
    anchors,
    blocks,
    code_spans,
    commands,
    fastkf_commands,
    links,
    read_text,
    shell_blocks,
)
from typer.testing import CliRunner

from fastkf.cli import app
from fastkf.course import places
from fastkf.course.data import read_sources
from fastkf.course.lock import read_lock
from fastkf.notebook.check import RULES
from fastkf.notebook.model import read

README = places.PROJECT / "README.md"
LABS_FOLDER = places.PROJECT / "labs"
TROUBLESHOOTING = LABS_FOLDER / "troubleshooting.md"
PAGES = [
    *sorted(places.PROJECT.glob("*.md")),
    places.DATA / "README.md",
    *sorted(LABS_FOLDER.rglob("*.md")),
]
TEXTS = [*PAGES, *WELCOME, *LABS, *SOLUTIONS]
EXAMPLE = sorted((LABS_FOLDER / "project" / "example").rglob("*.ipynb"))
TARGETS = set(re.findall(r"^([a-z-]+):", (places.PROJECT / "Makefile").read_text(), re.M))
FASTKF = typer.main.get_command(app)


def name(path):
    return str(path.relative_to(places.PROJECT))


of_each_text = pytest.mark.parametrize("path", TEXTS, ids=name)
of_each_page = pytest.mark.parametrize("path", PAGES, ids=name)


# Links.


def is_external(target):
    return bool(urlsplit(target).scheme)


def find_problem(path, target):
    """What is wrong with a link within the project; None when it leads somewhere."""
    place, _, anchor = unquote(target).partition("#")
    file = (path.parent / place).resolve() if place else path
    if not file.exists() or not file.is_relative_to(places.PROJECT):
        return f"{target}: no such file"
    if anchor and anchor not in (anchors(file) if file.suffix == ".md" else ()):
        return f"{target}: no such heading in a Markdown file"
    return None


@pytest.mark.parametrize("path", [*TEXTS, *EXAMPLE], ids=name)
def test_relative_links_lead_somewhere(path):
    local = [target for target, _ in links(path) if not is_external(target)]
    assert [problem for target in local if (problem := find_problem(path, target))] == []


@of_each_text
def test_links_and_pictures_have_words(path):
    assert [target for target, text in links(path) if not text.strip()] == []


def test_every_picture_is_shown_and_said_in_words():
    pictures = {}
    for page in PAGES:
        for target, text in links(page):
            if target.endswith(".png"):
                pictures[(page.parent / target).resolve()] = text
    assert set(pictures) == set((LABS_FOLDER / "images").rglob("*.png"))
    assert [path for path, text in pictures.items() if len(text) < 60] == []


def test_links_to_other_sites_are_well_formed():
    for path in TEXTS:
        for target, _ in filter(lambda link: is_external(link.target), links(path)):
            parts = urlsplit(target)
            assert parts.scheme == "https", f"{path}: {target}"
            assert "." in parts.netloc, f"{path}: {target}"
            assert re.fullmatch(r"[!-~]+[^.,;:]", target), f"{path}: {target}"


def test_a_page_of_another_site_has_one_address():
    spellings = defaultdict(set)
    for path in TEXTS:
        for target, _ in filter(lambda link: is_external(link.target), links(path)):
            parts = urlsplit(target)
            site = parts.netloc.removeprefix("www.").lower()
            spellings[site, parts.path.rstrip("/"), parts.query].add(target.partition("#")[0])
    assert [same for same in spellings.values() if len(same) > 1] == []


def test_every_page_can_be_reached_from_the_readme():
    reached, waiting = set(), [README]
    while waiting:
        page = waiting.pop()
        if page in reached or page not in PAGES:
            continue
        reached.add(page)
        local = [target for target, _ in links(page) if not is_external(target)]
        waiting += [(page.parent / unquote(target).partition("#")[0]).resolve() for target in local]
    assert {name(page) for page in PAGES} - {name(page) for page in reached} == set()


# Commands.


@of_each_text
def test_shell_blocks_parse(path):
    for block in shell_blocks(path):
        result = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True)
        assert result.returncode == 0, f"{block}\n{result.stderr}"


def with_parts(command):
    """A command and, of a group, all commands in it."""
    yield command
    for part in getattr(command, "commands", {}).values():
        yield from with_parts(part)


def parse_only(group, words):
    """Gives words to a command line whose commands do nothing: only their arguments are read."""
    with ExitStack() as stack:
        for command in with_parts(group):
            stack.enter_context(mock.patch.object(command, "callback", return_value=None))
        group.main(args=words, prog_name="command", standalone_mode=False)


@of_each_text
def test_fastkf_commands_are_understood(path):
    for words in fastkf_commands(path):
        try:
            parse_only(FASTKF, words)
        except Exception as error:  # noqa: BLE001 - whatever it is, the command is named
            message = getattr(error, "format_message", lambda error=error: repr(error))()
            pytest.fail(f"fastkf {' '.join(words)}: {message}")


@of_each_text
def test_kfp_commands_are_understood(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in commands(path, "kfp"):
        for file in filter(lambda word: word.endswith(".yaml"), words):  # kfp wants them there
            Path(file).parent.mkdir(parents=True, exist_ok=True)
            Path(file).touch()
        parse_only(import_module("kfp.cli.cli").cli, words)


@of_each_text
def test_fastkf_commands_within_the_text_exist(path):
    spans = [span for span in code_spans(path) if re.match("fastkf [a-z]", span)]
    for words in (span.split()[1:] for span in spans):
        command = FASTKF.commands.get(words[0])
        if hasattr(command, "commands") and len(words) > 1:
            command = command.commands.get(words[1])
        assert command, f"fastkf {' '.join(words)}"
        known = {"-h", "--help", *(o for parameter in command.params for o in parameter.opts)}
        used = {word.split("=")[0] for word in words if re.match("--?[a-z]", word)}
        assert used <= known, f"fastkf {' '.join(words)}"


@of_each_text
def test_make_targets_exist(path):
    spans = [span.split() for span in code_spans(path) if span.startswith("make ")]
    spans = [span[1:] for span in spans]
    for words in [*commands(path, "make"), *spans]:
        targets = {word for word in words if "=" not in word}
        assert targets <= TARGETS | {"TARGET"}, f"make {' '.join(words)}"
        labs = {word[4:] for word in words if word.startswith("LAB=")}
        assert labs <= {lab.stem for lab in LABS}, f"make {' '.join(words)}"


IN_REPOSITORY = re.compile(
    r"(?<![\w/.:{-])(?:labs|notebooks|tests|fastkf|benchmarks|tools|data|\.github)/[\w./*<>-]*"
)
# Of the lab that CONTRIBUTING.md adds as an example, and of a reader's own files.
EXAMPLES = re.compile(r"13_iris|my|<|\*|\.\.\.")
ANNOTATIONS = {"fastkf/folder", "fastkf/volume.NAME"}


@of_each_page
def test_paths_exist(path):
    fetched = {f"data/{s.name}/{file.name}" for s in read_sources().values() for file in s.files}
    folders = {f"data/{source}/" for source in read_sources()}
    code = "\n".join([*shell_blocks(path), *code_spans(path)])
    for found in map(lambda place: place.rstrip("."), IN_REPOSITORY.findall(code)):
        there = (places.PROJECT / found).exists() or found in fetched or f"{found}/" in folders
        assert there or found in ANNOTATIONS or EXAMPLES.search(found), found


@of_each_page
def test_code_parses(path):
    for block in blocks(path, "python"):
        ast.parse(block)
    for block in blocks(path, "yaml"):
        assert list(yaml.safe_load_all(block))
    for block in blocks(path, "json"):
        json.loads(block)


# Diagrams.


@of_each_text
def test_diagrams_have_the_form_of_flowcharts(path):
    for block in blocks(path, "mermaid"):
        lines = [line.strip() for line in block.splitlines()]
        assert re.fullmatch("flowchart (LR|TB)", lines[0]), lines[0]
        opened = sum(line.startswith("subgraph ") for line in lines)
        assert opened == lines.count("end"), block
        for line in lines:
            bare = re.sub('"[^"]*"', "", line)
            assert '"' not in bare, line
            assert all(bare.count(a) == bare.count(b) for a, b in ("()", "[]", "{}")), line


def test_blocks_have_known_marks():
    known = {"", "bash", "dockerfile", "ini", "json", "mermaid", "powershell", "python", "text"}
    known |= {"toml", "yaml"}
    assert {mark for path in TEXTS for mark, _ in all_blocks(path)} <= known


# The course map.


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.stem)
def test_the_course_map_has_each_lab_as_it_is(lab):
    rows = [row for row in read_text(README).splitlines() if row.startswith("| [")]
    row = [row for row in rows if f"(notebooks/{lab.name})" in row]
    assert len(row) >= 1
    assert f"| {read(lab).course.minutes} min |" in row[0]


# Versions. Those of the cluster side are the business of test_versions.py.

PYTHONS = tomllib.loads((places.PROJECT / "pyproject.toml").read_text())["project"][
    "requires-python"
]
NAMES = {
    "Kale": "kubeflow-kale",
    "TensorFlow": "tensorflow",
    "Keras": "keras",
    "JupyterLab": "jupyterlab",
    "Optuna": "optuna",
    "scikit-learn": "scikit-learn",
}
# What the text tells of other times and places.
OTHERS = {
    "Kale": r"0(\.\d+)*|1|2\.0",
    "TensorFlow": r"2\.11",
    "Keras": "2",
    "scikit-learn": r"1\.5|1\.0(\.2)?",
}


def is_prefix(short, version):
    return version.split(".")[: len(short.split("."))] == short.split(".")


@of_each_text
def test_versions_are_those_of_the_lock(path):
    text, lock = read_text(path), read_lock().versions
    for output in blocks(path, "text"):
        text = text.replace(output, "")
    for word, package in NAMES.items():
        for version in re.findall(rf"\b{word} v?(\d+(?:\.\d+)*)\b(?!%| ?[a-z])", text):
            other = re.fullmatch(OTHERS.get(word, "-"), version)
            known = is_prefix(version, lock[package]) or other
            assert known, f"{word} {version}, locked is {lock[package]}"
    for package, version in re.findall(r"([a-z0-9-]+)==([\d.]*\d)", text):
        if package in lock:
            assert is_prefix(version, lock[package]), f"{package}=={version}"


def test_the_readme_names_the_pythons():
    oldest, newest = map(int, re.fullmatch(r">=3\.(\d+),<3\.(\d+)", PYTHONS).groups())
    *first, last = [f"3.{minor}" for minor in range(oldest, newest)]
    assert f"You need Python {', '.join(first)} or {last}," in read_text(README)


def test_the_readme_can_be_read_in_five_minutes():
    assert len(read_text(README).splitlines()) <= 120
    assert len(read_text(README).split()) <= 1200


# Examples.


def test_the_smallest_pipeline_runs(tmp_path):
    page = LABS_FOLDER / "kubeflow_pipelines.md"
    program = next(block for block in blocks(page, "python") if "@dsl.pipeline" in block)
    (tmp_path / "hello.py").write_text(program)
    result = subprocess.run(
        [sys.executable, "hello.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == blocks(page, "text")[0].strip()
    package = yaml.safe_load((tmp_path / "hello.yaml").read_text())
    assert package["root"]["dag"]["tasks"]["report"]["dependentTasks"] == ["measure"]


def test_the_page_on_kale_names_rules_that_there_are():
    rows = re.findall(r"^\|.*\| `([a-z-]+)` \|$", read_text(LABS_FOLDER / "kale.md"), re.M)
    assert len(rows) >= 15
    assert set(rows) <= {rule.name for rule in RULES}


TROUBLES = {
    "invalid-step-name": [("step:load-data", "x = 1")],
    "tag-order": [(["parameters", "pipeline-parameters"], "n = 1"), ("step:a", "x = n")],
    "unknown-tag": [(["step:a", "nbval-ignore-output"], "x = 1")],
    "magic": [("step:a", "!pip install seaborn\nx = 1")],
    "import-in-step": [("imports", "import math"), ("step:a", "import seaborn\nx = 1")],
    "missing-prev": [("step:a", "x = 1"), ("step:b", "y = x + 1")],
    "metrics-line": [("step:a", "x = 1"), ("pipeline-metrics", "print(round(x, 2))")],
    "old-kale": [("block:a", "x = 1")],
    "papermill-output": [("injected-parameters", "n = 1"), ("step:a", "x = n")],
}


@pytest.mark.parametrize("rule", TROUBLES)
def test_troubleshooting_quotes_the_rules_as_they_speak(rule, tmp_path):
    kale = {"docker_image": "jupyter"} if rule == "old-kale" else None
    path = write_notebook(tmp_path / "trouble.ipynb", TROUBLES[rule], kale=kale)
    said = CliRunner().invoke(app, ["check", str(path)]).output.replace("`", "")
    titles = re.findall(rf"^### `({rule}: [^\n]*)`$", read_text(TROUBLESHOOTING), re.M)
    assert titles
    assert all(part in said for part in titles[0].split("..."))


def test_the_list_above_the_glossary_has_each_of_its_words():
    glossary = places.PROJECT / "labs" / "glossary.md"
    listed, _, entries = glossary.read_text(encoding="utf-8").partition("\n## A\n")
    words = [anchor for anchor in anchors(glossary) if re.search(rf"\(#{anchor}\)", listed)]
    headings = re.findall(r"^### ", entries, re.M)
    assert len(words) == len(headings)
    assert len(re.findall(r"^- \*\*(\w)\*\*", listed, re.M)) == len(
        set(re.findall(r"^- \*\*(\w)\*\*", listed, re.M))
    )
