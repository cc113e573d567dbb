"""A notebook's pipeline as Kale sees it, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastkf.notebook.fields import Pasted


@dataclass(frozen=True)
class PipelineStep:
    """A step as Kale sees it.

    Attributes:
        source: its code, block by block: what all steps share, its own cells, what Kale adds.
        ins: the variables that it takes from other steps, sorted.
        outs: the variables that it passes on, sorted.
        producers: each of `ins` to the nearest step above that passes it on, where there is one
            (kale/compiler.py, _producer_of).
        metrics: whether it reports pipeline metrics.
        inside: the steps of the notebook that it stands for; None of a plain step.
    """

    name: str
    source: tuple[str, ...]
    ins: tuple[str, ...]
    outs: tuple[str, ...]
    producers: Mapping[str, str]
    metrics: bool
    inside: tuple["PipelineStep", ...] | None = None


@dataclass(frozen=True)
class Pipeline:
    """A notebook as Kale sees it: the steps in the order in which Kale sorts them, and the edges
    that the tags ask for, each with the step that comes first.

    Attributes:
        misfits: the values that no code is generated of.
        parts: the notebooks that it refers to. The edges name them too; the producers do not.
    """

    steps: tuple[PipelineStep, ...]
    edges: tuple[tuple[str, str], ...]
    misfits: tuple[Pasted, ...] = ()
    parts: tuple[PipelineStep, ...] = ()
