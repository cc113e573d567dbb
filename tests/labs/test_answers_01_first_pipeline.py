"""Answers to the exercises of the first lab, wrong ones and right ones."""

import pytest
from exercises import assert_accepted, assert_enough, assert_refused, fixture_of
from questions import assert_questions

pytestmark = pytest.mark.slow

lab = fixture_of("01_first_pipeline", without=("plt.show()", "by_hand_accuracy"))


def tags(**changes) -> str:
    """The tags of the dice, right but for the changes."""
    right = {
        "A": ["imports"],
        "B": ["pipeline-parameters", "parameters"],
        "C": ["step:throw"],
        "D": ["skip"],
        "E": ["step:average", "prev:throw"],
        "F": ["step:largest", "prev:throw"],
        "G": ["pipeline-metrics"],
    }
    return f"my_tags = {right | changes!r}"


IMPORTS = """\
    import pandas as pd
    from sklearn.model_selection import cross_val_score
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    wines = pd.read_csv(train_wines.path)
    features, kinds = wines.drop(columns="kind"), wines["kind"]
"""
MODEL = "make_pipeline(StandardScaler(), KNeighborsClassifier(n_neighbors=neighbours))"
SCORE = f"return float(cross_val_score({MODEL}, X=features, y=kinds, cv=5).mean())"
PIPELINE = """\
@dsl.pipeline(name="fork-by-hand")
def my_pipeline(test_size: float, depth: int, neighbours: int, seed: int) -> float:
    wines = load_data(test_size=test_size, random_state=seed).outputs["train_wines"]
    tree = train_tree(tree_depth=depth, random_state=seed, train_wines=wines)
    trained = train_neighbours(neighbours=neighbours, train_wines=wines)
    return trained.output
"""


def fork(imports=IMPORTS, score=SCORE, pipeline=PIPELINE) -> str:
    """An answer to the third exercise, from its parts."""
    return f"""\
@dsl.component(base_image="python:3.12", install_kfp_package=False)
def train_neighbours(neighbours: int, train_wines: dsl.Input[dsl.Dataset]) -> float:
{imports}
    {score}


{pipeline}"""


def changed(before: str, after: str) -> str:
    """The fork with another pipeline."""
    assert before in PIPELINE
    return fork(pipeline=PIPELINE.replace(before, after))


CHAIN = changed(
    "trained = train_neighbours(neighbours=neighbours, train_wines=wines)",
    "trained = train_neighbours(neighbours=neighbours, train_wines=wines).after(tree)",
)
TWICE = changed(
    "neighbours=neighbours, train_wines=wines)",
    "neighbours=neighbours, train_wines=load_data(test_size=test_size, random_state=seed)"
    '.outputs["train_wines"])',
)
NO_OUTPUT = PIPELINE.replace(" -> float", "").replace("    return trained.output\n", "")
LEAK = (
    "features = StandardScaler().fit_transform(features); "
    "return float(cross_val_score(KNeighborsClassifier(neighbours), features, kinds, cv=5).mean())"
)
CONSTANTS = PIPELINE.replace(
    "test_size: float, depth: int, neighbours: int, seed: int", "neighbours: int = 7"
)
for name, value in [("test_size=test_size", 0.25), ("tree_depth=depth", 3), ("state=seed", 1)]:
    CONSTANTS = CONSTANTS.replace(name, f"{name.partition('=')[0]}={value}")

WRONG = [
    (1, "my_variables = {'wines'}", "uses wines"),
    (1, "my_variables = ['wines', 'train_wines', 'test_wines']", "uses wines"),
    (1, "my_variables = 'train_wines'", "test with"),
    (1, "my_variables = {'test_wines'}", "two training steps"),
    (1, "my_variables = [train_wines, test_wines]", "in quotes"),
    (1, "my_variables = 2", "in quotes"),
    (1, "my_variables = {'train_wines', 'test_wines', 'tree_model'}", "later steps"),
    (1, "my_variables = ('train_wine', 'test_wines')", "train_wine is none of the three"),
    (1, "my_variables = train_wines", "in quotes"),
    (2, "my_tags = ['imports', 'pipeline-parameters']", "is a dict"),
    (2, "my_tags = {'A': 3}", "is a dict"),
    (2, tags(A=["functions"]), "every step needs these"),
    (2, tags(A=["imports", "skip"]), "what is skip for"),
    (2, tags(B=["parameters", "pipeline-parameters"]), "begin with pipeline-parameters"),
    (2, tags(B=["functions"]), "may change from run to run"),
    (2, tags(C=["step:throw", "prev:load"]), "comes after no other"),
    (2, tags(C=["step:throw-dice"]), "small letters, digits and _"),
    (2, tags(C=[]), "one tag step:NAME"),
    (2, tags(D=["step:look", "prev:throw"]), "no step needs this cell"),
    (2, tags(D=[]), "belong to the step above"),
    (2, tags(E=["step:average"]), "comes after the step in C"),
    (2, tags(E=["step:throw", "prev:throw"]), "are one step"),
    (2, tags(E=["step:average prev:throw"]), "is one text"),
    (2, tags(E=["step:average", "prev:throws"]), "the name of the step in C: throw"),
    (2, tags(F=["step:largest", "prev:throw", "prev:average"]), "not beside it"),
    (2, tags(F=["step:largest", "prev:average"]), "not beside it"),
    (2, tags(F=["step:largest", "prev:throw", "after:average"]), "what is after for"),
    (2, tags(G=["skip"]), "by which runs are compared"),
    (3, "my_pipeline = train_tree", "should have three tasks"),
    (3, "my_pipeline = 0.955", "the compiler says"),
    (
        3,
        fork(imports=IMPORTS.replace("    from sklearn.pip", "    # from sklearn.pip")),
        "NameError",
    ),
    (3, fork(score=SCORE.replace("StandardScaler(), ", "")), "scale the measurements"),
    (
        3,
        fork(score=f"return float({MODEL}.fit(features, kinds).score(features, kinds))"),
        "wines that it has learned from",
    ),
    (3, fork(score=LEAK), "the scaler has seen all the wines"),
    (3, fork(score="return 0.955"), "0.9550, and that is not right"),
    (3, fork(score=SCORE.replace("=neighbours", "=5")), "does not use the number"),
    (3, fork(score=SCORE.replace("cv=5", "cv=10")), "that is not right"),
    (3, fork(score=SCORE.replace("float(", "float(100 * ")), "that is not right"),
    (3, CHAIN, "wait for no other"),
    (3, TWICE, "call load_data once"),
    (3, changed("return trained.output", "return tree.output"), "output of train_neighbours"),
    (3, fork(pipeline=NO_OUTPUT), "returns nothing"),
    (3, changed("    tree = ", "    # tree = "), "should have three tasks"),
]
RIGHT = [
    (1, "my_variables = {'train_wines', 'test_wines'}"),
    (1, "my_variables = ['test_wines', 'train_wines', 'test_wines']"),
    (1, "my_variables = 'train_wines, test_wines'"),
    (1, "my_variables = ('train_wines.pdpkl', 'test_wines.pdpkl')"),
    (2, tags()),
    (2, tags(A="imports", B=["pipeline-parameters"], D="skip", G="pipeline-metrics")),
    (2, tags(E=["prev:throw", "step:mean_1"], F=("step:top", "prev:throw", "cache:disabled"))),
    (3, fork()),
    (3, fork(pipeline=CONSTANTS)),
    (
        3,
        fork(
            imports=IMPORTS.replace("cross_val_score", "StratifiedKFold, cross_validate"),
            score=f"return round(float(cross_validate({MODEL}, features, kinds, "
            "cv=StratifiedKFold(5))['test_score'].mean()), 4)",
        ),
    ),
    (3, fork(imports=IMPORTS.replace("train_wines.path", "open(train_wines.path)"))),
]


@pytest.mark.parametrize(("exercise", "code", "hint"), WRONG)
def test_wrong_answer_gets_its_hint(lab, exercise, code, hint):
    assert_refused(lab.answer(exercise, code), hint)


@pytest.mark.parametrize(("exercise", "code"), RIGHT)
def test_right_answer_is_accepted(lab, exercise, code):
    assert_accepted(lab.answer(exercise, code))


@pytest.mark.parametrize("exercise", [1, 2, 3])
def test_empty_answer_is_told_what_to_do(lab, exercise):
    told = lab.answer(exercise, None)
    assert not told.startswith("Right")
    assert "Then run that cell and this one." in told


def test_tries_enough():
    assert_enough(WRONG, RIGHT)


def test_asks_along_the_way():
    assert_questions("01_first_pipeline")
