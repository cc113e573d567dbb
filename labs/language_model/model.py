"""The lab's GPT in plain NumPy: reads a published folder, and writes token by token.

A published model is a folder:

    config.json      name, heads, context; for a model that answers, its chat template
    tokenizer.json   of the package `tokenizers`
    weights.npz      LAYER/VARIABLE to array, float32

`Keys` is the key-value cache: what attention needs of the tokens that were read before.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# One row of a small matrix is no work for two threads: they would wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from tokenizers import Tokenizer

END, TOPIC = "<|end|>", "<|topic|>"
LAYER_NORM_EPSILON = 1e-3  # Keras's
HIDDEN = -1e9  # a score that softmax makes 0


@dataclass
class Keys:
    """Keys and values of each block, shape (heads, tokens, size of a head)."""

    keys: dict[str, np.ndarray] = field(default_factory=dict)
    values: dict[str, np.ndarray] = field(default_factory=dict)
    length: int = 0

    def extend(self, block: str, keys: np.ndarray, values: np.ndarray) -> tuple[Any, Any]:
        """Adds the keys and values of new tokens; returns those of all tokens."""
        if block in self.keys:
            keys = np.concatenate([self.keys[block], keys], axis=1)
            values = np.concatenate([self.values[block], values], axis=1)
        self.keys[block], self.values[block] = keys, values
        return keys, values


class LanguageModel:
    """A trained GPT.

    Args:
        folder: a published model.

    Raises:
        OSError: a file is missing.
        ValueError: a file is not what it should be; a pickled array is refused.
    """

    def __init__(self, folder: Path):
        config = json.loads((folder / "config.json").read_text())
        self.name, self.heads = config["name"], config["heads"]
        self.context, self.template = config["context"], config.get("template")
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        with np.load(folder / "weights.npz", allow_pickle=False) as arrays:
            self.weights = {name: arrays[name] for name in arrays.files}
        names = {name.partition("/")[0] for name in self.weights}
        self.blocks = sorted({name.rpartition("_")[0] for name in names if name.endswith("_query")})
        # What a stranger writes is text: "<|end|>" in it is three letters and four signs.
        self.tokenizer.encode_special_tokens = True
        self.end, self.topic = map(self.tokenizer.token_to_id, (END, TOPIC))

    def start(self, text: str) -> list[int]:
        """The tokens of a text that the model is to go on with."""
        return [self.end, *self.tokenizer.encode(text).ids]

    def start_chat(self, message: str) -> list[int]:
        """The tokens of a message in the form of the fine-tuning: its beginning, then the mark."""
        return [*self.start(message)[: self.template["message_tokens"]], self.topic]

    @property
    def bytes_of_cache(self) -> int:
        """What the cache of one full context takes."""
        width = self.weights["tokens/embeddings"].shape[1]
        return 2 * len(self.blocks) * self.context * width * 4

    def read(self, tokens: list[int], cache: Keys | None = None) -> np.ndarray:
        """The scores of each next token, shape (tokens, vocabulary).

        Args:
            tokens: all tokens, or with a cache those that it does not have yet.
        """
        cache = Keys() if cache is None else cache
        places = slice(cache.length, cache.length + len(tokens))
        vectors = self.weights["tokens/embeddings"][tokens]  # (tokens, width)
        vectors = vectors + self.weights["places/embeddings"][places]
        for block in self.blocks:
            vectors = vectors + self._attend(block, self._norm(f"{block}_norm_1", vectors), cache)
            hidden = self._dense(f"{block}_expand", self._norm(f"{block}_norm_2", vectors))
            vectors = vectors + self._dense(f"{block}_contract", np.maximum(hidden, 0))
        cache.length += len(tokens)
        return self._norm("norm", vectors) @ self.weights["tokens/embeddings"].T

    def remember(self, tokens: list[int]) -> Keys:
        """The cache after these tokens."""
        cache = Keys()
        self.read(tokens, cache)
        return cache

    def write(
        self,
        tokens: list[int],
        most: int,
        temperature: float = 1.0,
        seed: int | None = None,
        cached: bool = True,
    ) -> Iterator[int]:
        """Token after token, until the end of the text, `most` tokens, or a full context.

        Args:
            temperature: 0 takes the likeliest token; below 1 likely ones become likelier still.
        """
        generator = np.random.default_rng(seed)
        tokens, cache = list(tokens), Keys()
        unread = tokens
        for _ in range(min(most, self.context - len(tokens))):
            scores = self.read(unread, cache if cached else None)[-1]
            token = choose(scores, temperature, generator)
            if token == self.end:
                return
            yield token
            tokens = [*tokens, token]
            unread = [token] if cached else tokens

    def _norm(self, name: str, vectors: np.ndarray) -> np.ndarray:
        centred = vectors - vectors.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + LAYER_NORM_EPSILON)
        return centred / spread * self.weights[f"{name}/gamma"] + self.weights[f"{name}/beta"]

    def _dense(self, name: str, vectors: np.ndarray) -> np.ndarray:
        return vectors @ self.weights[f"{name}/kernel"] + self.weights.get(f"{name}/bias", 0)

    def _attend(self, block: str, vectors: np.ndarray, cache: Keys) -> np.ndarray:
        queries, keys, values = (
            self._dense(f"{block}_{what}", vectors)
            .reshape(len(vectors), self.heads, -1)
            .swapaxes(0, 1)  # (heads, tokens, size)
            for what in ("query", "key", "value")
        )
        keys, values = cache.extend(block, keys, values)
        scores = queries @ keys.swapaxes(1, 2) / np.sqrt(queries.shape[-1])
        later = np.triu(np.ones(scores.shape[1:], dtype=bool), k=1 + cache.length)
        attention = softmax(np.where(later, HIDDEN, scores))  # (heads, tokens, tokens read)
        mixed = (attention @ values).swapaxes(0, 1).reshape(len(vectors), -1)
        return self._dense(f"{block}_mix", mixed)


def softmax(scores: np.ndarray) -> np.ndarray:
    """Probabilities along the last axis."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def choose(scores: np.ndarray, temperature: float, generator: np.random.Generator) -> int:
    """The next token, drawn by its probability."""
    if temperature == 0:
        return int(scores.argmax())
    probabilities = softmax(scores.astype("float64") / temperature)
    return int(generator.choice(len(scores), p=probabilities))
