"""Tags for notebooks as other people write them: less tidy than the labs."""

import json

import pytest
from build import write_notebook

from fastkf.notebook.check import check
from fastkf.notebook.model import read
from fastkf.notebook.suggest import suggest_tags
from fastkf.notebook.tagged_copy import write_copy

DATA = ("", "rows = [float(n) for n in range(10)]")
SCORE = ("", "mean_error = sum(rows) / len(rows)")
PRINT = ("", "print(mean_error)")
COUNTER = """
class Counter:
    def __init__(self, things):
        self.things = things

    def step(self):
        self.things.append(1)
"""


def propose(folder, cells, **others):
    return suggest_tags(read(write_notebook(folder / "a.ipynb", cells, **others)))


def short(proposal):
    """Each cell as one word, with what its step waits for."""
    words = [[tag for tag in cell.tags if tag != "parameters"] for cell in proposal.cells]
    return [" ".join(word) for word in words]


def make_copy(folder, cells, **others):
    source = read(write_notebook(folder / "a.ipynb", cells, **others))
    write_copy(source, suggest_tags(source), folder / "copy.ipynb")
    return json.loads((folder / "copy.ipynb").read_text())


def sources(content, tag):
    """The sources of the copy's cells with a tag, or with one that begins so."""
    return [
        "".join(cell["source"])
        for cell in content["cells"]
        if any(one.startswith(tag) for one in cell["metadata"].get("tags", []))
    ]


def errors(folder):
    found = check(read(folder / "copy.ipynb"))
    return [one.rule for one in found if one.severity.value == "error"]


SHOWN = {
    "f-string": "print(f'error: {mean_error:.3f}')",
    "with a text": "print('error', mean_error)",
    "percent": "print('error: %.2f' % mean_error)",
    "format": "print('error: {:.2f}'.format(mean_error))",
    "rounded": "print(round(mean_error, 3))",
    "last line": "print('the end')\nmean_error",
}


@pytest.mark.parametrize("shown", SHOWN)
def test_a_number_that_a_notebook_shows_last_is_its_metric(shown, tmp_path):
    content = make_copy(tmp_path, [("markdown", "# Errors"), DATA, SCORE, ("", SHOWN[shown])])
    assert sources(content, "pipeline-metrics") == ["print(mean_error)"]
    assert check(read(tmp_path / "copy.ipynb")) == []


NAMELESS = {
    "a text": ("print('Test error:', my_error(rows))", "test_error"),
    "no text": ("print(my_error(rows))", "my_error_value"),
    "f-string": ("print(f'Test error: {my_error(rows):.3f}')", "test_error"),
    "percent": ("print('Error of all: %.2f' % my_error(rows))", "error_of_all"),
    "format": ("print('Error: {:.2f}'.format(my_error(rows)))", "error"),
    "a long text": ("print('the error of the second model is', my_error(rows))", "my_error_value"),
    "a name that is taken": ("rows = rows\nprint('rows', my_error(rows))", "rows_2"),
    "last line": ("my_error(rows)", "my_error_value"),
    "rounded": ("print('error', round(my_error(rows) * 100, 2))", "error"),
}


@pytest.mark.parametrize("shown", NAMELESS)
def test_a_score_that_is_shown_without_a_name_gets_one(shown, tmp_path):
    code, name = NAMELESS[shown]
    functions = ("", "def my_error(rows):\n    return sum(rows) / 7")
    content = make_copy(tmp_path, [functions, DATA, ("markdown", "## Test"), ("", code)])
    assert sources(content, "pipeline-metrics") == [f"print({name})"]
    made = sources(content, "step:test")[0]
    if shown == "last line":  # which the cell goes on to show
        assert made == f"{name} = float(my_error(rows))\n{code}"
    else:
        assert made.startswith(f"{code}\n{name} = float(my_error(rows)")
    assert check(read(tmp_path / "copy.ipynb")) == []


@pytest.mark.parametrize("last", ["my_error(rows)", "my_error(rows), 1", "my_error(\n    rows)"])
def test_a_cell_shows_what_it_showed_where_its_score_gets_a_name(last, tmp_path):
    functions = ("", "def my_error(rows):\n    return sum(rows) / 7")
    cells = [functions, DATA, ("markdown", "## Test"), ("", f"n = 1\n{last}")]
    content = make_copy(tmp_path, cells)
    made = "my_error_value = float(my_error(rows))"
    assert sources(content, "step:test") == [f"n = 1\n{made}\n{last}"]


def test_a_score_that_is_shown_twice_is_one_metric(tmp_path):
    functions = ("", "def my_error(rows):\n    return sum(rows) / 7")
    shown = "print('test', my_error(rows))\nmy_error(rows)"
    cells = [functions, DATA, ("markdown", "## Test"), ("", shown), ("", "my_error(rows)")]
    assert sources(make_copy(tmp_path, cells), "pipeline-metrics") == ["print(test)"]


@pytest.mark.parametrize(
    ("then", "is_made_plain"),
    [
        ("print('n', n)", True),
        ("print(f'n {n}')", True),
        ("print(f'n {n:d}')\nprint(n)", False),
        ("print('abc'[:n], n)", False),
        ("many = [0] * n\nprint(n)", False),
    ],
)
def test_a_whole_number_of_numpy_that_is_only_shown_is_a_metric(then, is_made_plain, tmp_path):
    made = "n = table['a'].sum()"
    cells = [
        ("", "import pandas as pd"),
        ("markdown", "## Load"),
        ("", "table = pd.DataFrame({'a': [1, 2]})"),
        ("markdown", "## Count"),
        ("", f"{made}\n{then}"),
    ]
    content = make_copy(tmp_path, cells)
    line = "\nn = float(n)" if is_made_plain else ""
    assert sources(content, "step:count") == [f"{made}{line}\n{then}"]
    assert sources(content, "pipeline-metrics") == ["print(n)"]


def test_a_score_of_a_model_that_goes_on_to_learn_is_another(tmp_path):
    functions = ("", "def my_error(rows):\n    return sum(rows) / 7")
    again = ("", "rows.append(1)\nprint(my_error(rows))")
    cells = [functions, DATA, ("markdown", "## Test"), ("", "print(my_error(rows))"), again]
    found = sources(make_copy(tmp_path, cells), "pipeline-metrics")
    assert found == ["print(my_error_value)\nprint(my_error_value_2)"]


NUMPY_SCORE = "np.sqrt(np.array(rows).mean())"


@pytest.mark.parametrize(
    ("made", "copied"),
    [
        (f"rmse = {NUMPY_SCORE}", f"rmse = {NUMPY_SCORE}\nrmse = float(rmse)"),
        ("rmse = sum(rows)", "rmse = sum(rows)\nrmse = float(rmse)"),
        (f"rmse = float({NUMPY_SCORE})", f"rmse = float({NUMPY_SCORE})"),
        ("rmse = len(rows)", "rmse = len(rows)"),
    ],
)
def test_a_metric_that_a_later_step_uses_is_a_plain_number(made, copied, tmp_path):
    cells = [
        ("", "import numpy as np"),
        ("markdown", "## Load"),
        DATA,
        ("markdown", "## Model"),
        ("", f"{made}\nprint('rmse', rmse)"),
        ("markdown", "## Compare"),
        ("", "gain = 1 - rmse / 2\nprint(f'{gain:.2f}')"),
    ]
    content = make_copy(tmp_path, cells)
    assert sources(content, "pipeline-metrics") == ["print(rmse)\nprint(gain)"]
    assert sources(content, "step:model") == [f"{copied}\nprint('rmse', rmse)"]
    assert sources(content, "step:compare") == ["gain = 1 - rmse / 2\nprint(f'{gain:.2f}')"]
    assert check(read(tmp_path / "copy.ipynb")) == []


def test_mean_and_deviation_of_a_cross_validation_are_metrics(tmp_path):
    shown = "cv = cross_val_score(model, X, y)\nprint('CV %.3f (%.3f)' % (cv.mean(), cv.std()))"
    imports = ("", "from sklearn.datasets import load_iris\nfrom sklearn.linear_model import *")
    proposal = propose(tmp_path, [imports, DATA, ("markdown", "## Test"), ("", shown)])
    assert proposal.cells[-1].part.view == "print(cv_2)\nprint(cv_std)"


@pytest.mark.parametrize(
    "evaluation",
    [
        "loss, accuracy = net.evaluate(rows)\nprint(f'{loss} {accuracy}')",
        "got = net.evaluate(rows)\nprint('Loss:', got[0])\nprint('Accuracy:', got[1])",
    ],
)
def test_what_a_network_evaluates_to_is_a_metric(evaluation, tmp_path):
    network = "class Net:\n    def evaluate(self, rows):\n        return [0.5, len(rows)]"
    cells = [("", network), DATA, ("markdown", "## Test"), ("", f"net = Net()\n{evaluation}")]
    content = make_copy(tmp_path, cells)
    assert sources(content, "pipeline-metrics") == ["print(loss)\nprint(accuracy)"]
    assert check(read(tmp_path / "copy.ipynb")) == []


@pytest.mark.parametrize(
    "shown",
    [
        "print(len(rows) + 1)",
        "print(my_error(rows))\nrows = []",
        "print([my_error(rows)])",
        "print(model.fit(rows).score(rows))",
    ],
)
def test_what_is_no_score_or_is_gone_gets_no_name(shown, tmp_path):
    proposal = propose(tmp_path, [DATA, ("markdown", "## Test"), ("", shown)])
    assert "pipeline-metrics" not in short(proposal)


def test_a_score_of_each_model_is_a_metric_and_a_size_is_none(tmp_path):
    cells = [
        ("markdown", "## Load"),
        DATA,
        ("", "size = len(rows)\nprint(size)"),
        ("markdown", "## A line"),
        ("", "line_error = float(sum(rows))\nprint('error', line_error)"),
        ("markdown", "## A tree"),
        ("", "tree_error = float(max(rows))\nprint('error', tree_error)"),
    ]
    content = make_copy(tmp_path, cells)
    assert sources(content, "pipeline-metrics") == ["print(line_error)\nprint(tree_error)"]
    assert sources(content, "step:a_line")
    assert errors(tmp_path) == []


@pytest.mark.parametrize(
    ("made", "is_found"),
    [
        ("acc = np.mean(y == y)", True),
        ("acc = -np.median(y)", True),
        ("acc = statistics.mean(rows)", True),
        ("acc = statistics.stdev(rows) / 2", True),
        ("best = min(sizes, key=sizes.get)\nacc = sizes[best]", True),
        ("acc = sizes[max(sizes, key=sizes.get)]", True),
        ("with np.errstate():\n    acc = y.sum().item()", True),
        ("many = [one for one in rows]\nacc = np.std(many)", True),
        ("acc = np.std(pd.DataFrame(rows))", False),
        ("acc = np.mean(y, 0)", False),
        ("acc = np.mean(y, axis=0)", False),
        ("acc = sizes['a']", False),
        ("for one in rows:\n    acc = y.item()", False),
    ],
)
def test_numbers_are_found_however_they_are_made(made, is_found, tmp_path):
    cells = [
        ("", "import statistics\nimport numpy as np\nimport pandas as pd"),
        ("markdown", "## Load"),
        ("", "rows = [1.0, 2.0]\ny = np.array(rows)\nsizes = {'a': 2, 'b': 3}"),
        ("markdown", "## Score"),
        ("", f"{made}\nprint('acc', acc)"),
    ]
    found = sources(make_copy(tmp_path, cells), "pipeline-metrics")
    assert found == (["print(acc)"] if is_found else [])
    assert errors(tmp_path) == []


def test_a_number_that_is_shown_inside_with_is_a_metric(tmp_path):
    shown = "with np.errstate():\n    acc = float(np.sum(rows))\n    print('acc', acc)"
    cells = [("", "import numpy as np"), DATA, ("markdown", "## Score"), ("", shown)]
    assert sources(make_copy(tmp_path, cells), "pipeline-metrics") == ["print(acc)"]


@pytest.mark.parametrize("value", ["[1, 2]", "{'a': 1}", "f'{len(rows)} rows'"])
def test_what_is_no_number_is_no_metric(value, tmp_path):
    proposal = propose(tmp_path, [DATA, ("", f"shown = {value}"), ("", "print(shown)")])
    assert "pipeline-metrics" not in short(proposal)


@pytest.mark.parametrize(
    "cell",
    ["%matplotlib inline\nimport math\nroot = math.sqrt(sum(rows))", "%time root = sum(rows)"],
)
def test_a_magic_beside_code_leaves_the_code_in_the_pipeline(cell, tmp_path):
    cells = [DATA, ("", cell), ("", "total = root + 1"), ("", "print(total)")]
    content = make_copy(tmp_path, cells)
    assert any("root = " in source for source in sources(content, "step:"))
    assert not any("%" in source for source in sources(content, "step:"))
    assert errors(tmp_path) == []


def test_an_installation_beside_imports_is_for_jupyter(tmp_path):
    cells = [("", "!pip install numpy\nimport math\nimport numpy as np"), DATA, SCORE, PRINT]
    assert sources(make_copy(tmp_path, cells), "imports") == ["import math\nimport numpy as np"]
    assert sources(json.loads((tmp_path / "copy.ipynb").read_text()), "skip") == [
        "!pip install numpy"
    ]


def test_imports_in_a_cell_of_code_make_no_step_wait(tmp_path):
    cells = [
        ("markdown", "## Load"),
        DATA,
        ("markdown", "## One"),
        ("", "import math\nfirst = math.fsum(rows)"),
        ("markdown", "## Other"),
        ("", "second = math.sqrt(len(rows))"),
        ("markdown", "## Both"),
        ("", "print(first + second)"),
    ]
    assert short(propose(tmp_path, cells)) == [
        "step:load",
        "step:one prev:load",
        "step:other prev:load",
        "step:both prev:one prev:other",
    ]


def test_the_imports_of_an_exploration_are_kept_for_the_steps_that_need_them(tmp_path):
    cells = [
        ("markdown", "## Load"),
        DATA,
        ("markdown", "## Look"),
        ("", "import math, statistics\nstatistics.median(rows)"),
        ("", "import textwrap\ntextwrap.shorten(str(rows), 20)"),
        ("markdown", "## Root"),
        ("", "root = math.sqrt(len(rows))"),
        ("", "print(root)"),
    ]
    content = make_copy(tmp_path, cells)
    assert sources(content, "imports") == ["import math, statistics"]
    assert "statistics.median(rows)" in sources(content, "skip")
    assert errors(tmp_path) == []


def test_functions_beside_imports_are_for_all_steps(tmp_path):
    cells = [
        ("", "import math\n\ndef root(n):\n    return math.sqrt(n)"),
        ("markdown", "## Load"),
        DATA,
        ("markdown", "## Root"),
        ("", "first = root(len(rows))"),
        ("", "print(first)"),
    ]
    content = make_copy(tmp_path, cells)
    assert sources(content, "imports") == ["import math"]
    assert sources(content, "functions") == ["def root(n):\n    return math.sqrt(n)"]
    assert sources(content, "step:root") == ["first = root(len(rows))"]
    assert errors(tmp_path) == []


def test_an_import_that_shares_a_line_stays_there_too(tmp_path):
    cells = [DATA, ("", "import math; root = math.sqrt(len(rows))"), ("", "print(root)")]
    content = make_copy(tmp_path, cells)
    assert sources(content, "imports") == ["import math"]
    assert "import math; root = math.sqrt(len(rows))" in sources(content, "step:")
    assert errors(tmp_path) == []


def test_a_seed_belongs_to_every_step(tmp_path):
    cells = [("", "import random"), ("", "random.seed(1)"), DATA, SCORE, PRINT]
    assert short(propose(tmp_path, cells))[:2] == ["imports", "functions"]


@pytest.mark.parametrize(
    ("cell", "rest"),
    [
        ("random.seed(1)\nstart = time.time()", "start = time.time()"),
        ("np.random.seed(1)\nsize = 3", "size = 3"),
        ("import os\ndevice = os.name\nnp.random.seed(1)", "import os\ndevice = os.name"),
        ("seed = 4\n# always\nrandom.seed(seed)", "seed = 4"),
        ("random.seed(1)\nsize = 3\n# three of them", "size = 3\n# three of them"),
    ],
)
def test_a_seed_beside_other_code_belongs_to_every_step(cell, rest, tmp_path):
    cells = [
        ("", "import random\nimport time\nimport numpy as np"),
        ("", cell),
        ("markdown", "## Load"),
        ("", "rows = [random.random(), np.random.rand()]"),
        ("markdown", "## Sum"),
        ("", "total = len(rows)"),
        ("", "print(total)"),
    ]
    content = make_copy(tmp_path, cells)
    assert ["seed(" in one for one in sources(content, "functions")] == [True]
    assert rest in ["".join(one["source"]) for one in content["cells"]]
    assert check(read(tmp_path / "copy.ipynb")) == []


@pytest.mark.parametrize(
    "cell",
    [
        "rows.append(random.random())\nrandom.seed(1)",
        "rows = [time.time()]\nrandom.seed(int(rows[0]))",
        "rows = []; random.seed(1)",
    ],
)
def test_a_seed_stays_where_it_would_be_another_elsewhere(cell, tmp_path):
    cells = [
        ("", "import random\nimport time"),
        ("markdown", "## Load"),
        ("", "rows = []"),
        ("", cell),
        ("markdown", "## Sum"),
        ("", "total = sum(rows) + random.random()"),
        ("", "print(total)"),
    ]
    assert cell in sources(make_copy(tmp_path, cells), "step:")


CHANGED = {
    "a method that may": (COUNTER, "counter.step()"),
    "a loop": (COUNTER, "for _ in range(3):\n    counter.step()"),
    "a function": (
        f"{COUNTER}\n\ndef train(one):\n    for _ in range(2):\n        one.step()",
        "train(counter)",
    ),
}


@pytest.mark.parametrize("how", CHANGED)
def test_what_is_changed_through_another_is_waited_for(how, tmp_path):
    definitions, change = CHANGED[how]
    cells = [
        ("", definitions),
        ("markdown", "## Make"),
        ("", "things = []"),
        ("markdown", "## Change"),
        ("", f"counter = Counter(things)\n{change}\nlast = 1"),
        ("markdown", "## Count"),
        ("", "total = len(things)"),
        ("", "print(total)"),
    ]
    assert short(propose(tmp_path, cells))[-3:-1] == [
        "step:change prev:make",
        "step:count prev:change",
    ]


@pytest.mark.parametrize("between", [[], [("markdown", "## Other"), ("", "size = len(rows)")]])
def test_what_holds_an_object_and_changes_it_stays_in_its_step(between, tmp_path):
    cells = [
        ("", COUNTER),
        ("markdown", "## Load"),
        DATA,
        ("markdown", "## Make"),
        ("", "things = []"),
        ("", "counter = Counter(things)"),
        *between,
        ("markdown", "## Change"),
        ("", "for _ in rows:\n    counter.step()"),
        ("markdown", "## Count"),
        ("", "total = len(things)"),
        ("", "print(total)"),
    ]
    proposal = propose(tmp_path, cells)
    assert list(proposal.steps) == ["load", "change", "count"]
    assert proposal.steps["count"] == ["change"]


@pytest.mark.parametrize(
    ("made", "asked"),
    [
        ("holder = Counter(things)", "len(holder.things)"),
        ("holder = [things, 1]", "len(holder[0])"),
        ("holder = {'a': things}", "len(holder['a'])"),
        ("holder = things", "len(holder)"),
    ],
)
def test_what_holds_an_object_that_changes_stays_in_its_step(made, asked, tmp_path):
    cells = [
        ("", COUNTER),
        ("markdown", "## Make"),
        ("", f"things = []\n{made}"),
        ("markdown", "## Change"),
        ("", "things.append(1)"),
        ("markdown", "## Count"),
        ("", f"total = {asked}"),
        ("", "print(total)"),
    ]
    assert propose(tmp_path, cells).steps == {"change": [], "count": ["change"]}


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("b = 0.0", "b = b - 0.1 * e.mean()"),
        ("b = 0.0", "for _ in range(2):\n    b -= 0.1 * e.mean()"),
        ("b, c = 0, 0", "b, c = b - e.sum(), c"),
        ("b = [1, 2]", "b = np.array(b)"),
        ("rng = np.random.default_rng(4)", "b = rng.normal(size=2)"),
        ("con = sqlite3.connect(':memory:')", "b = con.execute('select 1').fetchall()"),
        ("g = table.groupby('m')", "b = g.size()"),
        ("files = open('a.ipynb')", "b = files.read()"),
    ],
)
def test_what_cannot_go_to_another_step_stays_with_its_user(first, then, tmp_path):
    cells = [
        ("", "import sqlite3\nimport numpy as np\nimport pandas as pd"),
        ("markdown", "## Load"),
        ("", "table = pd.DataFrame({'m': [1, 2]})\ne = np.array([1.5, 2.5])"),
        ("markdown", "## Make"),
        ("", first),
        ("", "size = len(e)"),
        ("markdown", "## Use"),
        ("", then),
        ("markdown", "## Count"),
        ("", "total = len(str(b)) + size"),
        ("", "print(total)"),
    ]
    content = make_copy(tmp_path, cells)
    assert errors(tmp_path) == []
    assert {first, then} <= set(sources(content, "step:use"))


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("b = 0", "b = b + 1"),
        ("b, step = 1, 2", "b += step * len(rows)"),
        ("rng = random.Random(1)", "b = rng.random()"),
        ("rng = np.random.default_rng(1)", "rng = np.random.default_rng(2)\nb = rng.random()"),
    ],
)
def test_what_can_go_to_another_step_does(first, then, tmp_path):
    cells = [
        ("", "import random\nimport numpy as np"),
        ("markdown", "## Make"),
        ("", f"rows = [1, 2]\n{first}"),
        ("markdown", "## Use"),
        *(("", line) for line in then.splitlines()),
        ("markdown", "## Count"),
        ("", "total = len(str(b)) + len(rows)"),
        ("", "print(total)"),
    ]
    make_copy(tmp_path, cells)
    assert list(read(tmp_path / "copy.ipynb").steps)[-2:] == ["use", "count"]
    assert errors(tmp_path) == []


@pytest.mark.parametrize("first", ["predicted = sum(rows)", "line_size = len(predicted)"])
def test_of_two_steps_that_have_one_variable_the_last_wins(first, tmp_path):
    cells = [
        ("markdown", "## Load"),
        ("", "rows = [1.5, 2.5]\npredicted = [0]"),
        ("markdown", "## A line"),
        ("", f"{first}\nline_error = sum(rows) * 2.5"),
        ("markdown", "## Tree"),
        ("", "predicted = max(rows)\ntree_error = predicted * 1.5"),
        ("markdown", "## Compare"),
        ("", "total_error = line_error + tree_error + predicted"),
        ("", "print(total_error)"),
    ]
    make_copy(tmp_path, cells)
    made = read(tmp_path / "copy.ipynb")
    assert made.sources["compare"]["predicted"] == "tree"
    assert check(made) == []


def test_a_metric_that_two_steps_make_is_the_last_one(tmp_path):
    cells = [
        ("markdown", "## Load"),
        DATA,
        ("markdown", "## A line"),
        ("", "error = sum(rows)\nprint('error', error)\nline_error = sum(rows) + 1"),
        ("markdown", "## Tree"),
        ("", "error = sum(rows) * 2\nprint('errors', error, line_error)"),
        ("markdown", "## Unlike"),
        ("", "error = sum(rows) * 3\nprint('error', error)"),
    ]
    make_copy(tmp_path, cells)
    assert check(read(tmp_path / "copy.ipynb")) == []


LOOPED = {
    "a list of them": ("both = [first, second]", "for one in both:\n    one['x'] = 1"),
    "a list that stands there": ("n = 1", "for one in [first, second]:\n    one['x'] = n"),
    "a dictionary": ("both = {'a': first}", "for one in both.values():\n    one['x'] = 1"),
}


@pytest.mark.parametrize("how", LOOPED)
def test_what_a_loop_changes_in_a_list_is_changed(how, tmp_path):
    made, loop = LOOPED[how]
    cells = [
        ("markdown", "## Load"),
        ("", f"first, second = {{}}, {{}}\n{made}"),
        ("markdown", "## Clean"),
        ("", loop),
        ("markdown", "## Count"),
        ("", "total = len(first)"),
        ("", "print(total)"),
    ]
    proposal = propose(tmp_path, cells)
    assert "step:clean" in proposal.cells[1].tags
    assert proposal.steps["count"] == ["clean"]


def test_what_is_done_to_a_picture_changes_no_data(tmp_path):
    cells = [
        ("", "import seaborn as sns\nimport pandas as pd"),
        ("markdown", "## Load"),
        ("", "table = pd.DataFrame({'a': [1, 2]})"),
        ("markdown", "## Look"),
        ("", "ax = table.plot()\nax.axhline(0)\nax.set_xlim(0, 1)"),
        ("", "grid = sns.FacetGrid(table)\ngrid.map(sns.histplot, 'a')\nprint('drawn')"),
        ("markdown", "## Add"),
        ("", "total = int(table['a'].sum())"),
        ("", "print(total)"),
    ]
    assert list(propose(tmp_path, cells).steps) == ["load", "add"]


def test_await_needs_what_it_waits_for(tmp_path):
    cells = [
        ("", "import asyncio\nasync def add(rows):\n    return sum(rows)"),
        ("markdown", "## Load"),
        DATA,
        ("markdown", "## Add"),
        ("", "total = await add(rows)"),
        ("", "print(total)"),
    ]
    assert "step:add prev:load" in short(propose(tmp_path, cells))


@pytest.mark.parametrize("heading", ["<h2>Load it</h2>", "Load it\n---", "## Load it ##"])
def test_headings_in_every_spelling_begin_a_step(heading, tmp_path):
    cells = [("markdown", heading), DATA, ("markdown", "## Add"), SCORE, PRINT]
    assert short(propose(tmp_path, cells))[0] == "step:load_it"


def test_a_comment_in_an_example_is_no_heading(tmp_path):
    example = "## Load it\n```python\n# not this\n```"
    cells = [("markdown", example), DATA, ("markdown", "## Add"), SCORE, PRINT]
    assert short(propose(tmp_path, cells))[0] == "step:load_it"


def test_without_headings_cells_are_steps_by_what_they_do(tmp_path):
    cells = [
        ("", "from sklearn.datasets import load_iris\nfrom sklearn.tree import *"),
        ("", "x, y = load_iris(return_X_y=True)"),
        ("", "x = x / 10"),
        ("", "model = DecisionTreeClassifier(random_state=0)"),
        ("", "model.fit(x, y)"),
        ("", "accuracy = model.score(x, y)"),
        ("", "print(accuracy)"),
    ]
    assert list(propose(tmp_path, cells).steps) == ["load_data", "train", "evaluate"]


def test_a_value_that_another_cell_changes_is_no_parameter(tmp_path):
    better = ("", "best = max(rows) * rate")
    cells = [("", "best = 0\nrate = 0.5"), DATA, better, ("", "print(best)")]
    assert short(propose(tmp_path, cells))[0] != "pipeline-parameters"


def test_plain_settings_beside_lists_are_parameters(tmp_path):
    cells = [
        ("", "size = 4\nrate = 0.5\n# of the columns\nnames = ['a', 'b']"),
        ("", "rows = [rate] * size * len(names)"),
        SCORE,
        PRINT,
    ]
    content = make_copy(tmp_path, cells)
    assert sources(content, "pipeline-parameters") == ["size = 4\nrate = 0.5"]
    assert sources(content, "functions") == ["# of the columns\nnames = ['a', 'b']"]
    assert check(read(tmp_path / "copy.ipynb")) == []


def test_settings_in_pairs_beside_lists_belong_to_every_step(tmp_path):
    settings = "cat, num = ['c'], ['n']\ntarget = 't'\nsize, seed = 2, 5"
    cells = [
        ("markdown", "# A title"),
        ("", settings),
        ("markdown", "## Load"),
        ("", "rows = [*cat, *num, target] * size"),
        ("markdown", "## Count"),
        ("", "total = len(rows) + seed"),
        ("", "print(total)"),
    ]
    content = make_copy(tmp_path, cells)
    assert sources(content, "functions") == [settings]
    assert check(read(tmp_path / "copy.ipynb")) == []


def test_tags_for_others_stay(tmp_path):
    cells = [(["hide-input"], "import math"), DATA, SCORE, PRINT]
    assert make_copy(tmp_path, cells)["cells"][0]["metadata"]["tags"] == ["imports", "hide-input"]


def test_a_notebook_of_an_older_format_gets_no_ids(tmp_path):
    path = write_notebook(tmp_path / "a.ipynb", [("", "import math\nx = math.pi"), DATA, PRINT])
    content = json.loads(path.read_text())
    content["nbformat_minor"] = 4
    for cell in content["cells"]:
        del cell["id"]
    path.write_text(json.dumps(content))
    write_copy(read(path), suggest_tags(read(path)), tmp_path / "copy.ipynb")
    made = json.loads((tmp_path / "copy.ipynb").read_text())
    assert not any("id" in cell for cell in made["cells"])


def test_new_cells_have_ids_of_their_own(tmp_path):
    cells = [("", "%time\nimport math\nx = math.pi"), DATA, SCORE, ("", "print(f'{mean_error}')")]
    ids = [cell["id"] for cell in make_copy(tmp_path, cells)["cells"]]
    assert len(set(ids)) == len(ids) > len(cells)


def test_a_notebook_without_metadata_gets_what_kale_asks_for(tmp_path):
    content = make_copy(tmp_path, [DATA, SCORE, PRINT], metadata={})
    assert content["metadata"]["kubeflow_notebook"]["pipeline_name"] == "copy"
    assert check(read(tmp_path / "copy.ipynb")) == []
