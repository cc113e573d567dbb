"""Old notebooks: what `fastkf migrate` makes of each feature of Kale 0.2 to 0.7.

The parsers of the old versions are asked what a notebook means; today's Kale has to find the same
steps, edges and code in the migrated one.
"""

import ast
import json
import random
import re
import resource
import subprocess
import sys

import pytest
from build import write_notebook
from conftest import LABS, SOLUTIONS, fastkf
from guides import fastkf_commands
from old_kale import get_old_kale
from old_notebooks import EXAMPLES, Example, old_metadata

from fastkf import migrate as room
from fastkf.course import places
from fastkf.migrate.draft import read_draft
from fastkf.notebook.model import read


def name(example: Example) -> str:
    return example.name.replace(" ", "-")


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """The path of each example's old notebook."""
    folder = tmp_path_factory.mktemp("old")
    return {
        example.name: write_notebook(
            folder / f"old_{number}.ipynb", example.cells, metadata=example.metadata
        )
        for number, example in enumerate(EXAMPLES)
    }


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=name)
def test_translates(example, old, tmp_path):
    path = old[example.name]
    before = path.read_bytes()
    new = tmp_path / "new.ipynb"
    result = room.migrate(path, new)
    new.write_text(result.text, encoding="utf-8")
    notebook = read(new)
    assert [" ".join(cell.tags) for cell in notebook.code_cells] == example.new
    for place, source in example.source.items():
        assert notebook.code_cells[place].source == source
    report = "\n".join(result.done)
    assert [words for words in example.done if words not in report] == [], report
    assert len(result.left) == len(example.left), result.left
    assert all(map(str.startswith, sorted(result.left), sorted(example.left))), result.left
    assert result.compiles is example.compiles
    assert path.read_bytes() == before


@pytest.mark.parametrize("example", EXAMPLES, ids=name)
def test_again_changes_nothing(example, old, tmp_path):
    new, again = tmp_path / "new.ipynb", tmp_path / "again.ipynb"
    new.write_text(translate(old[example.name]), encoding="utf-8")
    assert translate(new) == new.read_text(encoding="utf-8")
    assert not again.exists()


def translate(path) -> str:
    draft = read_draft(path)
    room.translate(draft)
    return draft.to_json()


# What a notebook means: its steps, their edges, and the code that each step runs.


def code(source: str, parameters=()) -> list[str]:
    """The statements, without magics (signed or not), imports, and values of parameters."""
    lines = [re.sub(r"^(\s*)%time ", r"\1", line) for line in source.splitlines()]
    plain = [line for line in lines if not re.match("[%!]|pip ", line)]
    body = ast.parse("\n".join(plain)).body
    kept = [node for node in body if not isinstance(node, ast.Import | ast.ImportFrom)]
    texts = [ast.unparse(node) for node in kept]
    return [text for text in texts if text.partition(" = ")[0] not in parameters]


def meaning_today(path) -> tuple:
    notebook = read(path)
    pipeline = notebook.pipeline
    steps = {
        step.name: [text for text in step.source if "_kale_kfputils" not in text]
        for step in pipeline.steps
    }
    return (
        {name: code("\n".join(texts), notebook.parameters) for name, texts in steps.items()},
        sorted(map(tuple, pipeline.edges)),
    )


def meaning_before(parsed: dict, path) -> tuple:
    """What the old parser says, in the new names of the steps."""
    from fastkf.migrate.tags import name_steps

    names = name_steps(read_draft(path))
    parameters = read(path).parameters
    for cell in read(path).code_cells:
        if "parameters" in cell.tags and room.tags.has_only_values(cell.source):
            parameters |= {n.targets[0].id: 0 for n in cell.tree.body}
    return (
        {names[step]: code(source, parameters) for step, source in parsed["steps"].items()},
        sorted((names[one], names[other]) for one, other in parsed["edges"]),
    )


@pytest.mark.slow
@pytest.mark.parametrize("version", ["0.2", "0.3", "0.4", "0.5"])
def test_means_what_old_kale_says(version, old, tmp_path):
    asked = [example for example in EXAMPLES if example.kale == version]
    parsed = get_old_kale().read(version, [old[e.name] for e in asked], tmp_path)
    for example in asked:
        path = old[example.name]
        assert "error" not in parsed[str(path)], (example.name, parsed[str(path)])
        if not example.is_same:
            continue
        new = tmp_path / path.name
        new.write_text(translate(path), encoding="utf-8")
        assert meaning_today(new) == meaning_before(parsed[str(path)], path), example.name


def make_random_cells(chance: random.Random, version: str) -> list:
    """Cells whose tags are any that the version has, in any combination."""
    names = ["load", "b_2", "_c"] if version != "0.3" else ["load", "b-2", "9"]
    word = chance.choice(["block", "step"]) if version == "0.5" else "block"
    cells, known = [("imports", "import math")], []
    for number in range(chance.randrange(3, 9)):
        kind = chance.choice(["step", "step", "step", "unnamed", "", "skip", "functions"])
        source = f"v{number} = {number}"
        if chance.random() < 0.2:
            source = f"from math import sqrt as s{number}\n{source}"
        if kind == "step" or (kind in ("unnamed", "") and not known):
            step = chance.choice(names)
            befores = [n for n in known if n != step and chance.random() < 0.5]
            tags = [f"prev:{before}" for before in befores]
            if version == "0.3" and len(befores) > 1:
                tags = [f"prev:{';'.join(befores)}"]
            tags.append(f"{word}:{step}")
            chance.shuffle(tags)
            known += [step] if step not in known else []
            cells.append((tags, source))
        elif kind == "unnamed":
            cells.append((f"{word}:" if version != "0.3" else "", source))
        else:
            cells.append((kind, source))
    return cells


@pytest.mark.slow
@pytest.mark.parametrize("version", ["0.3", "0.4", "0.5"])
def test_any_combination_of_tags_means_the_same(version, tmp_path):
    chance = random.Random(7)
    paths_ = [
        write_notebook(
            tmp_path / f"{number}.ipynb",
            make_random_cells(chance, version),
            metadata=old_metadata(),
        )
        for number in range(40)
    ]
    parsed = get_old_kale().read(version, paths_, tmp_path)
    accepted = [path for path in paths_ if "error" not in parsed[str(path)]]
    assert len(accepted) > 30, parsed
    for path in accepted:
        new = tmp_path / f"new_{path.name}"
        new.write_text(translate(path), encoding="utf-8")
        assert meaning_today(new) == meaning_before(parsed[str(path)], path), path.read_text()
        assert translate(new) == new.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("path", [*LABS, *SOLUTIONS], ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_a_lab_is_current(path):
    before = json.loads(path.read_text(encoding="utf-8"))
    assert json.loads(translate(path)) == before


# Old notebooks run.

SMALL = [
    ("imports", "%matplotlib inline\nimport math"),
    ("functions", "def double(n):\n    return 2 * n"),
    ("block:load-data", "import json\nnumbers = json.loads('[3, 4]')"),
    ("", "length = math.hypot(*numbers)"),
    (["block:double-it", "prev:load-data"], "total = double(length)\nprint('total', total)"),
]


@pytest.mark.slow
def test_an_old_notebook_runs_as_a_pipeline(tmp_path, run):
    old = write_notebook(tmp_path / "small.ipynb", SMALL, metadata={})
    result = fastkf("migrate", old)
    assert result.code == 0, result.output
    new = tmp_path / "small_kale2.ipynb"
    assert f"it compiles; next: fastkf run {new}" in result.output
    assert fastkf("check", new).code == 0
    ran = run(new, "--only", "pipeline")
    assert ran.code == 0, ran.output
    steps = {step["name"]: step["after"] for step in ran.record["pipeline"]["steps"]}
    assert steps == {"load_data": [], "double_it": ["load_data"]}
    assert "total 10.0" in (ran.folder / "logs" / "double_it.log").read_text()


GUIDE = places.PROJECT / "labs" / "migrating_old_notebooks.md"
TITANIC = places.PROJECT / "labs" / "old_notebooks" / "titanic_kale_0_5.ipynb"


@pytest.mark.slow
def test_the_guide_shows_what_happens(tmp_path):
    """Its commands run an old notebook to the metrics that the old cells give."""
    (tmp_path / "labs").symlink_to(places.PROJECT / "labs")
    migrate, check, run, *others = fastkf_commands(GUIDE)
    first = fastkf(*migrate, cwd=tmp_path)
    assert first.code == 1
    assert f"```text\n{first.output}```" in GUIDE.read_text(encoding="utf-8"), first.output
    assert fastkf(*check, cwd=tmp_path).code == 0
    result = fastkf(*run, "--only", "pipeline", folder=tmp_path / "run", cwd=tmp_path)
    assert result.code == 0, result.output
    pipeline = result.record["pipeline"]
    assert pipeline["metrics"] == pytest.approx(metrics_of_cells(TITANIC))
    assert {step["name"]: sorted(step["after"]) for step in pipeline["steps"]} == {
        "load_data": [],
        "prepare": ["load_data"],
        "forest": ["prepare"],
        "logistic": ["prepare"],
        "results": ["forest", "logistic"],
    }
    write_notebook(tmp_path / "old.ipynb", OLD, metadata=old_metadata())
    for command in others:
        assert fastkf(*command, cwd=tmp_path).code == 0, command


def metrics_of_cells(path) -> dict[str, float]:
    """The metrics that the cells give, one after the other, magics and skip cells left out."""
    names: dict = {}
    for cell in read(path).code_cells:
        lines = [re.sub("^%time ", "", line) for line in cell.source.splitlines()]
        code = "\n".join(line for line in lines if not re.match("[%!]", line))
        if cell.role == "pipeline-metrics":
            return {name: names[name] for name in re.findall(r"print\((\w+)\)", code)}
        if cell.role != "skip":
            exec(code, names)
    raise AssertionError("no metrics cell")


# The command.

OLD = [("block:load", "x = 1"), (["block:end", "prev:load"], "y = x")]
NEW_TAGS = (["step:load"], ["step:end", "prev:load"])


@pytest.fixture
def old_notebook(tmp_path):
    return write_notebook(tmp_path / "old.ipynb", OLD, metadata=old_metadata())


def test_writes_beside_the_old_one_and_overwrites_nothing(old_notebook, tmp_path):
    before = old_notebook.read_bytes()
    first = fastkf("migrate", "old.ipynb", cwd=tmp_path)
    assert first.code == 0, first.output
    assert "old.ipynb → old_kale2.ipynb" in first.output
    assert "cell 1: tags block:load → step:load" in first.output
    written = (tmp_path / "old_kale2.ipynb").read_bytes()
    second = fastkf("migrate", "old.ipynb", cwd=tmp_path)
    assert second.code == 2
    assert "old_kale2.ipynb: is there already, and is not overwritten" in second.output
    assert (tmp_path / "old_kale2.ipynb").read_bytes() == written
    assert old_notebook.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["old.ipynb", "old_kale2.ipynb"]


def test_a_current_notebook_is_left_alone(old_notebook, tmp_path):
    new = tmp_path / "new.ipynb"
    assert fastkf("migrate", old_notebook, "-o", new).code == 0
    result = fastkf("migrate", new)
    assert result.code == 0
    assert "current already, nothing to change" in result.output
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new.ipynb", "old.ipynb"]


def test_what_is_said_to_change_does_change(tmp_path):
    cells = [("step:a", "x = 1")]
    write_notebook(tmp_path / "old.ipynb", cells, metadata={"kubeflow_notebook": {}})
    changed = fastkf("migrate", "old.ipynb", cwd=tmp_path).output
    assert "metadata: pipeline_description is added" in changed
    arrows = [line.split(" → ") for line in changed.splitlines() if " → " in line]
    assert [pair for pair in arrows if pair[0].split()[-1] == pair[1]] == []


def test_in_place_keeps_a_copy(old_notebook, tmp_path):
    before = old_notebook.read_bytes()
    old_notebook.chmod(0o640)
    result = fastkf("migrate", old_notebook, "--in-place")
    assert result.code == 0, result.output
    assert (tmp_path / "old_old_kale.ipynb").read_bytes() == before
    assert read(old_notebook).steps.keys() == {"load", "end"}
    assert old_notebook.stat().st_mode & 0o777 == 0o640
    old_notebook.write_bytes(before)
    assert fastkf("migrate", old_notebook, "--in-place").code == 2
    assert old_notebook.read_bytes() == before


def test_in_place_changes_the_notebook_that_a_link_leads_to(old_notebook, tmp_path):
    before = old_notebook.read_bytes()
    link = tmp_path / "link.ipynb"
    link.symlink_to(old_notebook)
    new, backup = room.name_new(link, None, True)
    room.write(room.migrate(link, new), new, link, backup)
    assert link.is_symlink()
    assert old_notebook.read_bytes() != before
    assert backup.read_bytes() == before


def test_one_import_is_not_told_as_many(tmp_path):
    cells = [("imports", "import math"), ("block:a", "import json\nx = json.dumps(1)")]
    old = write_notebook(tmp_path / "old.ipynb", cells, metadata=old_metadata())
    done = room.migrate(old, tmp_path / "new.ipynb").done
    assert "cell 1: gets 1 import from the steps" in done


def test_what_is_left_for_a_person_is_said(tmp_path):
    cells = [("block:a", "files = !ls\nx = 1"), (["block:b", "limit:cpu:2"], "y = 1")]
    write_notebook(tmp_path / "old.ipynb", cells, metadata=old_metadata())
    result = fastkf("migrate", "old.ipynb", cwd=tmp_path)
    assert result.code == 1
    changed, left = result.output.split("Left for you")
    assert "cell 2: tags block:b limit:cpu:2 → step:b" in changed
    assert "cell 1: magic: `files = !ls`" in left
    assert "cell 2: the limit of cpu (2) is gone" in left
    assert "does not compile yet; after each change: fastkf check old_kale2.ipynb" in left


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["old.ipynb", "-o", "new.ipynb", "--in-place"], "give one of the two"),
        (["old.ipynb", "-o", "new.json"], "ends in .ipynb"),
        (["old.ipynb", "-o", "nowhere/new.ipynb"], "there is no folder nowhere"),
        (["old.ipynb", "-o", "old.ipynb"], "old.ipynb: is there already"),
        (["old.ipynb", "-o", "dangling.ipynb"], "dangling.ipynb: is there already"),
        (["old.ipynb", "-o", "/proc/new.ipynb"], "/proc/new.ipynb: "),
    ],
)
def test_wrong_use_is_one_message(options, words, old_notebook, monkeypatch, capsys):
    (old_notebook.parent / "dangling.ipynb").symlink_to("nowhere.ipynb")
    code, output = call_here(options, old_notebook.parent, monkeypatch, capsys)
    assert code == 2
    assert words in output


@pytest.mark.parametrize(
    ("text", "words", "code"),
    [
        (None, "x.ipynb: no such file", 2),
        ("no json", "x.ipynb: not a readable notebook", 1),
        ('{"nbformat": 3, "worksheets": []}', "x.ipynb: not a notebook of format 4", 1),
        ('{"nbformat": 4, "cells": []}', "x.ipynb: the notebook has no code cells", 1),
        (
            '{"nbformat": 4, "cells": [{"cell_type": "code", "metadata": {}, "source": "x = 1"}]}',
            "x.ipynb: no cell has a Kale tag and the metadata have no kubeflow_notebook",
            1,
        ),
    ],
)
def test_what_is_no_kale_notebook_is_one_message(text, words, code, tmp_path, monkeypatch, capsys):
    if text:
        (tmp_path / "x.ipynb").write_text(text)
    assert call_here(["x.ipynb"], tmp_path, monkeypatch, capsys)[0] == code
    assert words in call_here(["x.ipynb"], tmp_path, monkeypatch, capsys)[1]
    assert [p.name for p in tmp_path.iterdir()] == (["x.ipynb"] if text else [])


def call_here(options, folder, monkeypatch, capsys) -> tuple[int, str]:
    """The command within this process; its exit code and what it prints."""
    from fastkf.cli import main

    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", ["fastkf", "migrate", *options])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    return ended.value.code, printed.out + printed.err


def test_outputs_and_all_else_stay_as_they_are(tmp_path):
    output = {"name": "stdout", "output_type": "stream", "text": ["a – ü\n"]}
    path = write_notebook(tmp_path / "old.ipynb", [("raw", "r"), *OLD], metadata=old_metadata())
    content = json.loads(path.read_text())
    content["cells"][1] |= {"outputs": [output], "execution_count": 7}
    content["cells"][1]["metadata"]["collapsed"] = False
    content["metadata"]["toc"] = {"base_numbering": 1}
    content["nbformat_minor"] = 2
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    new = json.loads(translate(path))
    for cell, tags in zip(content["cells"][1:], NEW_TAGS, strict=True):
        cell["metadata"]["tags"] = tags
    assert new["cells"] == content["cells"]
    assert {**new, "cells": 0, "metadata": 0} == {**content, "cells": 0, "metadata": 0}
    assert new["metadata"]["toc"] == {"base_numbering": 1}


DAMAGED = ["x", 5, True, ["x"], [5], {"x": 5}, None]
SETTINGS = [
    "docker_image",
    "experiment",
    "experiment_name",
    "katib_metadata",
    "katib_run",
    "pipeline_description",
    "pipeline_name",
    "steps_defaults",
    "volumes",
]


@pytest.mark.parametrize("value", DAMAGED, ids=str)
def test_damaged_metadata_end_in_no_traceback(value, tmp_path):
    cells = [("block:load", "x = 1")]
    blocks: list = [{"kubeflow_notebook": {key: value}} for key in SETTINGS]
    blocks.append({"kubeflow_notebook": {"katib_metadata": {"parameters": value}}})
    blocks += [{key: value} for key in ("kubeflow_notebook", "kernelspec", "language_info")]
    blocks += [None] if value is None else []
    for block in blocks:
        path = write_notebook(tmp_path / "old.ipynb", cells, metadata={})
        content = json.loads(path.read_text())
        path.write_text(json.dumps({**content, "metadata": block}))
        assert json.loads(translate(path))["cells"][0]["metadata"]["tags"][0] == "step:load", block


def test_the_import_of_a_module_that_a_cell_writes_stays_below_it(tmp_path):
    cells = [
        ("imports", "import json"),
        ("block:load", "%%writefile util_wf.py\ndef f():\n    return 3"),
        ("", "import util_wf\nimport math\nx = util_wf.f()"),
    ]
    path = write_notebook(tmp_path / "old.ipynb", cells, metadata=old_metadata())
    made = json.loads(room.migrate(path, tmp_path / "new.ipynb").text)["cells"]
    assert ["".join(cell["source"]) for cell in made] == [
        "import json\nimport math",
        "%%writefile util_wf.py\ndef f():\n    return 3",
        "import util_wf\nx = util_wf.f()",
    ]


def test_a_new_file_that_finds_no_room_is_told_with_its_name(old_notebook, tmp_path):
    new = tmp_path / "new.ipynb"
    small = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))  # noqa: E731
    result = subprocess.run(
        [sys.executable, "-m", "fastkf.cli", "migrate", old_notebook, "-o", new],
        preexec_fn=small,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (result.returncode, result.stderr) == (1, f"fastkf: {new}: File too large\n")
    assert list(tmp_path.iterdir()) == [old_notebook]


def test_a_module_of_kale_is_looked_for_without_running_its_code():
    program = """
import sys
from fastkf.migrate.imports import is_installed as there
modules = "kale", "kale.common.runutils", "kale.common.serveutils", "kale.step.x", "rok_common.x"
print([there(one) for one in modules], "kale" in sys.modules)
"""
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (shown.stdout, shown.stderr) == ("[True, True, False, False, False] False\n", "")
