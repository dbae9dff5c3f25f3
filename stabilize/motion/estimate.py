"""Pictures in, Motion out: the loop over the video, one pass, nothing kept but the motion itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from stabilize.core import FrameGeometry, Motion, PairMotion, PairStatus, Timeline, UInt8, possible
from stabilize.errors import MotionError
from stabilize.motion.background import Belief, first_belief
from stabilize.motion.cuts import FLASH_FRAMES, is_cut, thumbnail
from stabilize.motion.features import Corners, corners
from stabilize.motion.flow import FLOWS, Flow, Picture, Tracks, prepare
from stabilize.motion.pair import failed, pair_motion, sharpness
from stabilize.motion.records import Records, collect
from stabilize.motion.still import Stand, advance, hold, note, slow
from stabilize.parallel import prefetch
from stabilize.settings import MotionConfig

Gray = tuple[int, UInt8]  # pts, picture
AHEAD = 4  # pictures prepared before they are needed
KEY_COVERAGE = 0.25  # a key frame serves while it explains this share of the picture


def analysis_size(geometry: FrameGeometry, long_side: int) -> tuple[int, int]:
    """(width, height) in square pixels, not larger than the video itself."""
    scale = min(1.0, long_side / (2 * geometry.half_long_px))
    width = geometry.width * geometry.pixel_aspect * scale
    return max(8, round(width)), max(8, round(geometry.height * scale))


def estimate_motion(
    pictures: Iterable[Gray],
    geometry: FrameGeometry,
    time_base: Fraction,
    config: MotionConfig,
    progress: Callable[[int], None] | None = None,
) -> Motion:
    """Motion between all neighbours among `pictures` (pts, gray uint8 of `analysis_size`).

    Raises MotionError where there are none.
    """
    pts: list[int] = []
    sharp: list[float] = []
    anchors: list[int] = []
    flow = FLOWS[config.flow]
    with prefetch(map(_view, pictures), AHEAD) as seen, prefetch(_followed(seen, flow, config), AHEAD) as views:
        records = collect(_with_cuts(_pairs(_counted(views, pts, progress), config, sharp, anchors)))
    if not pts:
        raise MotionError("the video has no frame to analyse")
    hold(records, anchors, max(analysis_size(geometry, config.long_side)) / 2)
    return _assemble(_timeline(pts, time_base), geometry, records, sharp)


def _timeline(pts: list[int], time_base: Fraction) -> Timeline:
    try:
        return Timeline(np.array(pts, np.int64), time_base)
    except (ValueError, OverflowError) as error:
        raise MotionError(f"the times of the video's frames are damaged beyond use ({error})") from error


@dataclass(frozen=True, slots=True)
class View:
    """What is computed of one frame before the motion of any is known; `tracks`: the last one's corners in it."""

    pts: int
    picture: Picture
    corners: Corners
    sharpness: float
    thumbnail: UInt8
    tracks: Tracks | None = None


def _view(shown: Gray) -> View:
    pts, gray = shown
    at = corners(gray)
    picture = prepare(gray, at.faint)
    return View(pts, picture, at, sharpness(picture), thumbnail(gray))


def _followed(views: Iterable[View], flow: Flow, config: MotionConfig) -> Iterator[View]:
    before: View | None = None
    for view in views:
        if before is None or config.reference:  # the key frame that a frame is held against is not known here
            yield view
        else:
            yield replace(view, tracks=flow(before.picture, view.picture, before.corners.points))
        before = view


def _counted(views: Iterable[View], pts: list[int], progress: Callable[[int], None] | None) -> Iterator[View]:
    for view in views:
        pts.append(view.pts)
        yield view
        if progress:
            progress(len(pts))


# Motion from the frame before (none for the first), share tracked, thumbnail.
Observed = tuple[PairMotion | None, float, UInt8]


def _pairs(views: Iterable[View], config: MotionConfig, sharp: list[float], anchors: list[int]) -> Iterator[Observed]:
    """Each frame against the one before it, or against a key frame in reference mode.

    Fills `sharp` and the `anchors` of stands.
    """
    source: Picture | None = None
    stand: Stand | None = None
    at: Corners | None = None
    belief: Belief | None = None
    since_key: PairMotion | None = None
    for view in views:
        sharp.append(view.sharpness)
        if source is None or at is None or belief is None:
            source, at, belief = view.picture, view.corners, first_belief(view.corners.grid)
            yield None, 1.0, view.thumbnail
            continue
        tracks = view.tracks or FLOWS[config.flow](source, view.picture, at.points)
        result = pair_motion(source, view.picture, at, tracks, belief, float(np.median(sharp[-60:])), config)
        motion, belief = result.motion, result.belief
        fresh = Stand(len(sharp) - 2, source, at)
        stand = advance(stand, fresh, view.picture, belief, slow(motion, max(view.picture.gray.shape) / 2))
        note(anchors, stand)
        if config.reference:
            motion, since_key = _relative(motion, since_key)
        if since_key is None or since_key.coverage < KEY_COVERAGE:
            source, at, since_key = view.picture, view.corners, None
        yield motion, result.tracked, view.thumbnail


def _relative(now: PairMotion, before: PairMotion | None) -> tuple[PairMotion, PairMotion | None]:
    """Motion from the previous frame, where both were measured against the same key frame; and what to keep."""
    if not now.measured or before is None:
        return now, now if now.measured else None
    H = now.H_next_prev @ np.linalg.inv(before.H_next_prev)
    if not possible(H[None])[0]:
        return failed(PairStatus.NO_CONSENSUS), None
    return replace(now, H_next_prev=H / H[2, 2], mesh=now.mesh - before.mesh), now


def _with_cuts(observed: Iterable[Observed]) -> Iterator[PairMotion]:
    """Pairs with cuts marked; a pair is decided once the frames after it have been seen."""
    waiting: deque[tuple[PairMotion, float]] = deque()
    thumbs: deque[UInt8] = deque(maxlen=2 * FLASH_FRAMES)
    for motion, tracked, thumb in observed:
        thumbs.append(thumb)
        if motion is not None:
            waiting.append((motion, tracked))
        if len(waiting) == FLASH_FRAMES:
            yield _decide(*waiting.popleft(), list(thumbs), FLASH_FRAMES)
    while waiting:
        after = len(waiting)
        yield _decide(*waiting.popleft(), list(thumbs), after)


def _decide(motion: PairMotion, tracked: float, thumbs: list[UInt8], after: int) -> PairMotion:
    before = thumbs[: len(thumbs) - after][-FLASH_FRAMES:]
    return failed(PairStatus.CUT) if is_cut(before, thumbs[len(thumbs) - after :], tracked) else motion


def _assemble(timeline: Timeline, geometry: FrameGeometry, records: Records, sharp: list[float]) -> Motion:
    pairs = records.pairs
    return Motion(
        timeline=timeline,
        geometry=geometry,
        H_next_prev=pairs["H_next_prev"],
        mesh=records.mesh,
        status=pairs["status"],
        model=pairs["model"],
        coverage=pairs["coverage"],
        residual=pairs["residual"],
        sharpness=np.array(sharp, np.float32),
    )
