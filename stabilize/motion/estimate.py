"""Pictures in, Motion out: the stream over a whole video, its stages side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

from stabilize.core import FrameGeometry, Motion
from stabilize.motion.observation import FrameMotion
from stabilize.motion.records import collect
from stabilize.motion.sources import SOURCES
from stabilize.motion.stream import Keep, MotionStream, Shown, View, follow_views, prepare_view
from stabilize.parallel import prefetch
from stabilize.progress import FrameProgress
from stabilize.settings import MotionConfig

AHEAD_FRAMES = 4  # prepared before they are needed


def estimate_motion(  # noqa: PLR0917
    pictures: Iterable[Shown],
    geometry: FrameGeometry,
    time_base: Fraction,
    config: MotionConfig,
    progress: FrameProgress | None = None,
    keep: Keep | None = None,
) -> Motion:
    """Motion between all neighbours among `pictures` (pts and uint8 pixels of `picture_size`, gray or RGB as the
    source needs). `keep` says of which pairs the matches stay; None: of none.

    Raises MotionError where there are none, or their times cannot be used.
    """
    stream = MotionStream(geometry, time_base, config, keep)
    with prefetch(map(prepare_view, pictures), AHEAD_FRAMES) as views:
        if config.reference:  # the key frame that a frame is held against is not known ahead
            return collect(_final(stream, views, progress), geometry, time_base)
        with prefetch(follow_views(views, SOURCES[config.flow]), AHEAD_FRAMES) as followed:
            return collect(_final(stream, followed, progress), geometry, time_base)


def _final(stream: MotionStream, views: Iterable[View], progress: FrameProgress | None) -> Iterator[FrameMotion]:
    for done, view in enumerate(views, start=1):
        yield from stream.push(view)
        if progress:
            progress(done)
    yield from stream.finish()
