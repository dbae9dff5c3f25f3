"""Judge every pair of a dataset in parallel. A clip that fails becomes a row with the reason."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metrics.dataset import state
from metrics.dataset.layout import Job
from metrics.errors import MetricsError, VideoReadError
from metrics.video import stamp


@dataclass(frozen=True)
class Outcome:
    """Result of one job."""

    job: Job
    judgement: dict[str, Any] | None
    """The judgement as plain values; None if it failed."""
    error: str = ""
    """Why there is no judgement."""
    reused: bool = False
    """True if the judgement was stored by an earlier run."""

    def value(self, name: str) -> float | None:
        """Return a score's value; None if the clip failed or the score could not be measured."""
        score = (self.judgement or {}).get("scores", {}).get(name)
        return None if score is None else score["value"]


def score_dataset(
    jobs: Iterable[Job], mode: str, folder: Path, workers: int, tick: Callable[[int], None] | None = None
) -> tuple[Outcome, ...]:
    """Return outcomes in the order of `jobs`. Finished clips are stored in `folder` and not judged again."""
    jobs = tuple(jobs)
    done: dict[Job, Outcome] = {}
    for outcome in _outcomes(jobs, mode, folder, workers):
        done[outcome.job] = outcome
        if tick is not None:
            tick(len(done))
    return tuple(done[job] for job in jobs)


def _outcomes(jobs: tuple[Job, ...], mode: str, folder: Path, workers: int) -> Iterator[Outcome]:
    todo: dict[Job, _Content] = {}
    for job in jobs:
        try:
            content = _Content.of(job, mode)
        except VideoReadError as error:
            yield Outcome(job, None, str(error))
            continue
        earlier = state.load(folder, content.key)
        if earlier is None:
            todo[job] = content
        else:
            yield Outcome(job, earlier, reused=True)
    crashed: list[Job] = []
    for outcome in _pool(list(todo), mode, workers, crashed):
        yield _stored(outcome, folder, todo[outcome.job])
    for job in list(crashed):  # one of these killed its process, and with it the pool: retry each alone
        crashed_alone: list[Job] = []
        for outcome in _pool([job], mode, 1, crashed_alone):
            yield _stored(outcome, folder, todo[outcome.job])
        if crashed_alone:
            yield Outcome(job, None, "the process that judged it was killed (decoder crash or out of memory)")


@dataclass(frozen=True)
class _Content:
    """Content of a job's files."""

    key: str
    """Name under which the scores are stored."""
    stamps: tuple[tuple[int, ...], ...]
    """State of the files when they were hashed."""

    @classmethod
    def of(cls, job: Job, mode: str) -> _Content:
        stamps = _stamps(job)  # before the files are read, so that a later change is detected
        return cls(state.fingerprint(job, mode), stamps)


def _stamps(job: Job) -> tuple[tuple[int, ...], ...]:
    return stamp(job.ref), stamp(job.out)


def _stored(outcome: Outcome, folder: Path, content: _Content) -> Outcome:
    job = outcome.job
    if _stamps(job) != content.stamps:
        return Outcome(job, None, f"{job.out} or {job.ref}: changed while being judged; run `score` again")
    if outcome.judgement is not None:
        state.store(folder, content.key, outcome.judgement, (job.ref, job.out))
    return outcome


def _pool(jobs: list[Job], mode: str, workers: int, crashed: list[Job]) -> Iterator[Outcome]:
    if not jobs:
        return
    # spawn: a forked child would inherit OpenCV's threads in an undefined state
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=context, initializer=_one_thread) as pool:
        futures = {pool.submit(_judge, job, mode): job for job in jobs}
        try:
            for future in as_completed(futures):
                job, error = futures[future], future.exception()
                if isinstance(error, BrokenProcessPool):
                    crashed.append(job)
                elif error is not None:
                    yield Outcome(job, None, f"{type(error).__name__}: {error}".splitlines()[0])
                else:
                    yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _one_thread() -> None:
    from metrics.opencv import cv2

    cv2.setNumThreads(1)


def _judge(job: Job, mode: str) -> Outcome:
    from metrics.judging import judge

    try:
        return Outcome(job, judge(job.out, job.ref, mode).as_dict())
    except MetricsError as error:
        return Outcome(job, None, str(error))
