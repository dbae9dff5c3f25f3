"""Which pairs belong to a stand, decided as the frames come: a stand shows itself only after a while, and what looks
like motion within one only once it is over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from stabilize.core import Float, MotionModel, PairMotion
from stabilize.motion.mesh import flat_mesh
from stabilize.motion.observation import FrameMotion, Observation
from stabilize.motion.stand import STAND_MIN_FRAMES

GAP_PAIRS, HOP_PX = 12, 3.0  # between two stands, and the way in them, that are taken for a mistake
STILL_SHARE = 0.7  # of the pairs of a longer gap that must show no motion by themselves
# 10 s at 30 frames a second. What a gap is must be known by then; of the shared clips none comes out otherwise than
# with the whole video at hand.
STAND_LOOK_AHEAD_FRAMES = 300


@dataclass(slots=True)
class _Gap:
    """What is known of the pairs since the last stand."""

    pairs: int = 0
    still: int = 0
    way: Float | None = None

    def add(self, motion: PairMotion) -> None:
        self.pairs += 1
        self.still += motion.model == MotionModel.STILL
        shift = motion.H_next_prev[:2, 2]
        self.way = shift if self.way is None else self.way + shift

    def is_mistake(self, half_long_px: float) -> bool:
        """A few pairs between two stands, or before or after one, are the stand seen badly: a camera does not hop and
        stop within half a second. Nor does it move in a longer one in which most pairs show no motion by themselves.
        """
        brief = self.pairs <= GAP_PAIRS or self.still / self.pairs > STILL_SHARE
        return brief and (self.way is None or float(np.linalg.norm(self.way)) * half_long_px < HOP_PX)


class StandFilter:
    """Makes the pairs of every long enough stand exactly still, each at most `look_ahead` frames after it was pushed.

    A gap that is still open then is judged by what of it is known.
    """

    def __init__(self, half_long_px: float, look_ahead: int = STAND_LOOK_AHEAD_FRAMES) -> None:
        self.look_ahead = look_ahead
        self._half_long_px = half_long_px
        self._gap = _Gap()
        self._in_gap: deque[Observation] = deque()  # pairs of the open gap, then
        self._in_run: deque[Observation] = deque()  # those of a stand that is not yet long enough, then
        self._covered: deque[Observation] = deque()  # those that hide whether the stand goes on
        self._stand: int | None = None  # of the run
        self._run = 0  # pairs of it
        self._stood = False  # whether there has been a stand at all

    def push(self, observation: Observation) -> list[FrameMotion]:
        """The frames that are decided now."""
        if observation.frame.motion is None:
            return [observation.frame]
        return [*self._join(observation), *self._overdue()]

    def finish(self) -> list[FrameMotion]:
        """The rest, at the end of the video."""
        decided = self._uncover(None)
        self._end_run()
        return [*decided, *self._close_gap(self._stood)]

    def _join(self, observation: Observation) -> Iterator[FrameMotion]:
        if observation.covered:
            self._covered.append(observation)
            return
        yield from self._uncover(observation.stand)
        yield from self._take(observation, observation.stand)

    def _uncover(self, stand: int | None) -> list[FrameMotion]:
        """A view that was covered for a while has been standing all along, if the same stand goes on."""
        decided: list[FrameMotion] = []
        while self._covered:
            one = self._covered.popleft()
            decided += self._take(one, stand if one.stand == stand else None)
        return decided

    def _take(self, observation: Observation, stand: int | None) -> Iterator[FrameMotion]:
        """One more pair, of which it is known whether it stands."""
        if stand != self._stand:
            self._end_run()
            self._stand = stand
        if stand is None:
            self._add_to_gap(observation)
            return
        self._run += 1
        self._in_run.append(observation)
        if self._run >= STAND_MIN_FRAMES:
            self._stood = True
            yield from self._close_gap(True)
            while self._in_run:
                yield _held(self._in_run.popleft().frame)

    def _end_run(self) -> None:
        """A run that was too short belongs to the gap; after one that was not, a gap begins."""
        while self._in_run:
            self._add_to_gap(self._in_run.popleft())
        self._run, self._stand = 0, None

    def _add_to_gap(self, observation: Observation) -> None:
        assert observation.frame.motion is not None
        self._gap.add(observation.frame.motion)
        self._in_gap.append(observation)

    def _close_gap(self, beside_stand: bool) -> Iterator[FrameMotion]:
        """All of the gap, with what it is taken for."""
        still = beside_stand and self._gap.is_mistake(self._half_long_px)
        while self._in_gap:
            frame = self._in_gap.popleft().frame
            yield _held(frame) if still else frame
        self._gap = _Gap()

    def _overdue(self) -> Iterator[FrameMotion]:
        """The oldest pairs, where more are waiting than may."""
        while len(self._in_gap) + len(self._in_run) + len(self._covered) > self.look_ahead:
            if not self._in_gap and self._in_run:
                self._add_to_gap(self._in_run.popleft())
            elif not self._in_gap:
                yield from self._take(self._covered.popleft(), None)
                continue
            still = self._stood and self._gap.is_mistake(self._half_long_px)
            frame = self._in_gap.popleft().frame
            yield _held(frame) if still else frame


def _held(frame: FrameMotion) -> FrameMotion:
    """The frame with a camera that stands; what was not measured stays so."""
    motion = frame.motion
    if motion is None or not motion.measured:
        return frame
    still = replace(motion, model=MotionModel.STILL, H_next_prev=np.eye(3), mesh=flat_mesh(motion.mesh.shape[:2]))
    return replace(frame, motion=still)
