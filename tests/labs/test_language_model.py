"""The language model's server: the openai client reads its answers, and strangers meet limits."""

import asyncio
import json
import sys
import threading

import httpx
import numpy as np
import pytest

from fastkf.base import connections
from fastkf.base.guard import Access, Guard
from fastkf.base.ports import bind, url_of
from fastkf.course import places
from fastkf.engine.notebook import read_metrics

LAB = places.PROJECT / "labs" / "language_model"
WIDTH, CONTEXT, BLOCKS = 16, 24, 2
KEY = "a-key"


@pytest.fixture(scope="module")
def lab():
    """The lab's modules, by their names."""
    sys.path.insert(0, str(LAB))
    import model
    import protocol
    import server

    yield {"model": model, "protocol": protocol, "server": server}
    sys.path.remove(str(LAB))
    for name in ("model", "protocol", "server"):
        del sys.modules[name]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two published models with random weights: one writes, one answers."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|end|>", "<|topic|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["opec oil ministers said oil prices rise"] * 5, trainer)
    root = tmp_path_factory.mktemp("models")
    for name, template in (("news", None), ("news-topics", {"message_tokens": 18})):
        config = {"name": name, "heads": 2, "context": CONTEXT, "template": template}
        (root / name).mkdir()
        (root / name / "config.json").write_text(json.dumps(config))
        tokenizer.save(str(root / name / "tokenizer.json"))
        np.savez(root / name / "weights.npz", **make_weights(tokenizer.get_vocab_size()))
    return root


def make_weights(words: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(1)
    shapes = {"tokens/embeddings": (words, WIDTH), "places/embeddings": (CONTEXT, WIDTH)}
    for block in range(BLOCKS):
        for part in ("query", "key", "value", "mix"):
            shapes[f"block_{block}_{part}/kernel"] = (WIDTH, WIDTH)
        shapes[f"block_{block}_expand/kernel"] = (WIDTH, 4 * WIDTH)
        shapes[f"block_{block}_contract/kernel"] = (4 * WIDTH, WIDTH)
        for part in ("norm_1", "norm_2"):
            shapes |= {f"block_{block}_{part}/{one}": (WIDTH,) for one in ("gamma", "beta")}
    shapes |= {f"norm/{one}": (WIDTH,) for one in ("gamma", "beta")}
    return {name: generator.normal(size=s).astype("float32") / 3 for name, s in shapes.items()}


@pytest.fixture(scope="module")
def url(lab, folder):
    """The address of a server in a thread of this process."""
    server = lab["server"]
    app = server.make_app(server.load([folder / "news", folder / "news-topics"]))
    app.add_middleware(Guard, access=Access(KEY), respond=server.answer_error)
    listener, is_ready = bind("127.0.0.1", 0), threading.Event()
    running = connections.Server(app, is_ready.set)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    assert is_ready.wait(10)
    yield f"{url_of(listener)}/openai/v1"
    running.should_exit = True
    thread.join(10)


@pytest.fixture(scope="module")
def client(url):
    import openai

    with openai.OpenAI(base_url=url, api_key=KEY, max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def news(lab, folder):
    return lab["model"].LanguageModel(folder / "news")


def ask(url, address="completions", key=KEY, **body):
    headers = {"authorization": f"Bearer {key}"}
    return httpx.post(f"{url}/{address}", json={"model": "news", **body}, headers=headers)


def test_the_cache_changes_nothing_but_the_time(news):
    start = news.start("opec oil")
    for seed in range(5):
        texts = [list(news.write(start, 20, seed=seed, cached=cached)) for cached in (True, False)]
        assert texts[0] == texts[1]
    whole = news.read(start)
    cache = news.remember(start[:-1])
    np.testing.assert_allclose(news.read(start[-1:], cache)[-1], whole[-1], rtol=1e-4, atol=1e-5)


def test_a_later_token_changes_no_earlier_prediction(news):
    tokens = news.start("opec oil ministers said")
    other = [*tokens[:-1], tokens[-1] + 1]
    before, after = news.read(tokens), news.read(other)
    np.testing.assert_allclose(before[:-1], after[:-1], rtol=1e-5, atol=1e-6)
    assert not np.allclose(before[-1], after[-1])


def test_the_client_gets_a_completion(client):
    assert [one.id for one in client.models.list()] == ["news", "news-topics"]
    asked = {"model": "news", "prompt": "opec", "max_tokens": 5, "seed": 1}
    answer = client.completions.create(**asked)
    assert answer.choices[0].finish_reason in ("length", "stop")
    assert answer.usage.completion_tokens <= 5
    assert client.completions.create(**asked).choices[0].text == answer.choices[0].text


def test_a_stream_has_the_same_text_in_pieces_and_says_when_it_is_done(client, url):
    asked = {"model": "news", "prompt": "opec", "max_tokens": 8, "seed": 2, "n": 2}
    whole = client.completions.create(**asked)
    texts = ["", ""]
    for event in client.completions.create(**asked, stream=True):
        texts[event.choices[0].index] += event.choices[0].text
    assert texts == [choice.text for choice in whole.choices]
    raw = ask(url, prompt="opec", stream=True, max_tokens=3)
    assert raw.headers["content-type"].startswith("text/event-stream")
    assert raw.text.endswith("data: [DONE]\n\n")
    events = [json.loads(line[6:]) for line in raw.text.split("\n\n")[:-2]]
    assert [event["choices"][0]["finish_reason"] for event in events][:-1].count(None) == (
        len(events) - 1
    )


def test_a_chat_is_answered_by_the_model_that_has_a_form_for_it(client):
    import openai

    asked = {"messages": [{"role": "user", "content": "oil prices " * 50}], "temperature": 0}
    answer = client.chat.completions.create(model="news-topics", **asked)
    assert answer.choices[0].message.role == "assistant"
    pieces = client.chat.completions.create(model="news-topics", **asked, stream=True)
    text = "".join(event.choices[0].delta.content or "" for event in pieces)
    assert text == answer.choices[0].message.content
    with pytest.raises(openai.BadRequestError, match="no chat template"):
        client.chat.completions.create(model="news", **asked)


def test_a_text_ends_before_a_stop(client):
    asked = {"model": "news", "prompt": "opec", "max_tokens": 15, "seed": 3}
    text = client.completions.create(**asked).choices[0].text
    stop = text[4:6]
    choice = client.completions.create(**asked, stop=stop).choices[0]
    assert (choice.text, choice.finish_reason) == (text[: text.index(stop)], "stop")


@pytest.mark.security
def test_what_a_stranger_writes_is_text(news):
    assert news.end not in news.start("<|end|>")[1:]
    assert news.topic not in news.start("<|topic|> earn")


WRONG = [
    ({"prompt": "oil " * 100}, 400, "shorten"),
    ({"prompt": "x" * 30_000}, 400, "prompt"),
    ({"prompt": "x" * 200_000}, 413, "larger"),
    ({"prompt": "oil", "n": 1000}, 400, "n"),
    ({"prompt": "oil", "max_tokens": 0}, 400, "max_tokens"),
    ({"prompt": "oil", "max_tokens": 10**9}, 400, "max_tokens"),
    ({"prompt": "oil", "temperature": 3}, 400, "temperature"),
    ({"prompt": "oil", "stop": ["a"] * 9}, 400, "stop"),
    ({"prompt": "oil", "stop": ""}, 400, "stop"),
    ({"prompt": "oil", "best_of": 5}, 400, "best_of"),
    ({"prompt": "oil", "seed": -1}, 400, "seed"),
    ({"prompt": ["oil"]}, 400, "prompt"),
    ({"prompt": "oil", "model": "gpt-4"}, 404, "no model"),
    ({}, 400, "prompt"),
]


@pytest.mark.security
@pytest.mark.parametrize(("body", "status", "hint"), WRONG)
def test_what_is_too_much_or_unknown_is_refused(url, body, status, hint):
    answer = ask(url, **body)
    assert answer.status_code == status
    assert hint in answer.json()["error"]["message"]
    assert len(answer.text) < 1000


@pytest.mark.security
def test_nobody_asks_without_the_key_or_from_a_foreign_page(url):
    assert ask(url, key="wrong", prompt="oil").status_code == 401
    headers = {"authorization": f"Bearer {KEY}", "origin": "https://evil.example"}
    assert httpx.get(f"{url}/models", headers=headers).status_code == 403


@pytest.mark.security
def test_too_many_at_a_time_are_refused(lab):
    server = lab["server"]

    async def crowd() -> list[int]:
        turns = server.Turns()

        async def wait() -> int:
            try:
                async with turns:
                    await asyncio.sleep(0.05)
            except server.Refused as error:
                return error.status_code
            return 200

        return await asyncio.gather(*(wait() for _ in range(server.WRITING + server.WAITING + 3)))

    assert asyncio.run(crowd()).count(429) == 3


@pytest.mark.security
def test_the_page_shows_text_as_text_and_loads_nothing(url):
    answer = httpx.get(url.removesuffix("/openai/v1"), headers={"authorization": f"Bearer {KEY}"})
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "innerHTML" not in answer.text
    assert "http" not in answer.text.replace("http-equiv", "")


@pytest.mark.security
def test_clients_that_leave_a_stream_take_no_place_for_good(url):
    body = {"model": "news", "prompt": "oil", "max_tokens": 15, "stream": True}
    headers = {"authorization": f"Bearer {KEY}"}
    for _ in range(25):
        with httpx.stream("POST", f"{url}/completions", json=body, headers=headers) as answer:
            assert answer.status_code == 200
    assert ask(url, prompt="oil", max_tokens=1).status_code == 200


def test_weights_that_are_none_are_named(lab, folder, tmp_path):
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_text((folder / "news" / name).read_text())
    (tmp_path / "weights.npz").write_text("PK not a zip file")
    with pytest.raises(lab["server"].UsageError, match="no published model"):
        lab["server"].load([tmp_path])


def test_a_folder_without_a_model_is_named(lab, tmp_path):
    with pytest.raises(lab["server"].UsageError, match="no published model"):
        lab["server"].load([tmp_path])


def test_text_is_sent_in_whole_characters(lab, folder):
    class Fixed(lab["model"].LanguageModel):
        """Writes the bytes of two letters, a token each."""

        def write(self, *_, **__):
            yield from self.tokenizer.encode("né").ids[1:]

    model = Fixed(folder / "news")
    request = lab["protocol"].CompletionRequest(model="news", prompt="oil", max_tokens=10)
    pieces = [text for text, _ in lab["server"].Job(model, request).write(0)]
    assert "".join(pieces) == "né"
    assert all("\ufffd" not in text for text in pieces)


def test_the_models_are_as_good_and_as_bad_as_the_lab_says():
    metrics = read_metrics(places.NOTEBOOKS / "12_language_model.ipynb")
    assert metrics["mixed_loss"] < metrics["ngram_loss"] < metrics["gpt_loss"]
    assert metrics["lora_accuracy"] < metrics["full_accuracy"] < 0.95
