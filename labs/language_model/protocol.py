"""The requests and answers of KServe's OpenAI protocol, as far as a model that writes text needs.

The answers are built from the types of the `openai` package, so its client reads them:
https://platform.openai.com/docs/api-reference/completions
"""

import json
import time
import uuid
from typing import Annotated, Any, Literal

from openai.types import Completion, CompletionChoice, CompletionUsage, Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel, ConfigDict, Field

LONGEST_TEXT = 20_000  # characters of one prompt
MOST_MESSAGES = 20
MOST_CHOICES = 4
Text = Annotated[str, Field(max_length=LONGEST_TEXT)]
Stop = Annotated[str, Field(min_length=1, max_length=100)]


class Request(BaseModel):
    """What both kinds of request may say. A field that is not here is refused, not ignored."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[str, Field(max_length=200)]
    max_tokens: Annotated[int, Field(ge=1, le=1000)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    n: Annotated[int, Field(ge=1, le=MOST_CHOICES)] | None = None
    stop: Stop | Annotated[list[Stop], Field(max_length=4)] | None = None
    stream: bool | None = None
    user: Annotated[str, Field(max_length=200)] | None = None

    @property
    def stops(self) -> list[str]:
        return [self.stop] if isinstance(self.stop, str) else self.stop or []


class CompletionRequest(Request):
    """Go on with a text."""

    prompt: Text


class Message(BaseModel):
    """One turn of a chat."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["system", "user", "assistant"]
    content: Text


class ChatRequest(Request):
    """Answer the last message."""

    messages: Annotated[list[Message], Field(min_length=1, max_length=MOST_MESSAGES)]
    max_completion_tokens: Annotated[int, Field(ge=1, le=1000)] | None = None


def list_models(models: list[tuple[str, int]]) -> dict[str, Any]:
    """The answer to /models, from each model's name and when it was loaded."""
    data = [
        Model(id=name, created=loaded, object="model", owned_by="fast-kubeflow")
        for name, loaded in models
    ]
    return {"object": "list", "data": [one.model_dump() for one in data]}


class Answers:
    """Builds the answer to one request, as a whole or in pieces."""

    def __init__(self, model: str, is_chat: bool):
        self.model, self.is_chat = model, is_chat
        self.id = f"{'chatcmpl' if is_chat else 'cmpl'}-{uuid.uuid4().hex}"
        self.created = int(time.time())

    def whole(self, texts: list[str], reasons: list[str], counts: tuple[int, int]) -> dict:
        """The answer at once.

        Args:
            reasons: why each text ends: stop or length.
            counts: tokens of the prompt, and of all texts.
        """
        asked, written = counts
        usage = CompletionUsage(
            prompt_tokens=asked, completion_tokens=written, total_tokens=asked + written
        )
        pairs = list(enumerate(zip(texts, reasons, strict=True)))
        if self.is_chat:
            choices = [
                {
                    "index": index,
                    "finish_reason": reason,
                    "message": {"role": "assistant", "content": text},
                }
                for index, (text, reason) in pairs
            ]
            return self._dump(ChatCompletion, "chat.completion", choices, usage=usage)
        choices = [self._text_choice(index, text, reason) for index, (text, reason) in pairs]
        return self._dump(Completion, "text_completion", choices, usage=usage)

    def piece(self, index: int, text: str, reason: str | None) -> str:
        """A server-sent event with the next piece of a text; the last one has a reason."""
        if self.is_chat:
            delta = {"role": "assistant", "content": text}
            choices = [{"index": index, "delta": delta, "finish_reason": reason}]
            event = self._dump(ChatCompletionChunk, "chat.completion.chunk", choices)
        else:
            choice = self._text_choice(index, text, reason or "stop")
            event = self._dump(Completion, "text_completion", [choice])
            event["choices"][0]["finish_reason"] = reason  # null until the end, as OpenAI has it
        return f"data: {json.dumps(event)}\n\n"

    @staticmethod
    def _text_choice(index: int, text: str, reason: str) -> dict:
        return CompletionChoice.model_validate(
            {"index": index, "text": text, "finish_reason": reason}
        ).model_dump()

    def _dump(self, kind: type[BaseModel], name: str, choices: list[dict], **more: Any) -> dict:
        fields = {"id": self.id, "created": self.created, "model": self.model, "object": name}
        return kind.model_validate({**fields, "choices": choices, **more}).model_dump(mode="json")


LAST_EVENT = "data: [DONE]\n\n"
