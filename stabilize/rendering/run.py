"""From video to video: decoding, composing and encoding side by side."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from localfiles.reading import PathLike
from stabilize.core import StablePath
from stabilize.parallel import map_in_order, prefetch
from stabilize.progress import FrameProgress
from stabilize.rendering.backends import Warp, open_backend
from stabilize.rendering.compose import COMPOSERS, Composer
from stabilize.rendering.matching import Matching, SourceFrame, check_video
from stabilize.rendering.schedule import Schedule, Slot, as_filmed
from stabilize.rendering.window import Window, frames_ahead, windows
from stabilize.settings import EncodeConfig, RenderConfig
from stabilize.video.buffers import new_frame
from stabilize.video.frame import Frame
from stabilize.video.open_input import reopen
from stabilize.video.probe import MediaInfo
from stabilize.video.reader import read_frames
from stabilize.video.writer import VideoWriter

MAX_WORKERS = 4  # threads that compose: each holds an output frame and its window
FRAMES_AHEAD = 4  # between decode, compose and encode: enough to overlap, little enough to keep memory small


def render_video(
    info: MediaInfo,
    path: StablePath,
    target: PathLike,
    config: RenderConfig,
    encode: EncodeConfig,
    *,
    progress: FrameProgress | None = None,
) -> tuple[str, ...]:
    """Write the steady video; everything else of the file is kept. Returns warnings.

    Raises MotionError where the path was made for another video, UsageError for a backend that is not there.
    """
    check_video(info, path)
    warp = open_backend(config, info.video.colour.chroma_location)
    composer = COMPOSERS["crop"]
    depth = max(1, FRAMES_AHEAD - frames_ahead(composer.after))  # the window holds the others
    with reopen(info) as source, VideoWriter(source, target, encode) as writer:
        reading = read_frames(source)
        with prefetch(reading, depth) as frames:
            sources = Matching(frames, path.timeline, str(info.path))
            with prefetch(output_frames(sources, path, warp, composer), FRAMES_AHEAD) as ready:
                for done, frame in enumerate(ready, start=1):
                    writer.write(frame)
                    if progress:
                        progress(done)
    return (*reading.report.warnings, *sources.warnings, *writer.warnings)


def output_frames(
    sources: Iterable[SourceFrame], path: StablePath, warp: Warp, composer: Composer, schedule: Schedule = as_filmed
) -> Iterator[Frame]:
    """The frames of the output in order, several in the making at a time."""

    def made(plan: tuple[Window, Slot]) -> Frame:
        window, slot = plan
        frame = window.centre.frame
        out = new_frame(frame.layout, *frame.size, slot.pts, slot.duration)
        composer.fill(window, slot, path, out, warp)
        return out

    around = windows(sources, path.shots, composer.before, composer.after)
    plans = ((window, slot) for window in around for slot in schedule(window.centre, window.following))
    return map_in_order(made, plans, min(MAX_WORKERS, os.cpu_count() or 1))
