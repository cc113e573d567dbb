"""Answers to the exercises of the Katib lab, wrong ones and right ones."""

import pytest
from exercises import assert_accepted, assert_enough, assert_refused, fixture_of
from questions import assert_questions

pytestmark = pytest.mark.slow

lab = fixture_of(
    "06_katib",
    without=("plt.subplots", '"tune", manifest', "trial.yaml", "status[", '"--dry-run"'),
)


def share(lines: str) -> str:
    return f"def my_share(limit, low, high, logarithmic):\n    {lines}\n"


def grid(values: str, points: str, accuracy: str = "validate(one, train, valid)") -> str:
    """A grid of which the values of C, the points and the measuring can be wrong."""
    return f"""
import itertools
def my_grid(train, valid, number):
    Cs, gammas = {values}
    points = [dict(C=C, gamma=gamma) for C, gamma in {points}]
    return [dict(parameters=one, accuracy={accuracy}) for one in points]
"""


def experiment(*changes: str, goal: str = "del objective['goal']") -> str:
    begin = """
import copy
my_experiment = copy.deepcopy(experiment)
spec = my_experiment["spec"]
objective, template = spec["objective"], spec["trialTemplate"]
pod = template["trialSpec"]["spec"]["template"]["spec"]
command = pod["containers"][0]["command"]
"""
    return "\n".join([begin, goal, *changes])


UNIFORM = "return (limit - low) / (high - low)"
LOGARITHMIC = "return np.log(limit / low) / np.log(high / low)"
GEOMETRIC = "np.geomspace(1e-3, 1e3, number), np.geomspace(1e-5, 1e2, number)"
PRODUCT = "itertools.product(Cs, gammas)"
LOSS = (
    "objective |= dict(type='minimize', objectiveMetricName='loss',"
    " additionalMetricNames=['validation_accuracy'])"
)
EPOCHS = (
    "spec['parameters'].append(dict(name='epochs', parameterType='int',"
    " feasibleSpace=dict(min='4', max='12')))"
)
REFERENCE = "template['trialParameters'].append(dict(name='epochs', reference='epochs'))"
WORD = "command.append('--epochs=${trialParameters.epochs}')"

WRONG = [
    (1, "my_share = 1 / 3", "a function"),
    (1, share("return [1 / 3, 0.009]"), "one number"),
    (1, share("return '0.33'"), "one number"),
    (1, share("return 1 / 3 if logarithmic else 0.009"), "returns 0.009"),
    (1, share(UNIFORM), "look at `logarithmic`"),
    (1, share(LOGARITHMIC), "look at `logarithmic`"),
    (1, share(f"if logarithmic: {UNIFORM}\n    {LOGARITHMIC}"), "look at `logarithmic`"),
    (1, share(f"if logarithmic: {LOGARITHMIC}\n    return limit / high"), "subtract it"),
    (1, share(f"if logarithmic: {LOGARITHMIC}\n    return (limit - low) / high"), "whole length"),
    (1, share(f"if logarithmic: {LOGARITHMIC}\n    return (high - limit) / (high - low)"), "above"),
    (
        1,
        share(f"if logarithmic: {LOGARITHMIC}\n    return 100 * (limit - low) / (high - low)"),
        "percent",
    ),
    (
        1,
        share(f"if not logarithmic: {UNIFORM}\n    return np.log(limit) / np.log(high)"),
        "subtract",
    ),
    (1, share("return limit / nothing"), "NameError"),
    (1, share("return float('nan')"), "returns nan"),
    (1, share("raise SystemExit(3)"), "SystemExit"),
    (2, "my_grid = 0.975", "a function"),
    (2, "def my_grid(train, valid, number): return 0.975", "list of dictionaries"),
    (2, "def my_grid(train, valid, number): return [0.975] * number**2", "list of dictionaries"),
    (2, grid(GEOMETRIC, "zip(Cs, gammas)"), "3 trials, not 9"),
    (2, grid(GEOMETRIC.replace("number", "5"), PRODUCT), "25 trials, not 9"),
    (2, grid(GEOMETRIC.replace("geom", "lin"), PRODUCT), "equal factors"),
    (2, grid("[.001, 1, 1000], np.linspace(1e-5, 100, number)", PRODUCT), "gamma: equal factors"),
    (2, grid("np.logspace(-2, 2, number), np.logspace(-5, 2, number)", PRODUCT), "from 0.001 to"),
    (
        2,
        grid("np.geomspace(1e-5, 1e2, number), np.geomspace(1e-3, 1e3, number)", PRODUCT),
        "C should",
    ),
    (2, grid(GEOMETRIC, PRODUCT, "0.975"), "that of `valid`"),
    (2, grid(GEOMETRIC, PRODUCT, "float('nan')"), "that of `valid`"),
    (2, grid(GEOMETRIC, PRODUCT, "validate(one, train, train)"), "training images"),
    (2, grid(GEOMETRIC, PRODUCT, "validate(one, train, test)"), "that of `valid`"),
    (2, grid(GEOMETRIC, PRODUCT, "max(t['accuracy'] for t in random_searches[0])"), "of `valid`"),
    (2, grid(GEOMETRIC, PRODUCT, "validate(one, valid)"), "TypeError"),
    (3, "my_experiment = None", "dictionary"),
    (3, experiment(LOSS, goal=""), "goal 0.99"),
    (3, experiment(LOSS, EPOCHS, REFERENCE, WORD, goal="objective['goal'] = 0.9"), "goal 0.9"),
    (3, experiment(LOSS, EPOCHS, REFERENCE, WORD, goal="objective['goal'] = 2"), "goal 2"),
    (3, experiment(LOSS, EPOCHS, REFERENCE, WORD, goal="objective['goal'] = '0.01'"), "quotes"),
    (3, experiment("objective['type'] = 'minimize'"), "objectiveMetricName"),
    (3, experiment("objective['objectiveMetricName'] = 'loss'"), "has a type"),
    (3, experiment(LOSS, "del objective['additionalMetricNames']"), "additionalMetricNames"),
    (3, experiment(LOSS, "del objective['metricStrategies']"), "the best one"),
    (3, experiment(LOSS), "Add one parameter"),
    (3, experiment(LOSS, EPOCHS.replace("'int'", "'double'")), "whole numbers"),
    (3, experiment(LOSS, EPOCHS.replace("'4'", "4").replace("'12'", "12")), "in quotes"),
    (3, experiment(LOSS, EPOCHS.replace("'12'", "'11'")), "from 4 to 12"),
    (3, experiment(LOSS, EPOCHS, "spec['parameters'].pop(0)"), "learning_rate"),
    (3, experiment(LOSS, EPOCHS, REFERENCE), "not in trialSpec"),
    (3, experiment(LOSS, EPOCHS, WORD), "refuses it"),
    (3, experiment(LOSS, EPOCHS, REFERENCE, "command.append('--epochs=8')"), "not in trialSpec"),
    (3, experiment(LOSS, EPOCHS, REFERENCE, WORD.replace("--epochs", "--rounds")), "rounds"),
]
SCIPY = """
from scipy.stats import loguniform, uniform
def my_share(limit, low, high, logarithmic):
    drawn_from = loguniform(low, high) if logarithmic else uniform(low, high - low)
    return drawn_from.cdf(limit)
"""
DRAWN = """
def my_share(limit, low, high, logarithmic):
    ends = np.log([low, high]) if logarithmic else [low, high]
    drawn = np.random.default_rng(0).uniform(*ends, 100_000)
    print("drawn")
    return np.mean((np.exp(drawn) if logarithmic else drawn) < limit)
"""
BY_SCIKIT_LEARN = f"""
from sklearn.model_selection import ParameterGrid
def my_grid(train, valid, number):
    Cs, gammas = {GEOMETRIC}
    made = []
    for one in ParameterGrid(dict(C=Cs, gamma=gammas)):
        print(one)
        made.append(dict(parameters=one, accuracy=SVC(**one).fit(*train).score(*valid)))
    return made
"""
NEW_OBJECTIVE = (
    "spec['objective'] = dict(type='minimize', goal=0.01, objectiveMetricName='loss',"
    " additionalMetricNames=['validation_accuracy'],"
    " metricStrategies=[dict(name='loss', value='latest')])"
)
OTHER_NAME = [
    EPOCHS.replace("'epochs'", "'number_of_epochs'"),
    REFERENCE.replace("'epochs'", "'number_of_epochs'"),
    WORD.replace(".epochs", ".number_of_epochs"),
]
TWO_WORDS = "command += ['--epochs', '${trialParameters.epochs}']"

RIGHT = [
    (1, share(f"if logarithmic: {LOGARITHMIC}\n    {UNIFORM}")),
    (1, share(f"if logarithmic: limit, low, high = np.log10([limit, low, high])\n    {UNIFORM}")),
    (1, SCIPY),
    (1, DRAWN),
    (2, grid(GEOMETRIC, PRODUCT)),
    (2, grid("np.logspace(-3, 3, number), np.logspace(-5, 2, number)", PRODUCT)),
    (2, grid(GEOMETRIC, "[(C, gamma) for gamma in gammas for C in Cs]")),
    (2, BY_SCIKIT_LEARN),
    (3, experiment(LOSS, EPOCHS, REFERENCE, WORD)),
    (3, experiment(LOSS, EPOCHS, REFERENCE, TWO_WORDS)),
    (3, experiment(NEW_OBJECTIVE, *OTHER_NAME)),
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
    assert_questions("06_katib")
