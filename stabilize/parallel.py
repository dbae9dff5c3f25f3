"""Work side by side: an iterator ahead of its reader, a function over several items, in bounded numbers."""

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

MOST_THREADS = 8  # each has a window of work of its own in memory, some 25 MB
_START_S = 2.0  # a thread that has not begun by then never will


def cores() -> int:
    """How many threads can compute at once: the processors that this process may use, within reason."""
    usable = getattr(os, "process_cpu_count", None)  # Python 3.13 and later
    count = usable() if usable else len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(count or 1, MOST_THREADS)


class _End:
    """Marks the end of the items, and carries the error that ended them."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


@contextmanager
def prefetch(items: Iterator[T], depth: int) -> Iterator[Iterator[T]]:
    """An iterator over `items`, which another thread draws at most `depth` ahead.

    Leaving the context ends the thread and closes `items`.
    """
    ready: queue.Queue[T | _End] = queue.Queue(depth)
    begun, stop = threading.Event(), threading.Event()

    def put(item: T | _End) -> bool:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def draw() -> None:
        error: BaseException | None = None
        begun.set()
        try:
            for item in items:
                if not put(item):
                    break
        except BaseException as caught:  # noqa: BLE001 - handed to the reader, who raises it
            error = caught
        finally:
            close = getattr(items, "close", None)
            if close:
                close()
            put(_End(error))

    def take() -> Iterator[T]:
        while True:
            item = ready.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item

    thread = threading.Thread(target=draw, name="stabilize-prefetch", daemon=True)
    try:
        thread.start()  # a signal may raise in here when the thread already runs, and `join` does not know it yet
        yield take()
    finally:
        stop.set()
        if begun.wait(_START_S):
            thread.join()


def in_order(function: Callable[[S], T], items: Iterable[S], workers: int) -> Iterator[T]:
    """`function` of each item, in their order, computed by so many threads at once."""
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
            for late in running:
                late.cancel()
