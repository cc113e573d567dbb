"""Runs what depends on each other: each as soon as all that it waits for has ended."""

import graphlib
import queue
from collections.abc import Callable, Iterable, Mapping
from concurrent import futures

MOST_AT_ONCE = 256  # threads: more than a machine runs steps at a time


def run_in_order(
    after: Mapping[str, Iterable[str]],
    execute: Callable[[str], None],
    on_error: Callable[[str, BaseException], None],
    on_interrupt: Callable[[], None],
) -> None:
    """Executes names in threads; those that do not wait for each other at the same time.

    Args:
        after: name to those that it waits for, however they end.
        execute: called once for each name.
        on_error: called with what `execute` has raised, before what waits for the name starts.
        on_interrupt: called when this thread is interrupted, to end what the others wait for.

    Raises:
        graphlib.CycleError: some wait for each other.
    """
    order = graphlib.TopologicalSorter(after)
    order.prepare()
    running: dict[futures.Future[None], str] = {}
    ended: queue.SimpleQueue[futures.Future[None]] = queue.SimpleQueue()
    with futures.ThreadPoolExecutor(min(max(1, len(after)), MOST_AT_ONCE)) as pool:
        try:
            while order.is_active():
                for name in order.get_ready():
                    future = pool.submit(execute, name)
                    running[future] = name
                    future.add_done_callback(ended.put)
                done = ended.get()
                name = running.pop(done)
                error = done.exception()
                if error is not None:
                    on_error(name, error)
                order.done(name)
        except BaseException:
            # The pool waits for its threads, and they for processes that only end when told to.
            on_interrupt()
            pool.shutdown(cancel_futures=True)
            raise
