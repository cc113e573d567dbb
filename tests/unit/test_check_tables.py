"""Arrays of texts that come from tables: `fastkf check` tells of those that the code shows."""

import pytest
from build import write_notebook

from fastkf.notebook.check import check
from fastkf.notebook.model import read

IMPORTS = (
    "import matplotlib.pyplot as plt\nimport numpy as np\nimport pandas as pd\n"
    "from sklearn.feature_extraction.text import CountVectorizer\n"
    "from sklearn.model_selection import train_test_split"
)
TABLE = "t = pd.DataFrame({'b': ['x', 'y'], 'n': [1, 2]})\n"
READ = "t = pd.read_csv('https://example.org/a.csv')\n"
LOWER = f"{READ}t['b'] = t['b'].str.lower()\n"


@pytest.fixture
def find(tmp_path):
    """What is said of `v`, which goes from one step to another."""

    def call(made):
        cells = [("imports", IMPORTS), ("step:load", made)]
        cells.append((["step:use", "prev:load"], "print(len(v))"))
        found = check(read(write_notebook(tmp_path / "n.ipynb", cells)))
        return [(one.rule, one.problem) for one in found]

    return call


@pytest.mark.parametrize(
    "made",
    [
        f"{TABLE}v = t['b'].values",
        f"{TABLE}v = np.array(t['b'])",
        f"{TABLE}v = np.unique(t['b'])",
        f"{TABLE}w = t['b'].to_numpy()\nv, rest = train_test_split(w)",
        f"{TABLE}v = t.columns.values",
        f"{TABLE}v = t.drop(columns='n').columns.to_numpy()",
        f"{READ}v = np.asarray(t.columns)",
        f"{READ}n = t['b'].str.len()\nv = t['b'].unique()",
        f"{LOWER}v = t['b'].values",
        "v = CountVectorizer().fit(['a bc']).get_feature_names_out()",
        "v = np.array(CountVectorizer().fit(['a bc']).get_feature_names_out())",
    ],
)
def test_an_array_of_texts_cannot_go_to_another_step(made, find):
    what = "`v` is an array of Python objects, which cannot go to another step"
    assert find(made) == [("live-object", what)]


@pytest.mark.parametrize(
    "made",
    [
        f"{TABLE}v = t['n'].values",
        f"{TABLE}v = t['b'].tolist()",
        f"{TABLE}v = t['b'].to_numpy(dtype='U1')",
        f"{TABLE}t['b'] = t['b'].map({{'x': 0, 'y': 1}})\nv = t['b'].values",
        f"{TABLE}t = t.astype({{'b': 'float'}})\nv = t['b'].values",
        f"{TABLE}t['b'] = t['b'].astype('category')\nv = t['b'].values",
        f"{LOWER}t['b'] = pd.to_datetime(t['b'])\nv = t['b'].values",
        f"{READ}v = t['b'].values",
        "t = pd.read_csv('https://example.org/a.csv', header=None)\nv = t.columns.values",
        "t = pd.DataFrame(np.zeros((2, 2)))\nv = t.columns.values",
        "v = list(CountVectorizer().fit(['a bc']).get_feature_names_out())",
    ],
)
def test_what_is_no_array_of_texts_is_no_finding(made, find):
    assert find(made) == []


def test_what_a_split_gives_is_of_the_kinds_of_what_was_split(tmp_path):
    cells = [
        ("imports", f"{IMPORTS}\nfrom sklearn.preprocessing import StandardScaler"),
        ("step:load", f"{TABLE}train, test = train_test_split(t[['n']])"),
        (["step:scale", "prev:load"], "train = StandardScaler().fit_transform(train)"),
        (["step:use", "prev:scale"], "print(train.sum(), test.sum())"),
    ]
    found = check(read(write_notebook(tmp_path / "n.ipynb", cells)))
    assert [(one.cell, one.rule) for one in found] == [(3, "type-change")]


@pytest.mark.parametrize(
    ("shape", "rules"), [("1, 2", ["live-object"]), ("ncols=2", ["live-object"]), ("1, 1", [])]
)
def test_several_axes_come_as_an_array(shape, rules, find):
    assert [rule for rule, _ in find(f"fig, v = plt.subplots({shape})")] == rules
