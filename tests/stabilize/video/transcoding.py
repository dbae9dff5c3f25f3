"""Write every frame of a video unchanged to another file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from stabilize.settings import EncodeConfig
from stabilize.video.reader import read_frames
from stabilize.video.writer import VideoWriter


def transcode(source: Path, target: Path, **config: Any) -> VideoWriter:
    with VideoWriter(source, target, EncodeConfig(**config)) as writer, read_frames(source) as frames:
        for frame in frames:
            writer.write(frame)
    return writer


def exact_times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        scale = container.streams.video[0].time_base
        assert scale is not None
        times = []
        for frame in container.decode(video=0):
            assert frame.pts is not None
            times.append(frame.pts * scale)
        return times
