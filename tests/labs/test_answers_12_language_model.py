"""Answers to the exercises of the lab on language models, wrong ones and right ones."""

import pytest
from exercises import assert_accepted, assert_enough, assert_refused, fixture_of
from questions import assert_questions

pytestmark = pytest.mark.slow

# No exercise needs the model, nor what is computed with it.
lab = fixture_of(
    "12_language_model",
    without=("stories", "gpt", "news", "server", "client", "url", "losses", "tokenizer.", "ngram")
    + ("validation", "heads_seen", "train_rows"),
)

ATTENTION = """
def attend_by_hand(query, key, value):
    tokens, size = query.shape
    scores = {scores}
    past = np.tril(np.ones((tokens, tokens), dtype=bool){diagonal})
    powers = {powers}
    weights = powers / powers.sum(axis={axis}, keepdims=True)
    return {mixture}
"""
WHOLE = {
    "scores": "query @ key.T / np.sqrt(size)",
    "diagonal": "",
    "powers": "np.where(past, np.exp(scores), 0)",
    "axis": "1",
    "mixture": "weights @ value",
}


def attention(**parts):
    return ATTENTION.format(**WHOLE | parts)


def nucleus(*lines):
    body = "\n    ".join(lines)
    return f"def nucleus(chances, top_p):\n    order = np.argsort(-chances)\n    {body}"


CUT = (
    "many = np.searchsorted(np.cumsum(chances[order]), top_p - 1e-9) + 1",
    "kept = np.zeros_like(chances)",
    "kept[order[:many]] = chances[order[:many]]",
)

WRONG = [
    (1, "perplexity = 4", "write a function"),
    (1, "perplexity = lambda p: -np.log(p).mean()", "that is the loss"),
    (1, "perplexity = lambda p: np.exp(-np.log(p).sum())", "not their sum"),
    (1, "perplexity = lambda p: np.exp(np.log(p).mean())", "1 or more"),
    (1, "perplexity = lambda p: 1 / p.mean()", "not of the probabilities"),
    (1, "perplexity = lambda p: (1 / p).mean()", "not of 1/p"),
    (1, "perplexity = lambda p: np.exp(-np.log2(p).mean())", "np.log2"),
    (1, "perplexity = lambda p: np.exp(-np.log(p))", "one number"),
    (1, "perplexity = lambda p: 2048", "0.25"),
    (1, "def perplexity(p):\n    np.exp(-np.log(p).mean())", "return"),
    (1, "perplexity = lambda p: p.no_such", "stops with"),
    (1, "def perplexity(p):\n    p *= 1.5\n    return np.exp(-np.log(p).mean())", "changes"),
    (2, "attend_by_hand = np.zeros((6, 4))", "write a function"),
    (2, attention(powers="np.exp(scores)"), "where is the mask"),
    (2, attention(scores="query @ key.T"), "square root"),
    (2, attention(scores="query @ key.T / size"), "not by the size"),
    (2, attention(powers="np.exp(scores)", mixture="weights * past @ value"), "before the softmax"),
    (2, attention(axis="0"), "axis=1"),
    (2, attention(powers="np.where(past.T, np.exp(scores), 0)"), "future"),
    (2, attention(diagonal=", k=-1"), "itself"),
    (2, attention(scores="key @ query.T / np.sqrt(size)"), "row"),
    (2, attention(mixture="weights"), "shape"),
    (2, attention(powers="np.exp(np.where(past, scores, 0))"), "-np.inf, not 0"),
    (2, "attend_by_hand = lambda query, key, value: value", "first token"),
    (3, "nucleus = 0.9", "write a function"),
    (3, nucleus(*CUT, "return kept"), "divide"),
    (3, nucleus(CUT[0][:-4], *CUT[1:], "return kept / kept.sum()"), "too few"),
    (3, nucleus(CUT[0][:-1] + "2", *CUT[1:], "return kept / kept.sum()"), "too many"),
    (3, nucleus(CUT[0].replace("1e-9", "-1e-9"), *CUT[1:], "return kept / kept.sum()"), "exactly"),
    (3, nucleus(*CUT, "kept = kept[order]", "return kept / kept.sum()"), "order"),
    (3, nucleus("order = order[::-1]", *CUT, "return kept / kept.sum()"), "likeliest"),
    (3, nucleus("return chances"), "nothing is cut"),
    (3, nucleus("return (chances == chances.max()) * 1.0"), "temperature 0"),
    (3, nucleus(*CUT, "return kept[kept > 0]"), "shape"),
    (
        3,
        nucleus(
            CUT[0],
            "kept = np.where(chances >= chances[order[many - 1]], chances, 0)",
            "return kept / kept.sum()",
        ),
        "no more than are needed",
    ),
]
RIGHT = [
    (1, "perplexity = lambda p: np.exp(-np.log(p).mean())"),
    (1, "perplexity = lambda p: 2 ** -np.log2(p).mean()"),
    (1, "perplexity = lambda p: np.prod(p) ** (-1 / len(p))"),
    (
        1,
        "def perplexity(p):\n    return np.exp(sum(-np.log(x) for x in p) / len(p))",
    ),
    (2, attention()),
    (2, attention(powers="np.exp(np.where(past, scores, -np.inf))")),
    (2, attention(scores="np.einsum('qs,ks->qk', query, key) * size**-0.5")),
    (3, nucleus(*CUT, "return kept / kept.sum()")),
    (
        3,
        nucleus(
            "order = len(chances) - 1 - np.argsort(-chances[::-1], kind='stable')",
            *CUT,
            "return kept / kept.sum()",
        ),
    ),
    (
        3,
        nucleus(
            "sums = np.cumsum(chances[order])",
            "keep = order[sums - chances[order] < top_p - 1e-9]",
            "mask = np.isin(np.arange(len(chances)), keep)",
            "return np.where(mask, chances, 0) / chances[keep].sum()",
        ),
    ),
    (
        3,
        nucleus(
            "kept, total = [0.0] * len(chances), 0",
            "for place in order:",
            "    kept[place] = chances[place]",
            "    total += chances[place]",
            "    if total >= top_p - 1e-9:",
            "        break",
            "return [one / total for one in kept]",
        ),
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
    assert_questions("12_language_model")
