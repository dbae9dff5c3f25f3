"""Bounded parallel work: an iterator that runs ahead of its consumer, and a parallel map."""

from __future__ import annotations

import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")

THREADS_MAX = 8  # each needs about 25 MB of memory
_START_TIMEOUT_S = 2.0  # a thread that has not started by then never will


def cores() -> int:
    """Return the number of threads for computation: the CPU cores this process may use, at most THREADS_MAX."""
    usable = getattr(os, "process_cpu_count", None)  # Python 3.13 and later
    count = usable() if usable else len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(count or 1, THREADS_MAX)


class _End:
    """Marks the end of the items and holds the error that ended them, if any."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


@contextmanager
def prefetch(items: Iterator[T], depth: int) -> Iterator[Iterator[T]]:
    """Iterate over `items`, which another thread produces at most `depth` ahead.

    The end of the context stops the thread and closes `items`.
    """
    ready: queue.Queue[T | _End] = queue.Queue(depth)
    started, stop = threading.Event(), threading.Event()

    def put(item: T | _End) -> bool:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def produce() -> None:
        error: BaseException | None = None
        started.set()
        try:
            for item in items:
                if not put(item):
                    break
        except BaseException as caught:  # noqa: BLE001 - raised again in the consumer
            error = caught
        finally:
            close = getattr(items, "close", None)
            if close:
                close()
            put(_End(error))

    def consume() -> Iterator[T]:
        while True:
            item = ready.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item

    thread = threading.Thread(target=produce, name="stabilize-prefetch", daemon=True)
    try:
        thread.start()  # if a signal raises in here, the thread may run although `join` does not know it
        yield consume()
    finally:
        stop.set()
        if started.wait(_START_TIMEOUT_S):
            thread.join()


def map_in_order(function: Callable[[S], T], items: Iterable[S], workers: int) -> Iterator[T]:
    """Yield `function(item)` for all items, in order, computed by `workers` threads."""
    with ThreadPoolExecutor(workers, "stabilize-worker") as pool:
        running: deque[Future[T]] = deque()
        try:
            for item in items:
                running.append(pool.submit(function, item))
                if len(running) > workers:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()
