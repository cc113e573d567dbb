"""Answers to the exercises of the Titanic lab, wrong ones and right ones."""

import nbformat
import pytest
import yaml
from exercises import assert_accepted, assert_enough, assert_refused, fixture_of
from questions import assert_questions

from fastkf.course import places

pytestmark = pytest.mark.slow

# The check of exercise 3 trains what is right on the same passengers for each answer.
ONCE = """\
import pickle

known = {}


def train_once(features, survived):
    given = pickle.dumps((features, survived))
    if given not in known:
        known[given] = train_correctly(features, survived)
    return known[given]


def hint_on_training("""
lab = fixture_of(
    "02_titanic",
    without=("permutation_importance(", "plt.subplots("),
    changed={
        "def hint_on_training(": ONCE,
        "np.allclose(scores, train_correctly(": "np.allclose(scores, train_once(",
        "expected = train_correctly(": "expected = train_once(",
    },
)

DISTANCE = "my_distance = lambda p, cv, n: "
TAGS = '\nmy_tags = ["step:train_neighbours", "prev:prepare"]'
NEIGHBOURS = "from sklearn.neighbors import KNeighborsClassifier\n"
TRAIN = NEIGHBOURS + "def train_neighbours(features, survived):\n    "
MODEL = TRAIN + "model = build_model(KNeighborsClassifier(n_neighbors=15))\n    "
SCORES = (
    "scores = cross_validate(model, features, survived, folds=cv_folds, seed=random_state)\n    "
)
FITTED = "return model.fit(features, survived), scores"
LEAKY = (
    "model = build_model(KNeighborsClassifier(15)).fit(features, survived)\n    "
    "scores = cross_validate(model[-1], model[:-1].transform(features), survived, cv_folds, "
    "random_state)\n    return model, scores"
)
FILLED = (
    "model = build_model(KNeighborsClassifier(15))\n    "
    "features = features.assign(age=features.age.fillna(features.age.median()))\n    "
)
WRONG = [
    (1, "my_steps = {'select_model'}", "made test_features"),
    (1, "my_steps = {'prepare'}", "made best_model"),
    (1, "my_steps = {'explain'}", "anything that explain has made"),
    (1, "my_steps = {'select_model', 'prepare', 'explain'}", "anything that explain"),
    (1, "my_steps = {'select_model', 'load_data'}", "no raw passengers"),
    (1, "my_steps = {'prepare', 'train_forest'}", "which step has chosen it"),
    (1, "my_steps = {'select_model', 'prepare', 'errors'}", "does not wait for itself"),
    (1, "my_steps = {'select_model', 'prepare', 'evaluate'}", "its own predictions"),
    (1, "my_steps = 'select_model, prepare'", "in quotes of its own"),
    (1, "my_steps = {'select-model', 'prepare'}", "no step 'select-model'"),
    (1, "my_steps = 2", "a set of names"),
    (1, "my_steps = [['select_model', 'prepare']]", "there is no step"),
    (1, "my_steps = set()", "a set of names"),
    (2, "my_distance = 1.24", "should be a function"),
    (2, "my_distance = '1.2'", "should be a function"),
    (2, DISTANCE + "np.sqrt(p * (1 - p) / n)", "halfway: this is the standard error"),
    (2, DISTANCE + "p - cv", "halfway: this is the difference"),
    (2, DISTANCE + "(p - cv) / (p * (1 - p) / n)", "is a square root"),
    (2, DISTANCE + "(p - cv) * np.sqrt(p * (1 - p) / n)", "do not multiply"),
    (2, DISTANCE + "(p - cv) / np.sqrt(p * (1 - p) / (n - 1))", "not by n - 1"),
    (2, DISTANCE + "(p - cv) / np.sqrt(p * (1 - p))", "under the root, divide by n"),
    (2, DISTANCE + "(p - cv) / (np.sqrt(p * (1 - p)) / n)", "the distance is 2.5"),
    (2, DISTANCE + "100 * (p - cv) / np.sqrt(p * (1 - p) / n)", "the factor 100"),
    (2, DISTANCE + "round((p - cv) / np.sqrt(p * (1 - p) / n), 1)", "two digits"),
    (2, DISTANCE + "1.24", "the same for all numbers"),
    (2, DISTANCE + "(p - cv) / np.sqrt(p * (1 - p) / 712)", "the distance is 2.5"),
    (2, "def my_distance(p, cv, n):\n    print(p - cv)", "return a number"),
    (2, "def my_distance(p, cv):\n    return p - cv", "take p, cv and n"),
    (2, DISTANCE + "(p - cv) / missing", "raises NameError"),
    (3, "train_neighbours = 0.82", "should be a function"),
    (3, "neighbours_scores = [.85] * 5" + TAGS, "write the function"),
    (3, TRAIN + LEAKY + TAGS, "leakage: the preparation has seen"),
    (3, TRAIN + FILLED + SCORES + FITTED + TAGS, "leave the gaps to it"),
    (
        3,
        MODEL + "features, survived = test_features, test_survived\n    " + SCORES + FITTED,
        "fixed",
    ),
    (3, MODEL + "return model.fit(features, survived), tree_scores" + TAGS, "nothing fixed"),
    (3, MODEL + "return model.fit(features, survived), [.85] * cv_folds" + TAGS, "nothing fixed"),
    (3, (MODEL + SCORES + FITTED).replace("=15", "=1") + TAGS, "yours seems to be 1"),
    (3, (MODEL + SCORES + FITTED).replace("n_neighbors=15", "") + TAGS, "yours seems to be 5"),
    (3, MODEL + SCORES + "return model, scores" + TAGS, "is the model fitted"),
    (3, MODEL + SCORES + FITTED.replace("scores", "scores.mean()") + TAGS, "each of the"),
    (3, MODEL + SCORES + "return scores, model.fit(features, survived)" + TAGS, "first the model"),
    (3, MODEL + SCORES + "return scores" + TAGS, "return two things"),
    (3, MODEL + SCORES + "model.fit(features, survived)" + TAGS, "return two things"),
    (
        3,
        (MODEL + SCORES + FITTED).replace("=random_state", "=random_state + 1"),
        "random_state too",
    ),
    (
        3,
        MODEL + "scores = cross_val_score(model, features, survived, cv=cv_folds)\n    " + FITTED,
        "other folds",
    ),
    (
        3,
        MODEL + "model.fit(features, survived)\n    "
        "return model, [model.score(features, survived)] * cv_folds",
        "was fitted on",
    ),
    (3, MODEL + SCORES + "return model.fit(features[:100], survived[:100]), scores", "on all"),
    (3, MODEL + SCORES + FITTED.replace("model.fit(features, survived)", "tree_model"), "on all"),
    (3, "def train_neighbours(features, survived):\n    return Neighbours()", "NameError"),
    (3, MODEL + SCORES + FITTED, "now write the tags"),
    (3, MODEL + SCORES + FITTED + TAGS.replace("train_n", "train-n"), "small letters"),
    (3, MODEL + SCORES + FITTED + TAGS.replace("_neighbours", "_tree"), "there is a step"),
    (3, MODEL + SCORES + FITTED + TAGS.replace("prev:prepare", "prev:load_data"), "same step"),
    (3, MODEL + SCORES + FITTED + TAGS.replace("]", ', "prev:train_tree"]'), "same step"),
    (3, MODEL + SCORES + FITTED + TAGS.replace("]", ', "skip"]'), "no tag 'skip'"),
    (3, MODEL + SCORES + FITTED + "\nmy_tags = 'step:train_neighbours'", "list of texts"),
    (3, MODEL + SCORES + FITTED + "\nmy_tags = 7", "list of texts"),
    (3, MODEL + SCORES + FITTED + "\nmy_tags = []", "one tag step:NAME"),
]
RIGHT = [
    (1, "my_steps = {'select_model', 'prepare'}"),
    (1, "my_steps = ['prepare', 'select_model']"),
    (1, "my_steps = ('step:prepare', 'step:select_model')"),
    (2, DISTANCE + "(p - cv) / np.sqrt(p * (1 - p) / n)"),
    (2, DISTANCE + "abs(cv - p) * (n / p / (1 - p)) ** 0.5"),
    (2, DISTANCE + "round((p - cv) / np.sqrt(p * (1 - p) / n), 2)"),
    (2, DISTANCE + "(p - cv) / np.sqrt(cv * (1 - cv) / n)"),
    (2, "import math\ndef my_distance(a, b, c):\n    return (a - b) / math.sqrt(a * (1 - a) / c)"),
    (3, MODEL + SCORES + FITTED + TAGS),
    (3, MODEL + SCORES + "model.fit(features, survived)\n    return [model, list(scores)]" + TAGS),
    (
        3,
        MODEL + "folds = StratifiedKFold(cv_folds, shuffle=True, random_state=random_state)\n    "
        "scores = cross_val_score(model, features, survived, cv=folds)\n    " + FITTED + TAGS,
    ),
    (
        3,
        MODEL + SCORES + FITTED + '\nmy_tags = ("prev:prepare", "step:knn", "limit:cpu:1")',
    ),
]


@pytest.mark.parametrize(("exercise", "code", "hint"), WRONG)
def test_wrong_answer_gets_its_hint(lab, exercise, code, hint):
    assert_refused(lab.answer(exercise, code), hint)


@pytest.mark.parametrize(("exercise", "code"), RIGHT)
def test_right_answer_is_accepted(lab, exercise, code):
    assert_accepted(lab.answer(exercise, code))


@pytest.mark.parametrize("exercise", [1, 2, 3])
def test_empty_answer_is_told_what_to_do(lab, exercise):
    assert not lab.answer(exercise, None).startswith("Right")


def test_tries_enough():
    assert_enough(WRONG, RIGHT)


def test_asks_along_the_way():
    assert_questions("02_titanic")


@pytest.mark.parametrize(
    ("tag", "waits"),
    [("select_model", {"select-model-step", "prepare-step"}), ("evaluate", {"evaluate-step"})],
)
def test_kale_draws_the_arrows_that_exercise_1_asks_for(tmp_path, tag, waits):
    from fastkf.notebook.compile import compile_notebook
    from fastkf.notebook.model import read

    notebook = nbformat.read(places.NOTEBOOKS / "02_titanic.ipynb", as_version=4)
    [text] = [cell.source for cell in notebook.cells if cell.id == "exercises"]
    code = text.partition("```python\n")[2].partition("```")[0]
    where = next(n for n, cell in enumerate(notebook.cells) if cell.id == "metrics")
    cell = nbformat.v4.new_code_cell(code, metadata={"tags": ["step:errors", f"prev:{tag}"]})
    notebook.cells.insert(where, cell)
    nbformat.write(notebook, tmp_path / "lab.ipynb")
    package = compile_notebook(read(tmp_path / "lab.ipynb"), tmp_path / "lab.yaml")
    compiled = next(yaml.safe_load_all(package.read_text()))
    assert set(compiled["root"]["dag"]["tasks"]["errors-step"]["dependentTasks"]) == waits
