"""Answers to the exercises of the lab on news, wrong ones and right ones."""

import pytest
from exercises import assert_accepted, assert_enough, assert_refused, fixture_of
from questions import assert_questions

pytestmark = pytest.mark.slow

# The exercises need no trained network, only two that answer differently.
TRAIN = "train_network(plain_network, train_numbers, train_labels, validation_data, epochs)"
lab = fixture_of(
    "04_nlp_lstm",
    without=(
        *("fig, ax =", "write_and_shuffle", "order_network", "rnn_network", "lstm_network"),
        *("linear_model", "short_model", "measure_memory", "shuffled_numbers", "errors ="),
        *("chosen_network", "print(test_accuracy)"),
    ),
    changed={
        TRAIN: "{'val_accuracy': [0.0]}\n"
        "other = build_network(layers.Identity(), vocabulary_size, classes)\n"
        "networks = {'no recurrence': plain_network, 'LSTM': other}"
    },
)

INTEGERS = """
def to_integers(headline, known_words, length):
    numbers = [known_words.index(w) if w in known_words else 1 for w in headline.split()]
    return (numbers + [0] * length)[:length]
"""
ALWAYS = """
def score_always(topic, truth):
    answers = [topic] * len(truth)
    return accuracy_score(truth, answers), f1_score(truth, answers, average="macro")
"""
COMPARE = """
def compare(first, second, truth):
    each = (first == truth).astype(int) - (second == truth).astype(int)
    return each.mean(), each.std() / np.sqrt(len(each))
"""


def integers(old, new):
    assert old in INTEGERS
    return INTEGERS.replace(old, new)


def always(old, new):
    assert old in ALWAYS
    return ALWAYS.replace(old, new)


def compare(old, new):
    assert old in COMPARE
    return COMPARE.replace(old, new)


WRONG = [
    (1, "to_integers = [1, 683, 53, 133, 0, 0]", "Write a function"),
    (1, "def to_integers(*_): return [1, 683, 53, 133, 0, 0]", "Return an array of shape (3,)"),
    (1, integers("(numbers + [0] * length)[:length]", "numbers"), "Return an array of shape (6,)"),
    (1, integers("[:length]", "[:6]"), "Return an array of shape (3,)"),
    (1, integers("(numbers + [0] * length)[:length]",
     "[0] * (length - len(numbers[:length])) + numbers[:length]"), "in front"),
    (1, integers("else 1", "else 0"), "not in known_words gets 1"),
    (1, integers(" if w in known_words else 1", ""), "stops with ValueError"),
    (1, integers("index(w) if w in known_words else 1 for w in headline.split()",
     "index(w) for w in headline.split() if w in known_words"), "do not leave unknown words out"),
    (1, integers("index(w) if w in known_words else 1", "index(w) + 1 if w in known_words else 1"),
     "the first place in a list is 0"),
    (1, integers("index(w) if", "index(w) - 2 if"), "the two places"),
    (1, integers("numbers + [0] * length)[:length]", "numbers[-length:] + [0] * length)[:length]"),
     "keep the first words"),
    (1, integers("    numbers", "    known_words = vocabulary\n    numbers"), "in known_words"),
    (1, "def to_integers(h, v, n): return encode([h], v, words=n)[0]", "without encode"),
    (1, "hidden = encode\ndef to_integers(h, v, n): return hidden([h], v, n)[0].tolist()",
     "without encode"),
    (1, "def to_integers(h, v, n):\n    make = layers.TextVectorization(vocabulary=v,"
     " output_sequence_length=n)\n    return make([h]).numpy()[0]", "without encode"),
    (1, integers("headline.split()", "headline"), "known_words.index"),
    (1, integers("(numbers + [0] * length)[:length]", "str(numbers)"), "should return numbers"),
    (2, "score_always = 0.522", "Write a function"),
    (2, "def score_always(topic, truth): return 0.522, 0.086", "f1_score(truth, answers"),
    (2, "def score_always(topic, truth): return (truth == topic).mean()", "shape (2,)"),
    (2, always("return ", "return f1_score(truth, answers, average='macro'), "), "shape (2,)"),
    (2, "def score_always(topic, truth):\n    answers = [topic] * len(truth)\n"
     "    return f1_score(truth, answers, average='macro'), accuracy_score(truth, answers)",
     "accuracy comes first"),
    (2, always("macro", "micro"), "the accuracy once more"),
    (2, always("macro", "weighted"), "large topics more"),
    (2, always(', average="macro")', ', average=None).max()'), "F1 of topic alone"),
    (2, always('"macro")', '"macro", labels=topics)'), "not always eight"),
    (2, always("[topic]", '["earn"]'), "not always earn"),
    (2, always("[topic]", "[truth.mode()[0]]"), "f1_score(truth"),
    (2, always("accuracy_score(", "100 * accuracy_score(").replace("f1", "100 * f1"), "percent"),
    (2, always("f1_score(truth, answers", "f1_score(answers, truth")
     .replace('average="macro"', 'average="binary"'), "stops with ValueError"),
    (2, always("return accuracy", "print(accuracy").replace('macro")', 'macro"))'), "return"),
    (2, always("    answers", "    truth = stories['topic']\n    answers"), "f1_score(truth"),
    (3, "compare = (0.001, 0.005)", "Write a function"),
    (3, "def compare(first, second, truth): return 0.001, 0.005", "is right"),
    (3, compare(", each.std() / np.sqrt(len(each))", ""), "shape (2,)"),
    (3, compare("each.mean(), each.std() / np.sqrt(len(each))",
     "each.std() / np.sqrt(len(each)), each.mean()"), "the difference comes first"),
    (3, compare("(first == truth).astype(int) - (second == truth)",
     "(second == truth).astype(int) - (first == truth)"), "the sign: first minus second"),
    (3, compare("each.mean()", "abs(each.mean())"), "the sign is lost"),
    (3, compare(" / np.sqrt(len(each))", ""), "divide the standard deviation"),
    (3, compare("np.sqrt(len(each))", "len(each)"), "not by n"),
    (3, compare("each.std() / np.sqrt(len(each))", "each.var() / len(each)"), "square root"),
    (3, compare("each.std()", "2 * each.std()"), "not two"),
    (3, compare("each.mean(), each.std()", "each.sum(), len(each) * each.std()"), "are counts"),
    (3, compare("each.mean(), each.std()", "100 * each.mean(), 100 * each.std()"), "percentages"),
    (3, "def compare(first, second, truth):\n    p, q, n = (first == truth).mean(),"
     " (second == truth).mean(), len(truth)\n"
     "    return p - q, np.sqrt(p * (1 - p) / n + q * (1 - q) / n)", "different stories"),
    (3, "def compare(first, second, truth):\n    p, q, n = (first == truth).mean(),"
     " (second == truth).mean(), len(truth)\n    return p - q, np.sqrt(p * (1 - p) / n)",
     "first accuracy alone"),
    (3, "def compare(first, second, truth):\n    each = first != second\n"
     "    return each.mean(), each.std() / np.sqrt(len(each))", "is right"),
    (3, "def compare(first, second, truth):\n    return (first == truth) - (second == truth)",
     "stops with TypeError"),
]  # fmt: skip
"""Each: the exercise, the answer, and a part of the hint that it should get."""

RIGHT = [
    (1, INTEGERS),
    (1, "def to_integers(headline, known, length):\n    print(headline)\n"
     "    numbers = {word: number for number, word in enumerate(known)}\n"
     "    row = np.zeros(length, dtype=int)\n"
     "    for place, word in enumerate(headline.split()[:length]):\n"
     "        row[place] = numbers.get(word, 1)\n    return row"),
    (1, "def to_integers(h, known, n):\n    found = []\n    for word in h.split():\n"
     "        try:\n            found.append(known.index(word))\n"
     "        except ValueError:\n            found.append(1)\n"
     "    while len(found) < n:\n        found.append(0)\n    return tuple(found[:n])"),
    (2, ALWAYS),
    (2, "def score_always(topic, truth):\n    share = (truth == topic).mean()\n"
     "    return [share, 2 * share / (1 + share) / truth.nunique()]"),
    (2, "def score_always(topic, truth):\n    said = pd.Series(topic, index=truth.index)\n"
     "    scores = [f1_score(truth == one, said == one) for one in truth.unique()]\n"
     "    return np.float32([(said == truth).mean(), np.mean(scores)])"),
    (3, COMPARE),
    (3, compare("each.std()", "each.std(ddof=1)").replace("return ", "return np.array([")
     .replace("(len(each))", "(len(each))])")),
    (3, "def compare(first, second, truth):\n    b = sum((first == truth) & (second != truth))\n"
     "    c = sum((first != truth) & (second == truth))\n    n = len(truth)\n"
     "    return (b - c) / n, (b + c) ** 0.5 / n"),
    (3, "from scipy.stats import sem\ndef compare(first, second, truth):\n"
     "    each = np.equal(first, truth) * 1.0 - np.equal(second, truth)\n"
     "    return each.mean(), sem(each)"),
]  # fmt: skip


@pytest.mark.parametrize(("exercise", "code", "hint"), WRONG)
def test_wrong_answer_gets_its_hint(lab, exercise, code, hint):
    assert_refused(lab.answer(exercise, code), hint)


@pytest.mark.parametrize(("exercise", "code"), RIGHT)
def test_right_answer_is_accepted(lab, exercise, code):
    assert_accepted(lab.answer(exercise, code))


@pytest.mark.parametrize("exercise", [1, 2, 3])
def test_empty_answer_is_told_what_to_do(lab, exercise):
    told = lab.answer(exercise, None)
    assert told.startswith("Write the function"), told


def test_tries_enough():
    assert_enough(WRONG, RIGHT)


def test_asks_along_the_way():
    assert_questions("04_nlp_lstm")
