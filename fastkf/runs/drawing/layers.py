"""The layers of a pipeline's graph, and which way it goes."""

from collections.abc import Mapping
from graphlib import TopologicalSorter

Edges = dict[str, list[str]]

MOST_ACROSS = 8  # layers; by no names or states, so that a graph lies or stands everywhere


def reduce_edges(dependencies: Edges) -> Edges:
    """The dependencies without unknown steps and without those a longer path implies."""
    known = {
        step: [name for name in dict.fromkeys(after) if name in dependencies]
        for step, after in dependencies.items()
    }
    ancestors: dict[str, set[str]] = {}
    for step in TopologicalSorter(known).static_order():
        ancestors[step] = {a for name in known[step] for a in (name, *ancestors[name])}
    return {
        step: [a for a in after if not any(a in ancestors[b] for b in after)]
        for step, after in known.items()
    }


def assign_layers(edges: Edges) -> dict[str, int]:
    """Step to its layer: 0 at the start, otherwise one more than the last step it waits for."""
    layers: dict[str, int] = {}
    for step in TopologicalSorter(edges).static_order():
        layers[step] = max((layers[name] + 1 for name in edges[step]), default=0)
    return {step: layers[step] for step in edges}


def is_across(layers: Mapping[str, int]) -> bool:
    """Whether a graph with these layers lies; otherwise it stands."""
    return max(layers.values(), default=0) < MOST_ACROSS
