"""Motion as the frames come: push a frame, get back those whose motion is final."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice, pairwise

import cv2
import numpy as np

from stabilize.core import FrameGeometry, PairMotion, PairStatus, UInt8, possible
from stabilize.motion.background import Belief, first_belief
from stabilize.motion.cuts import CutFilter, thumbnail
from stabilize.motion.features import Corners, corners
from stabilize.motion.matches import kept_matches
from stabilize.motion.mesh import mesh_shape
from stabilize.motion.observation import FrameMotion, Observation, PairMatches
from stabilize.motion.pair import FittedPair, PairFit, failed, fit_pair, sharpness
from stabilize.motion.sources import (
    SOURCES,
    Follow,
    MotionSource,
    Picture,
    PicturePair,
    PointMatches,
    at_points,
    prepare,
)
from stabilize.motion.stand import Stand, advance, slow
from stabilize.motion.stand_filter import STAND_LOOK_AHEAD_FRAMES, StandFilter
from stabilize.settings import MotionConfig

KEY_COVERAGE_MIN = 0.25  # a key frame serves while it explains this share of the picture
USUAL_FRAMES = 60  # of which the median sharpness is the usual one
Shown = tuple[int, UInt8]  # pts, and the picture in analysis size: gray (h, w) or RGB (h, w, 3)
Keep = Callable[[float], bool]  # whether the matches of the pair that ends so many seconds after the first frame stay


@dataclass(frozen=True, slots=True)
class View:
    """What is computed of one frame before the motion of any is known."""

    pts: int
    picture: Picture
    corners: Corners
    sharpness: float
    thumbnail: UInt8
    matches: PointMatches | None = None
    """Where the corners of the view before are in this one, where that was looked for already."""


def analysis_size(geometry: FrameGeometry, long_side: int) -> tuple[int, int]:
    """(width, height) in square pixels, not larger than the video itself."""
    scale = min(1.0, long_side / (2 * geometry.half_long_px))
    width = geometry.width * geometry.pixel_aspect * scale
    return max(8, round(width)), max(8, round(geometry.height * scale))


def picture_size(geometry: FrameGeometry, config: MotionConfig) -> tuple[int, int]:
    """(width, height) of the pictures that a stream with these settings is pushed: the source may ask for its own."""
    return analysis_size(geometry, SOURCES[config.flow].needs.long_side_px or config.long_side)


def prepare_view(shown: Shown) -> View:
    """The first stage: everything that needs one picture alone."""
    pts, pixels = shown
    rgb = pixels if pixels.ndim == 3 else None
    gray = pixels if rgb is None else np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
    at = corners(gray)
    picture = prepare(gray, at.faint, rgb)
    return View(pts, picture, at, sharpness(picture), thumbnail(gray))


def follow_views(views: Iterable[View], source: MotionSource) -> Iterator[View]:
    """The second stage: each view with the corners of the one before it found in it, as many at once as the source
    takes.
    """
    follow, rest = source.open(source.needs.device), iter(views)
    before: View | None = None
    while part := list(islice(rest, source.needs.batch)):
        known = part if before is None else [before, *part]
        pairs = [_pair(prev, next_) for prev, next_ in pairwise(known)]
        answers = follow(pairs) if pairs else []
        if before is None:
            yield part[0]
        for view, answer, pair in zip(known[1:], answers, pairs, strict=True):
            yield replace(view, matches=at_points(answer, pair))
        before = part[-1]


def _pair(prev: View, next_: View) -> PicturePair:
    return PicturePair(prev.picture, next_.picture, prev.corners.points)


class MotionStream:
    """The motion of a video of this geometry. `push` its frames in their order, then `finish`.

    Both return the frames whose motion is final, in their order; none lags more than `look_ahead` frames behind the one
    that was pushed. How the frames are grouped, and whether their views were followed before, makes no difference.
    """

    def __init__(
        self,
        geometry: FrameGeometry,
        time_base: Fraction,
        config: MotionConfig,
        keep: Keep | None = None,
        stand_look_ahead: int = STAND_LOOK_AHEAD_FRAMES,
    ) -> None:
        shape = mesh_shape(geometry.half_extent)
        half_long_px = max(picture_size(geometry, config)) / 2
        self._pairs = _PairEstimator(geometry, time_base, config, keep)
        self._cuts = CutFilter(shape)
        self._stands = StandFilter(half_long_px, stand_look_ahead)

    @property
    def look_ahead(self) -> int:
        """Frames that the motion of a frame may wait for."""
        return self._cuts.look_ahead + self._stands.look_ahead

    def push(self, view: View | Shown) -> list[FrameMotion]:
        """One more frame, prepared or as it is shown."""
        one = view if isinstance(view, View) else prepare_view(view)
        return self._decided(self._cuts.push(self._pairs.observe(one)))

    def finish(self) -> list[FrameMotion]:
        """The end of the video: all that was still open."""
        return [*self._decided(self._cuts.finish()), *self._stands.finish()]

    def _decided(self, observations: list[Observation]) -> list[FrameMotion]:
        return [frame for observation in observations for frame in self._stands.push(observation)]


class _PairEstimator:
    """Each frame against the one before it, or against a key frame in reference mode."""

    def __init__(self, geometry: FrameGeometry, time_base: Fraction, config: MotionConfig, keep: Keep | None) -> None:
        self._config, self._keep, self._time_base = config, keep, time_base
        self._half_extent = geometry.half_extent
        self._shape = mesh_shape(geometry.half_extent)
        self._source = SOURCES[config.flow]
        self._follow: Follow | None = None
        self._sharpness: deque[float] = deque(maxlen=USUAL_FRAMES)
        self._index = -1  # of the frame
        self._first_pts = 0
        self._before: View | None = None
        self._key: View | None = None  # what the frame is held against: the one before, but in reference mode
        self._since_key: PairMotion | None = None
        self._belief: Belief | None = None
        self._stand: Stand | None = None

    def observe(self, view: View) -> Observation:
        self._index += 1
        self._sharpness.append(view.sharpness)
        before, key, belief = self._before, self._key, self._belief
        self._before = view
        if before is None or key is None or belief is None:
            self._first_pts, self._key, self._belief = view.pts, view, first_belief(view.corners)
            return Observation(FrameMotion(view.pts, view.sharpness, None), 1.0, view.thumbnail)
        matches = view.matches
        kept = self._kept(before, view, matches)
        if matches is None or key is not before:
            matches = self._matches(key, view)
        fitted = self._fit(key, view, matches, belief)
        self._belief = fitted.belief
        stand = self._advance(key, view, fitted)
        motion = self._since_last(fitted.motion) if self._config.reference else fitted.motion
        if self._since_key is None or self._since_key.coverage < KEY_COVERAGE_MIN:
            self._key, self._since_key = view, None
        frame = FrameMotion(view.pts, view.sharpness, motion, kept)
        index, covered = (stand.index, stand.covered > 0) if stand else (None, False)
        return Observation(frame, fitted.tracked, view.thumbnail, index, covered)

    def _kept(self, before: View, view: View, matches: PointMatches | None) -> PairMatches | None:
        """The matches that stay, of neighbours also where motion is measured against a key frame."""
        if self._keep is None or not self._keep((view.pts - self._first_pts) * float(self._time_base)):
            return None
        neighbours = self._matches(before, view) if matches is None else matches
        return kept_matches(before.picture, before.corners, neighbours, self._half_extent)

    def _matches(self, prev: View, next_: View) -> PointMatches:
        if self._follow is None:
            self._follow = self._source.open(self._source.needs.device)
        pair = _pair(prev, next_)
        return at_points(self._follow([pair])[0], pair)

    def _fit(self, key: View, view: View, matches: PointMatches, belief: Belief) -> FittedPair:
        usual = float(np.median(self._sharpness))
        pictures = key.picture, view.picture
        return fit_pair(PairFit(pictures, key.corners, belief, usual, self._shape, self._config.mesh), matches)

    def _advance(self, key: View, view: View, fitted: FittedPair) -> Stand | None:
        fresh = Stand(self._index - 1, key.picture, key.corners)
        may_begin = slow(fitted.motion, max(view.picture.gray.shape) / 2)
        self._stand = advance(self._stand, fresh, view.picture, fitted.belief, may_begin)
        return self._stand

    def _since_last(self, motion: PairMotion) -> PairMotion:
        """Motion from the previous frame, where both were measured against the same key frame."""
        before, self._since_key = self._since_key, motion if motion.measured else None
        if not motion.measured or before is None:
            return motion
        H = motion.H_next_prev @ np.linalg.inv(before.H_next_prev)
        if not possible(H[None])[0]:
            self._since_key = None
            return failed(PairStatus.NO_CONSENSUS, self._shape)
        return replace(motion, H_next_prev=H / H[2, 2], mesh=motion.mesh - before.mesh)
