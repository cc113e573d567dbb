"""Two ways to one object: `fastkf check` tells of those that end with the step, and of no other."""

import pytest
from build import write_notebook

from fastkf.notebook.check import check
from fastkf.notebook.model import read

IMPORTS = (
    "import matplotlib.pyplot as plt\nimport numpy as np\nimport pandas as pd\n"
    "from sklearn.linear_model import Ridge\n"
    "from sklearn.pipeline import make_pipeline\nfrom sklearn.preprocessing import StandardScaler"
)
FUNCTIONS = (
    "def same(v):\n    return v\n\ndef push(v):\n    v.append(1)\n\n"
    "def double(v):\n    v = list(v)\n    v.append(1)\n    return v\n\n"
    "class Counter:\n    def __init__(self):\n        self.n = 0\n\n"
    "    def up(self):\n        self.n += 1\n\n    def twice(self):\n        self.up()\n\n"
    "    def get(self):\n        return self.n\n\nclass Still(Counter):\n"
    "    def up(self):\n        return self.n\n"
)
DATA = "X, y = [[1.0], [2.0]], [1.0, 2.0]\n"


@pytest.fixture
def find(tmp_path):
    """The rules that a notebook of two steps breaks."""

    def call(made, used, more=None):
        cells = [("imports", IMPORTS), ("functions", FUNCTIONS), ("step:load", made)]
        cells.append((["step:use", "prev:load"], used))
        if more:
            cells.append((["step:more", "prev:use"], more))
        return [one.rule for one in check(read(write_notebook(tmp_path / "n.ipynb", cells)))]

    return call


@pytest.mark.parametrize(
    ("made", "used"),
    [
        ("a = [1]\nb = a", "push(a)\nn = len(b)"),
        ("a = [1]\nb = same(a)", "a.append(2)\nn = len(b)"),
        ("a = [1]\nd = {'x': a}", "a.append(2)\nn = len(d['x'])"),
        ("a = [1]\nd = {}\nd['x'] = a", "a.append(2)\nprint(d)"),
        ("a = [1]\nrows = []\nrows.append(a)", "a.append(2)\nprint(rows)"),
        ("d = {'x': [1]}\na = d['x']", "a.append(2)\nprint(d)"),
        ("d = {'x': [1]}\na = d['x']", "d['x'].append(2)\nprint(a)"),
        ("a = np.zeros(9)\nb = a[:5]", "a[0] = 7\nprint(b.sum())"),
        ("a = np.zeros(9)\nb = a.reshape(3, 3)", "b[0, 0] = 7\nprint(a.sum())"),
        ("a = b = np.zeros(9)", "a += 1\nprint(b.sum())"),
        ("t = pd.DataFrame({'a': [1]})\nc = t['a']", "c.iloc[0] = 9\nprint(t['a'])"),
        (f"{DATA}tree = Ridge()\nm = {{'tree': tree}}", "tree.fit(X, y)\nprint(m['tree'].coef_)"),
        (f"{DATA}m = Ridge()\nall_m = [m]", "for one in all_m:\n    one.fit(X, y)\nprint(m.coef_)"),
        (
            f"{DATA}m = Ridge()\npipe = make_pipeline(StandardScaler(), m)",
            "pipe.fit(X, y)\nprint(m.coef_)",
        ),
        (f"{DATA}m = Ridge()\nfitted = m.fit(X, y)", "m.set_params(alpha=2)\nprint(fitted)"),
        (f"{DATA}m = Ridge()\npredict = m.predict", "m.fit(X, y)\nprint(predict(X))"),
        ("a = []\nlog = a.append", "log(1)\nprint(a)"),
        ("d = {'x': 1}\nask = d.get", "d['x'] = 2\nprint(ask('x'))"),
        ("c = Counter()\nup = c.twice", "up()\nprint(c.n)"),
        ("c = Counter()\nget = c.get", "c.up()\nprint(get())"),
        ("fig, ax = plt.subplots()", "ax.plot([1, 2])\nfig.savefig('/tmp/x.png')"),
        ("fig, (a, b) = plt.subplots(1, 2)", "b.set_title('x')\nfig"),
        ("fig = plt.figure()\nax = fig.add_subplot()", "pd.Series([1]).plot(ax=ax)\nfig.show()"),
        ("ax = pd.Series([1]).plot()\nfig = ax.get_figure()", "ax.set_title('x')\nfig.show()"),
    ],
)
def test_what_changes_one_does_not_change_the_other(made, used, find):
    assert find(made, used) == ["two-names"]


@pytest.mark.parametrize(
    ("made", "used"),
    [
        ("a = [1]\nb = a\na.append(2)", "print(a, b)"),
        ("a = [1]\nb = double(a)", "a.append(2)\nprint(b)"),
        ("a = [1]\nb = a[:]", "a.append(2)\nprint(b)"),
        ("a = None\nb = a or [1]", "b.append(2)\nprint(a, b)"),
        ("a = b = 3", "a += 1\nprint(a, b)"),
        ("a = [1]\nb = a\na = [2]", "a.append(2)\nprint(b)"),
        ("a = [1]\nd = {'x': a, 'n': 3}", "a.append(2)\nprint(d['n'], a)"),
        ("a = [1]\nd = {'x': a}", "a.append(2)\nprint(len(d))"),
        ("a = [1]\nd = {'x': a}", "d['y'] = 4\nprint(a, d)"),
        ("d = {'x': 1}\na = d['x']", "d['x'] = 5\nprint(a)"),
        ("row = {'a': 1}\nrows = []\nrows.append(row)", "row = {}\nrows.append(row)\nprint(rows)"),
        ("a = np.zeros(9)\nb = a[:5].copy()", "a[0] = 7\nprint(b.sum())"),
        ("a = np.zeros(9)\nb = a[a > 1]", "a[0] = 7\nprint(b.sum())"),
        ("t = pd.DataFrame({'a': [1]})\nc = t['a']", "c[c > 0] = 2\nprint(t.drop(columns='a'), c)"),
        ("t = pd.DataFrame({'a': [1]})\nc = t[t.a > 1]", "t['b'] = 1\nprint(c)"),
        (f"{DATA}m = Ridge().fit(X, y)\nall_m = [m]", "print(all_m, m)"),
        (f"{DATA}m = Ridge().fit(X, y)\npredict = m.predict", "print(predict(X), m)"),
        ("a = np.zeros(2)\nsize = a.size", "a[0] = 1\nprint(size)"),
        ("c = Counter()\nget = c.get", "print(get(), c.n)"),
        ("fig, ax = plt.subplots()\nax.plot([1])", "print(ax.get_title())\nfig.show()"),
        ("fig, ax = plt.subplots()", "fig, ax = plt.subplots()\nax.plot([1])\nfig.show()"),
    ],
)
def test_what_is_two_objects_or_never_changes_is_no_finding(made, used, find):
    assert find(made, used) == []


def test_the_finding_stands_where_the_change_is_seen(find):
    assert find("a = [1]\nd = {'x': a}", "print(d)\na.append(2)") == []
    assert find("a = [1]\nd = {'x': a}", "a.append(2)", "print(d, a)") == ["two-names"]


@pytest.mark.parametrize(
    ("made", "change", "rules"),
    [
        ("[1]", "push(v)", ["different-value"]),
        ("Counter()", "v.up()", ["different-value"]),
        ("Counter()", "v.twice()", ["different-value"]),
        ("{}", "for one in [v]:\n    one['y'] = 1", ["different-value"]),
        ("{}", "for n, one in enumerate((v,)):\n    one['y'] = n", ["different-value"]),
        ("Still()", "v.get()", []),
        ("Still()", "v.up()", []),
    ],
)
def test_what_changes_an_object_changes_it_for_other_branches(made, change, rules, tmp_path):
    cells = [
        ("functions", FUNCTIONS),
        ("step:load", f"v = {made}\nx = 1"),
        (["step:change", "prev:load"], f"{change}\ny = x"),
        (["step:use", "prev:load"], "print(v, x)"),
    ]
    found = check(read(write_notebook(tmp_path / "n.ipynb", cells)))
    assert [(one.cell, one.rule) for one in found] == [(4, rule) for rule in rules]


@pytest.mark.parametrize("body", ["v.up()", "push(v)", "for _ in v:\n        push(v)"])
def test_a_functions_own_argument_is_no_variable_of_the_notebook(body, tmp_path):
    cells = [
        ("functions", FUNCTIONS),
        ("step:load", "v = Counter()\nx = 1"),
        ("functions", f"def change(v):\n    {body}"),
        (["step:use", "prev:load"], "print(v, x)"),
    ]
    assert check(read(write_notebook(tmp_path / "n.ipynb", cells))) == []


SGD = "optimizer = optim.SGD(model.parameters(), lr=0.1)"
GROUPS = "optimizer = torch.optim.Adam([{'params': model.parameters()}])"
STEP = "optimizer.step()"


@pytest.mark.parametrize(
    ("made", "used", "rules"),
    [
        (SGD, f"loss = model(1)\n{STEP}", ["two-names"]),
        (GROUPS, f"loss = model(1)\n{STEP}", ["two-names"]),
        (SGD, "train(model, optimizer)", ["two-names"]),
        ("x = 1", f"{SGD}\nloss = model(1)\n{STEP}", []),
        (f"{SGD}\n{STEP}", "loss = model(1)", []),
        (SGD, f"model = model.copy()\n{SGD}\n{STEP}", []),
        ("weights = sum(one.numel() for one in model.parameters())", "print(model, weights)", []),
        (SGD, "steps = optim.lr_scheduler.StepLR(optimizer=optimizer)\nmodel(1)", ["two-names"]),
        (SGD, "print(optimizer, model, optimizer.param_groups[0]['lr'])", []),
        (SGD, "torch.save([model.state_dict(), optimizer.state_dict()], '/tmp/x')", []),
    ],
)
def test_an_optimizer_of_another_step_changes_a_copy_of_the_model(made, used, rules, tmp_path):
    cells = [
        ("imports", "import torch\nfrom torch import nn, optim"),
        ("functions", "def train(model, optimizer):\n    model(1)\n    optimizer.step()"),
        ("step:load", f"model = nn.Linear(1, 1)\n{made}"),
        (["step:use", "prev:load"], used),
    ]
    found = check(read(write_notebook(tmp_path / "n.ipynb", cells)))
    assert [one.rule for one in found] == rules
