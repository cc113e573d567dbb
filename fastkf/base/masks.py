"""Words that are not to be seen: `***` in their place, as services that build software do it."""

import json
import os
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

SHOWN = "***"
SHORTEST = 4  # characters: shorter ones are everywhere, and would be told by their absence
LONGEST_LINE = 65_536  # bytes that are held back until their line is whole
SECONDS_TO_COPY = 10.0  # after the end: where there are daemons that go on (macOS), they hold it
ENDS = re.compile(rb"[\n\r]")


class Mask:
    """Hides words: each line of a text, as it stands and as JSON and Python write it."""

    def __init__(self, values: Iterable[str] = ()):
        lines = {line.strip() for value in values for line in (value, *value.splitlines())}
        words = {one for line in lines for one in _spell(line) if len(line) >= SHORTEST}
        longest_first = sorted(words, key=lambda word: (-len(word), word))
        self._longest = max((len(word.encode()) for word in words), default=0)
        pattern = "|".join(map(re.escape, longest_first))
        self._text = re.compile(pattern) if words else None
        self._bytes = re.compile(pattern.encode()) if words else None

    def __bool__(self) -> bool:
        return self._text is not None

    def hide_text(self, text: str) -> str:
        return self._text.sub(SHOWN, text) if self._text else text

    def hide_bytes(self, data: bytes) -> bytes:
        return self._bytes.sub(SHOWN.encode(), data) if self._bytes else data

    def hide(self, value: Any) -> Any:
        """A JSON value with each text in it masked."""
        if not self:
            return value
        if isinstance(value, str):
            return self.hide_text(value)
        if isinstance(value, dict):
            return {self.hide(key): self.hide(one) for key, one in value.items()}
        return [self.hide(one) for one in value] if isinstance(value, list | tuple) else value

    @contextmanager
    def over(self, file: IO[bytes]) -> Iterator[int]:
        """Yields a descriptor in the place of the file's: what is written to it is masked first.

        Lines come when they are whole. It is left when all that hold the descriptor have ended.
        """
        if not self:
            yield file.fileno()
            return
        source, target = os.pipe()
        thread = threading.Thread(target=self._copy, args=(source, file), daemon=True)
        thread.start()
        try:
            yield target
        finally:
            os.close(target)
            thread.join(SECONDS_TO_COPY)

    def _copy(self, source: int, file: IO[bytes]) -> None:
        held = b""
        with open(source, "rb", buffering=0) as output:
            while data := output.read(LONGEST_LINE):
                held += data
                ends = [found.end() for found in ENDS.finditer(held)]
                whole = ends[-1] if ends else self._find_cut(held)
                self._write(file, held[:whole])
                held = held[whole:]
            self._write(file, held)

    def _find_cut(self, held: bytes) -> int:
        """Where a line that is too long may be cut, so that no word is."""
        cut = max(0, len(held) - LONGEST_LINE)
        near = (max(0, cut - self._longest), cut + self._longest)
        for found in self._bytes.finditer(held, *near) if self._bytes else ():
            if found.start() < cut < found.end():
                return found.start()
        return cut

    def _write(self, file: IO[bytes], data: bytes) -> None:
        if data:
            file.write(self.hide_bytes(data))
            file.flush()


def _spell(line: str) -> set[str]:
    told = [json.dumps(line), json.dumps(line, ensure_ascii=False), repr(line)]
    return {line, *(one[1:-1] for one in told)}
