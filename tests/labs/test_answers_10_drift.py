"""Answers to the exercises of the lab on drift, wrong ones and right ones."""

import pytest
from exercises import assert_accepted, assert_enough, assert_refused, fixture_of
from questions import assert_questions

pytestmark = pytest.mark.slow

# What takes long, and what no exercise needs: the models, the months, the pipelines.
lab = fixture_of(
    "10_drift",
    without=("read_months(data_dir", "make_model()", "champion", "challenger", "year[", "run(",
             "_share", "inspect", "read_versions(", "models", "fig, ax", "kubernetes_manifest"),
)  # fmt: skip

PSI = (
    "def my_psi(old_shares, new_shares):\n    old, new = map(np.array, (old_shares, new_shares))\n"
)
DRAW = """
def my_interval(gain, days):
    chance = np.random.default_rng(3)
    table = pd.DataFrame({{"gain": gain, "day": days}})
    {}
"""
ROBUST = """
def my_interval(gain, days):
    middle = np.mean(gain)
    sums = pd.Series(gain - middle).groupby(days).sum()
    error = np.sqrt((sums ** 2).sum()) / len(gain)
    return {}
"""
ALARM = """
def my_alarm(table):
    {}
    groups = table.groupby("day")
    {}
    gap = {}
    return list(gap.index[{}])
"""
KNOWN = 'table = table.dropna(subset=["late"])'
ERROR = ('error = groups["score"].apply(lambda score: (score * (1 - score)).sum() ** 0.5 '
         "/ len(score))")  # fmt: skip
GAP = '(groups["late"].mean() - groups["score"].mean()).abs()'


def draw(*lines):
    return DRAW.format("\n    ".join(lines))


def alarm(known=KNOWN, error=ERROR, gap=GAP, rule="gap > 4 * error"):
    return ALARM.format(known, error, gap, rule)


BY_FLIGHT = "means = [chance.choice(gain, len(gain)).mean() for _ in range(300)]"
ENDS = "return np.percentile(means, [2.5, 97.5])"
BY_DAY = 'by_day = table.groupby("day")["gain"].agg(["sum", "size"]).to_numpy()'
DRAWN = "drawn = by_day[chance.integers(0, len(by_day), (1500, len(by_day)))].sum(axis=1)"
OF_MEANS = 'by_day = table.groupby("day")["gain"].mean().to_numpy()'

WRONG = [
    (1, "my_psi = 0.75", "a function of two lists"),
    (1, PSI + "    return float((new * np.log(new / old)).sum())", "Kullback-Leibler"),
    (1, PSI + "    return float((old * np.log(old / new)).sum())", "Kullback-Leibler"),
    (1, PSI + "    return float(((old - new) * np.log(new / old)).sum())", "never negative"),
    (1, PSI + "    return float(((new - old) * np.log10(new / old)).sum())", "natural"),
    (1, PSI + "    return float(((new - old) * np.log2(new / old)).sum())", "natural"),
    (1, PSI + "    return float(abs(new - old).sum())", "it returned"),
    (1, PSI + "    return (new - old) * np.log(new / old)", "return a number"),
    (1, PSI + "    return 1 / 0", "raises ZeroDivisionError"),
    (1, "def my_psi(old_shares, new_shares): return 0.717", "it returned"),
    (1, "def my_psi(old_shares): return 0.0", "raises TypeError"),
    (2, "my_interval = (0.0, 0.1)", "a function of two arrays"),
    (2, draw(BY_FLIGHT, ENDS), "far too narrow"),
    (2, ROBUST.format("middle - 1.96 * np.std(gain) / len(gain) ** 0.5, "
                      "middle + 1.96 * np.std(gain) / len(gain) ** 0.5"), "far too narrow"),
    (2, draw(OF_MEANS, "means = [chance.choice(by_day, 30).mean() for _ in range(1500)]", ENDS),
     "the wrong place"),
    (2, draw(BY_DAY, DRAWN, "return np.percentile(drawn[:, 0] / drawn[:, 1], [5, 95])"), "95 %"),
    (2, draw(BY_DAY, DRAWN, "return np.percentile(drawn[:, 0] / drawn[:, 1], [97.5, 2.5])"),
     "comes first"),
    (2, draw(BY_DAY, DRAWN, "return np.percentile(drawn[:, 0], [2.5, 97.5])"), "the wrong place"),
    (2, ROBUST.format("middle - error, middle + error"), "times as wide"),
    (2, ROBUST.format("error"), "two numbers"),
    (2, "def my_interval(gain, days): return gain[0] / 'day'", "raises"),
    (2, "def my_interval(gain, days): return resample_days(gain, days)", "by yourself"),
    (2, "def my_interval(gain, days): return 0.0, 1.0", "the wrong place"),
    (3, "my_alarm = [6, 7, 8, 9]", "a function of a table"),
    (3, "def my_alarm(table): return [6, 7, 8, 9]", "are right"),
    (3, "def my_alarm(table): return []", "more are late"),
    (3, "def my_alarm(table): return True", "a list of days"),
    (3, alarm(known="table = table.fillna({'late': 0})"), "no labels yet"),
    (3, alarm(gap='(groups["score"].mean() - table["score"].mean()).abs()'), "are right"),
    (3, alarm(gap='groups["late"].mean() - groups["score"].mean()'), "fewer are late"),
    (3, alarm(rule="gap > 0.05"), "few flights"),
    (3, alarm(known=""), "whose scores"),
    (3, alarm(error='error = groups["score"].std()'), "more are late"),
    (3, "def my_alarm(table): return table['day'] / 0 + missing", "raises NameError"),
]  # fmt: skip
RIGHT = [
    (1, PSI + "    return float(((new - old) * np.log(new / old)).sum())"),
    (1, "import math\ndef my_psi(old_shares, new_shares):\n    total = 0\n"
        "    for p, q in zip(old_shares, new_shares):\n        total += (p - q) * math.log(p / q)\n"
        "    return total"),
    (1, "from scipy.special import rel_entr\ndef my_psi(p, q):\n"
        "    return rel_entr(p, q).sum() + rel_entr(q, p).sum()"),
    (2, draw(BY_DAY, DRAWN, "return np.percentile(drawn[:, 0] / drawn[:, 1], [2.5, 97.5])")),
    (2, ROBUST.format("middle - 1.96 * error, middle + 1.96 * error")),
    (2, draw("days_of = [one.to_numpy() for _, one in table.groupby('day')['gain']]",
             "means = []",
             "for _ in range(400):",
             "    drawn = [days_of[n] for n in chance.integers(0, len(days_of), len(days_of))]",
             "    means.append(np.concatenate(drawn).mean())",
             "return list(np.percentile(means, [2.5, 97.5]))")),
    (3, alarm()),
    (3, alarm(error='error = groups["score"].agg(lambda p: np.sqrt(np.sum(p * (1 - p))) / p.size)',
              rule="(gap / error) > 4")),
    (3, "def my_alarm(table):\n    found = set()\n    for day in table['day'].unique():\n"
        "        some = table[(table['day'] == day) & table['late'].notna()]\n"
        "        if len(some) == 0:\n            continue\n"
        "        expected = some['score'].sum()\n"
        "        spread = (some['score'] * (1 - some['score'])).sum()\n"
        "        if (some['late'].sum() - expected) ** 2 > 16 * spread:\n"
        "            found.add(int(day))\n    return found"),
]  # fmt: skip


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
    assert_questions("10_drift")
