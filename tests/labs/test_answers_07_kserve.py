"""Answers to the exercises of the KServe lab, wrong ones and right ones."""

import json

import pytest
from exercises import assert_accepted, assert_enough, assert_refused, fixture_of
from questions import assert_questions

pytestmark = pytest.mark.slow

OTHER_SERVER = ("{url}", "url +", "leash", "killpg", "locust", "closed", "crowds", "titanic.yaml")
lab = fixture_of("07_kserve", without=OTHER_SERVER)

BOY = {
    "passenger_class": 2,
    "sex": "male",
    "age": 8,
    "deck": "unknown",
    "title": "Master",
    "family_size": 3,
    "fare_per_person": 12,
}
MRS_MILLER = {"passenger_class": [2], "sex": ["female"], "age": [38], "title": ["Mrs"]}
LISTS = {column: [value] for column, value in BOY.items()}


def request(**changes: object) -> str:
    return f"my_request = {{'instances': [{LISTS | changes!r}]}}"


def images(data: str = "images.ravel().tolist()", shape: str = "list(images.shape)", **more) -> str:
    tensor = {"name": "'image'", "datatype": "'FP32'", "shape": shape, "data": data} | more
    listed = ", ".join(f"{key!r}: {value}" for key, value in tensor.items() if value)
    return f"def my_images_request(images):\n    return {{'inputs': [{{{listed}}}]}}"


def words(lines: str, method: str = "postprocess", base: str = "TitanicModel") -> str:
    return (
        f"class WordsModel({base}):\n"
        f"    def {method}(self, result, headers=None, response_headers=None):\n"
        f"        {lines}"
    )


SAID = "['survived' if one else 'died' for one in result['predictions']]"
WHERE = "np.where(result['predictions'], 'survived', 'died').tolist()"
OWN_PREDICT = """
class WordsModel(TitanicModel):
    def predict(self, payload, headers=None, response_headers=None):
        result = super().predict(payload)
        print(result)
        words = {0: "died", 1: "survived"}
        return {"predictions": [words[one] for one in result["predictions"]]}
"""
BY_SEX = """
class WordsModel(TitanicModel):
    def predict(self, payload, headers=None, response_headers=None):
        people = get_predict_input(payload)
        words = ["survived" if sex == "female" else "died" for sex in people["sex"]]
        return {"predictions": words}
"""

WRONG = [
    (1, f"my_request = {LISTS!r}", "belong into a list"),
    (1, f"my_request = [{LISTS!r}]", "a dictionary"),
    (1, f"my_request = {{'instances': {LISTS!r}}}", "even for a single passenger"),
    (1, f"my_request = {{'inputs': [{LISTS!r}]}}", "word of V2"),
    (1, f"my_request = {{'instances': [{list(BOY.values())!r}]}}", "list of dictionaries"),
    (1, f"my_request = {{'instances': [{LISTS!r}] * 2}}", "one instance"),
    (1, request(family_size=[2]), "both parents"),
    (1, request(fare_per_person=[36]), "a person already"),
    (1, request(age=["8"]), "without quotes"),
    (1, request(passenger_class=["second"]), "without quotes"),
    (1, request(title=["Mr"]), "title is 'Mr'"),
    (1, request(sex=["boy"]), "sex is 'boy'"),
    (1, request(deck=[None]), "unknown"),
    (1, request(age=[8, 8]), "one value for each column"),
    (1, "my_request = {'instances': [{'passenger_class': [2], 'sex': ['male']}]}", "missing: age"),
    (1, request(**MRS_MILLER), "sex is 'female'"),
    (2, "my_images_request = {'inputs': []}", "function"),
    (2, images("test_images[-3:].ravel().tolist()", "[3, 28, 28, 1]"), "for 5 images"),
    (2, images(shape="[3, 28, 28, 1]"), "for 5 images"),
    (2, images(shape="list(images.shape[:3])"), "and should be"),
    (2, images("(images / 255).ravel().tolist()"), "scales them itself"),
    (2, images("images[::-1].ravel().tolist()"), "in order"),
    (2, images("images[0].ravel().tolist()"), "numbers"),
    (2, images("images"), "tolist()"),
    (2, images(datatype="'UINT8'"), "datatype"),
    (2, images(name="'input'"), "the name"),
    (2, images(shape=""), "missing: ['shape']"),
    (2, "def my_images_request(images): return {'instances': images.tolist()}", "word of V1"),
    (2, "def my_images_request(images): return images.tolist()", "a dictionary"),
    (2, "def my_images_request(images): return {'inputs': images.tolist()}", "one tensor"),
    (2, "def my_images_request(): return {}", "TypeError"),
    (2, "def my_images_request(images): raise SystemExit(3)", "SystemExit"),
    (3, words(f"return {SAID}"), "a dictionary with"),
    (3, words(f"return {{'predictions': {SAID}}}", "post_process"), "still answers in numbers"),
    (3, words("return result"), "still answers in numbers"),
    (3, words("pass"), "a dictionary with"),
    (3, words("return {'predictions': ['died'] * 20}"), "not what the model predicts"),
    (3, words("return {'predictions': ['died'] * len(result['predictions'])}"), "use `result`"),
    (3, words(f"return {{'predictions': {SAID.replace('if one', 'if not one')}}}"), "wrong way"),
    (3, words(f"return {{'predictions': {SAID.title()}}}".replace("'Pred", "'pred")), "not yet"),
    (3, words(f"return {{'answers': {SAID}}}"), "a dictionary with"),
    (3, words(f"return {{'predictions': {SAID}[:5]}}"), "there are 5 words"),
    (
        3,
        words("return {'predictions': 'survived' if result['predictions'][0] else 'died'}"),
        "dict",
    ),
    (3, words("return {'predictions': result.outputs}"), "500"),
    (3, BY_SEX, "use `result`"),
    (3, "WordsModel = TitanicModel('words', models / 'titanic')", "must be a class"),
    (3, f"def WordsModel(result): return {{'predictions': {SAID}}}", "must be a class"),
]
RIGHT = [
    (1, request()),
    (1, f"my_request = {{'instances': [{BOY!r}]}}"),
    (1, f"my_request = {json.dumps({'instances': [LISTS]})!r}"),
    (1, f"my_request = {{'instances': as_instances(pd.DataFrame({LISTS!r}))}}"),
    (2, images()),
    (2, images("images.tolist()")),
    (2, images(shape="[len(images), 28, 28, 1]")),
    (2, images("[float(pixel) for pixel in images.flatten()]", "images.shape")),
    (3, words(f"return {{'predictions': {SAID}}}")),
    (3, words(f"result['predictions'] = {SAID}; return result")),
    (3, words(f"return {{'predictions': {WHERE}}}")),
    (3, OWN_PREDICT),
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
    assert_questions("07_kserve")
