"""Write a clip to files: video, logs, ground truth."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from .gyrolog import sample_log, write_log, write_ois_log
from .render import generate
from .spec import ClipSpec
from .truth import arrays, header, truth

TIME_BASE = Fraction(1, 90000)
AUDIO_HZ = 48000
AUDIO_BLOCK = 1024


def write_clip(spec: ClipSpec, path: Path, crf: int = 14, preset: str = "medium", files: bool = True) -> None:
    """Encode a clip (H.264, 4:2:0, BT.709, exact frame times) and, with `files`, write beside it:

    `<stem>.truth.npz`, `<stem>.truth.json`, the gyro log `<stem>.csv` and the lens log `<stem>.ois.csv` if the clip
    has them.
    """
    with av.open(str(path), "w") as container:
        _write_video(container, spec, crf, preset)
    if not files:
        return
    true = truth(spec)
    np.savez_compressed(path.with_suffix(".truth.npz"), **arrays(true))  # type: ignore[arg-type]
    path.with_suffix(".truth.json").write_text(json.dumps(header(true), indent=1) + "\n")
    if spec.gyro is not None:
        write_log(sample_log(spec), path.with_suffix(".csv"))
    if spec.ois is not None:
        write_ois_log(spec, path.with_suffix(".ois.csv"))


def _write_video(container: av.container.OutputContainer, spec: ClipSpec, crf: int, preset: str) -> None:
    stream = container.add_stream("libx264", rate=Fraction(spec.fps).limit_denominator(1001))
    stream.width, stream.height, stream.pix_fmt = spec.width, spec.height, "yuv420p"
    stream.options = {"crf": str(crf), "preset": preset, "threads": "1"}  # one thread: the same file everywhere
    stream.time_base = stream.codec_context.time_base = TIME_BASE
    context = stream.codec_context
    context.color_primaries = context.color_trc = context.colorspace = 1  # BT.709
    context.color_range = 1
    sound = container.add_stream("aac", rate=AUDIO_HZ, layout="mono") if spec.audio else None
    for time_s, image in generate(spec):
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame = frame.reformat(
            format="yuv420p", dst_colorspace="ITU709", src_color_range="JPEG", dst_color_range="MPEG"
        )
        frame.pts, frame.time_base = round(time_s / TIME_BASE), TIME_BASE
        container.mux(stream.encode(frame))
    container.mux(stream.encode())
    if sound is not None:
        _write_tone(container, sound, spec.duration_s)


def _write_tone(container: av.container.OutputContainer, stream: av.AudioStream, duration_s: float) -> None:
    """Write a soft tone that swells once per second, so that an audio-video offset is audible."""
    t_s = np.arange(round(duration_s * AUDIO_HZ)) / AUDIO_HZ
    tone = (0.05 * np.sin(2 * np.pi * 330 * t_s) * np.sin(np.pi * t_s) ** 2).astype(np.float32)
    for start in range(0, len(tone), AUDIO_BLOCK):
        frame = av.AudioFrame.from_ndarray(tone[None, start : start + AUDIO_BLOCK], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = AUDIO_HZ, start, Fraction(1, AUDIO_HZ)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())
