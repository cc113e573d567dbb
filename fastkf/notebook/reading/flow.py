"""Which variables go from step to step (kale/processors/nbprocessor.py, dependencies_detection).

A step takes a variable that it uses and does not make from the nearest step above that has the
name at all. With a function go the variables that the function uses.
"""

from collections.abc import Iterator

from fastkf.notebook.reading import code
from fastkf.notebook.reading.steps import PlainPipeline, Step

METRICS = """\
from kale.common import kfputils as _kale_kfputils
_kale_kfp_metrics = {
%s
}
_kale_kfputils.generate_mlpipeline_metrics(_kale_kfp_metrics)\
"""


def link_steps(pipeline: PlainPipeline) -> None:
    """Gives each step what it takes and passes on, and the code that reports its metrics.

    Raises:
        NotPlainError: some code is no Python.
    """
    for step in pipeline.steps:
        _link_step(pipeline, step)
    _assign_metrics(pipeline)


def _link_step(pipeline: PlainPipeline, step: Step) -> None:
    parameters = pipeline.pipeline_parameters
    missing = code.missing_names(code.comment_magics(step.text)) - set(parameters)
    own = _needs_of(pipeline, step.text, pipeline.shared)
    calls = set(code.called_names(step.text))
    for above in map(pipeline.nodes.__getitem__, pipeline.above([step.name])):
        if not missing:
            break
        above.needs = above.needs or _needs_of(pipeline, above.text, pipeline.shared)
        found = missing & code.offered_names(above.text)
        above.outs |= found
        step.ins |= found
        missing -= found
        # In the order of Kale: what functions bring does not count as found.
        for name in (*found, *calls):
            _hand_on(pipeline, step, above, name)
        known = {name: above.needs[name] for name in calls if name in above.needs}
        own |= known
        calls -= set(known)
        step.needs = own
    last = code.last_name(step.text)
    if last and last not in parameters and last in code.offered_names(step.text):
        step.outs.add(last)


def _needs_of(pipeline: PlainPipeline, text: str, shared: str) -> dict[str, frozenset[str]]:
    """Each function of a step to the names that it lacks: _detect_fns_free_variables."""
    given = set(pipeline.pipeline_parameters)
    return {
        name: code.missing_names(shared + "\n" + source) - given
        for name, source in code.functions_in(text)
    }


def _hand_on(pipeline: PlainPipeline, step: Step, above: Step, function: str) -> None:
    """Passes what a function of the step above uses: _propagate_free_vars_from_function."""
    if function not in above.needs:
        return
    names = set(_reach(above.needs, above.needs[function]))
    for earlier in map(pipeline.nodes.__getitem__, pipeline.above([above.name])):
        if not earlier.needs:
            earlier.needs = _needs_of(pipeline, earlier.text, pipeline.imports_and_functions)
        names |= set(_reach(earlier.needs, names))
    step.ins |= names
    above.outs |= names


def _reach(needs: dict[str, frozenset[str]], names: set[str] | frozenset[str]) -> Iterator[str]:
    """Names, and what the functions among them lack, and so on."""
    seen = set(names)
    waiting = list(names)
    for name in waiting:  # it grows meanwhile
        yield name
        new = needs.get(name, frozenset()) - seen
        seen |= new
        waiting += new


def _assign_metrics(pipeline: PlainPipeline) -> None:
    """Has the last step that could make a metric report it: assign_metrics."""
    left = set(pipeline.metrics)
    leaves = [step.name for step in pipeline.steps if not pipeline.edges[step.name]]
    for name in [*sorted(leaves), *pipeline.above(sorted(leaves))]:
        step = pipeline.nodes[name]
        reported = left & code.offered_names(step.text)
        left -= reported
        if reported:
            lines = [f'"{pipeline.metrics[one]}": {one}' for one in sorted(reported)]
            step.source.append(METRICS % ("    " + ",\n    ".join(lines)))
            step.metrics = True
