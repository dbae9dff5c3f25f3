"""Plan an output: container, encoding and losses. No file is opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from localfiles.reading import PathLike
from stabilize.settings import EncodeConfig
from stabilize.video.codecs import Encoding, choose_encoding
from stabilize.video.containers import Container, container_of
from stabilize.video.losses import losses
from stabilize.video.probe import MediaInfo


@dataclass(frozen=True, slots=True)
class OutputPlan:
    """How an output will be written, from the video, the name of the output and the settings."""

    info: MediaInfo
    """The input."""
    target: Path
    """Path of the output, as given."""
    size: tuple[int, int]
    """(width, height) in px of the frames that the encoder gets."""
    container: Container
    """Container of the output."""
    encoding: Encoding
    """Encoding of the video track."""
    overwrite: bool
    """Whether to replace an existing file."""
    warnings: tuple[str, ...]
    """What is lost or converted, except other tracks."""


def plan_output(
    info: MediaInfo, target: PathLike, config: EncodeConfig | None = None, size: tuple[int, int] | None = None
) -> OutputPlan:
    """Plan how `target` is written. `size` is (width, height) in px, by default that of the input.

    Raises UsageError for settings that do not fit the video or the container.
    """
    config = config or EncodeConfig()
    size = size or (info.video.width, info.video.height)
    container = container_of(target)
    encoding = choose_encoding(config, info.video, container, size)
    return OutputPlan(
        info=info,
        target=Path(target),
        size=size,
        container=container,
        encoding=encoding,
        overwrite=config.overwrite,
        warnings=(*encoding.notes, *losses(info, container, encoding)),
    )
