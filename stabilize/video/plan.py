"""What an output will be: its container, its encoding, and what of the input it cannot have. Nothing is opened."""

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
    """What the settings amount to for a video and the name of an output."""

    info: MediaInfo
    """The video that is worked on."""
    target: Path
    """The file to write, as it was named."""
    size: tuple[int, int]
    """(width, height) of the frames that are given to the encoder."""
    container: Container
    """Of the file."""
    encoding: Encoding
    """Of the video track."""
    overwrite: bool
    """Whether an existing target is replaced."""
    warnings: tuple[str, ...]
    """What is lost or converted, other tracks aside."""


def plan_output(
    info: MediaInfo, target: PathLike, config: EncodeConfig | None = None, size: tuple[int, int] | None = None
) -> OutputPlan:
    """What would be written to `target`; `size` where it is not the input's.

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
