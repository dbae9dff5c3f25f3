"""Every setting, described once: type, range, unit, default, and what it does in one sentence.

The checks, the command line options, TOML, the table in docs/settings.md and the JSON schema (`stabilize.config`) are
generated from these descriptions. This module imports nothing heavy, because `--help` needs it.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

MAX_TEXT_CHARACTERS = 1024
MAX_KEY_FRAMES = 100_000
MAX_SHOWN_CHARACTERS = 60  # of a value in a message
KEY_FRAMES_TEXT = "a list of key frames [seconds, value]"

Text: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=MAX_TEXT_CHARACTERS, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")
]
Second: TypeAlias = Annotated[float, Meta(ge=0, le=1e9)]
Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Smoothness: TypeAlias = Annotated[float, Meta(gt=0, le=60)]
Crop: TypeAlias = Annotated[float, Meta(ge=0, le=0.6)]
# A setting that varies over time: (seconds since the first frame, value), linear in between, constant beyond the ends.
KeyedShare: TypeAlias = Share | tuple[tuple[Second, Share], ...]
KeyedSmoothness: TypeAlias = Smoothness | tuple[tuple[Second, Smoothness], ...]
KeyedCrop: TypeAlias = Crop | tuple[tuple[Second, Crop], ...]
KeyFrames: TypeAlias = tuple[tuple[float, float], ...]

FlowName: TypeAlias = Literal["klt", "dis"]
Zoom: TypeAlias = Literal["dynamic", "static"]
SolverName: TypeAlias = Literal["l1", "rotation"]
Interpolation: TypeAlias = Literal["bilinear", "bicubic", "lanczos"]
BackendName: TypeAlias = Literal["cpu", "torch"]
Device: TypeAlias = Literal["auto", "cpu", "cuda", "mps"]
Codec: TypeAlias = Literal["h264", "hevc", "av1", "vp9", "prores", "ffv1"]


def about(  # noqa: PLR0917
    text: str,
    option: str = "",
    unit: str = "",
    metavar: str = "",
    none: str = "",
    choices: Mapping[str, str] | None = None,
) -> Meta:
    """Describe a setting.

    `text`: one sentence. `option`: its command line option; without one it is set by `--set` or a file. `none`: what
    None means. `choices`: what each value means, in the order of the type.
    """
    extra = {"option": option, "unit": unit, "metavar": metavar, "none": none, "choices": dict(choices or {})}
    shown = {"unit": unit, "none": none, "choices": dict(choices or {})}
    return Meta(description=text, extra=extra, extra_json_schema={k: v for k, v in shown.items() if v})


class Settings:
    """Base of every stage's settings: a frozen dataclass whose values are checked on construction.

    Raises ValueError with the name of the setting and the values it accepts.
    """

    __slots__ = ()

    def __post_init__(self) -> None:
        for name, hint in hints(type(self)).items():
            value = getattr(self, name)
            object.__setattr__(self, name, checked(value, hint, name))


def hints(kind: type) -> dict[str, Any]:
    """The annotations of a settings class, with their descriptions."""
    return _hints(typing.cast(Hashable, kind))


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind, include_extras=True)


def checked(value: Any, hint: Any, name: str) -> Any:
    """Convert `value` to the annotated type: integers become float, lists tuples. Raises ValueError."""
    if isinstance(value, Settings):
        return value  # checked on construction
    try:
        result = msgspec.convert(value, hint)
    except (msgspec.ValidationError, OverflowError) as error:
        message = f"{name} must be {requirement(hint)}, not {brief(value)}{_percent_hint(value, hint)}"
        raise ValueError(message) from error
    if isinstance(result, tuple) and not _are_increasing(result):
        raise ValueError(f"{name}: needs 1 to {MAX_KEY_FRAMES} key frames with increasing times")
    return result


def _percent_hint(value: Any, hint: Any) -> str:
    """A hint if a percentage was given for a setting that is a share."""
    if not isinstance(value, int | float) or not 1 < value <= 100:
        return ""
    bounds = [getattr(note, "le", None) for kind in kinds(hint) for note in getattr(kind, "__metadata__", ())]
    return f"; it is a share: {value:g} % is {value / 100:g}" if any(b is not None and b <= 1 for b in bounds) else ""


def brief(value: Any) -> str:
    """The value as text for a message, shortened."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # integers of thousands of digits, nested lists
        return "a value too large to show"
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[:MAX_SHOWN_CHARACTERS]}..."


def _are_increasing(key_frames: KeyFrames) -> bool:
    return 0 < len(key_frames) <= MAX_KEY_FRAMES and all(a[0] < b[0] for a, b in pairwise(key_frames))


def description(hint: Any) -> Meta:
    """The `about` of an annotated setting."""
    return next(note for note in hint.__metadata__ if isinstance(note, Meta) and note.description)


@cache
def requirement(hint: Any) -> str:
    """The values that a setting accepts, in words: "a number above 0 and at most 60 s, or key frames"."""
    note = description(hint) if hasattr(hint, "__metadata__") else Meta()
    texts = [_type_text(kind, (note.extra or {}).get("unit", "")) for kind in kinds(hint)]
    return " or ".join(filter(None, texts))


def kinds(hint: Any) -> list[Any]:
    """The types that a hint allows: each member of a union, with the bounds of numbers."""
    while hasattr(hint, "__metadata__") and typing.get_origin(typing.get_args(hint)[0]) is not None:
        hint = typing.get_args(hint)[0]
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return [kind for part in typing.get_args(hint) for kind in kinds(part)]
    return [hint]


def _type_text(kind: Any, unit: str) -> str:
    if typing.get_origin(kind) is Literal:
        return f"one of {', '.join(map(str, typing.get_args(kind)))}"
    info = msgspec.inspect.type_info(kind)
    if isinstance(info, msgspec.inspect.Metadata):
        info = info.type
    if isinstance(info, msgspec.inspect.FloatType | msgspec.inspect.IntType):
        return _number_text(info, unit)
    names = {
        "BoolType": "true or false",
        "StrType": "text without control characters",
        "NoneType": "",
        "VarTupleType": KEY_FRAMES_TEXT,
    }
    return names.get(type(info).__name__, "a table")


def _number_text(info: Any, unit: str) -> str:
    bounds = [
        f"{word} {limit:g}"
        for word, limit in (("above", info.gt), ("at least", info.ge), ("below", info.lt), ("at most", info.le))
        if limit is not None
    ]
    kind = "a whole number" if isinstance(info, msgspec.inspect.IntType) else "a number"
    return " ".join(filter(None, [kind, " and ".join(bounds), unit]))


@dataclass(frozen=True, slots=True)
class MotionConfig(Settings):
    """How the motion of a video is measured."""

    long_side: Annotated[
        Annotated[int, Meta(ge=64, le=4096)], about("Long side of the frames for the analysis.", unit="px")
    ] = 640
    flow: Annotated[
        FlowName,
        about(
            "How points are tracked from frame to frame.",
            "--flow",
            choices={"klt": "pyramidal Lucas-Kanade at corners", "dis": "dense inverse search"},
        ),
    ] = "klt"
    mesh: Annotated[
        bool, about("Measure parallax and rolling-shutter wobble on a mesh, in addition to one homography.")
    ] = True
    reference: Annotated[
        bool, about("Measure against key frames instead of the previous frame: no drift, for a camera on a tripod.")
    ] = False


@dataclass(frozen=True, slots=True)
class GyroConfig(Settings):
    """What is known about a gyroscope log. Everything else is auto-detected."""

    use: Annotated[
        Literal["auto", "off"],
        about(
            "Whether gyroscope logs are used.",
            choices={
                "auto": "the log given, beside the video or inside it, if it agrees with the visual motion",
                "off": "never",
            },
        ),
    ] = "auto"
    columns: Annotated[
        Text | None,
        about(
            "Columns t,gx,gy,gz[,ax,ay,az] of the log: their names, or numbers from 1.",
            "--gyro-columns",
            metavar="NAMES",
            none="auto-detected",
        ),
    ] = None
    gyro_unit: Annotated[
        Text | None,
        about(
            "Unit of the log's rates: rad/s, deg/s, or rad/s per count.", "--gyro-units", "", "UNIT", "auto-detected"
        ),
    ] = None
    time_unit: Annotated[
        Text | None,
        about(
            "Unit of the log's times: s, ms, us, ns, or seconds per count.", "--time-unit", "", "UNIT", "auto-detected"
        ),
    ] = None
    focal_px: Annotated[
        Annotated[float, Meta(ge=1, le=1e6)] | None,
        about("Focal length at the full frame size.", "--focal", "px", "PIXELS", "estimated"),
    ] = None
    lens: Annotated[Text | None, about("Lens profile.", "--lens", "", "FILE", "estimated")] = None


@dataclass(frozen=True, slots=True)
class FuseConfig(Settings):
    """How visual motion and gyroscope are combined to the camera path."""

    wobble_s: Annotated[
        Annotated[float, Meta(ge=0, le=5)],
        about("Local motion faster than this is removed, slower is kept as parallax; 0 keeps all of it.", unit="s"),
    ] = 0.3
    wobble_limit: Annotated[
        Annotated[float, Meta(ge=0, le=0.2)],
        about("Largest local correction of a point, as a share of half the long side."),
    ] = 0.03
    doubt: Annotated[
        Share,
        about("How much less the path follows steps of low coverage or high residual; 0: equal weights."),
    ] = 0.0


@dataclass(frozen=True, slots=True)
class AxisStrength(Settings):
    """Share of the camera motion that is removed, per axis of the displayed frame; 0 leaves it as filmed."""

    x: Annotated[KeyedShare, about("Horizontal share.")] = 1.0
    y: Annotated[KeyedShare, about("Vertical share.")] = 1.0
    roll: Annotated[KeyedShare, about("Share of the rotation in the image plane.")] = 1.0


@dataclass(frozen=True, slots=True)
class PathConfig(Settings):
    """How the smooth path is computed."""

    solver: Annotated[
        SolverName,
        about(
            "Method that computes the path.",
            "--solver",
            choices={
                "l1": "the smoothest path of shift, roll and zoom that the crop allows",
                "rotation": "the smoothed camera rotation, perspective included, by the log or else by the picture",
            },
        ),
    ] = "l1"
    smoothness_s: Annotated[
        KeyedSmoothness, about("Smoothing horizon: longer is smoother and crops more.", "--smoothness", "s", "SECONDS")
    ] = 1.0
    max_crop: Annotated[
        KeyedCrop, about("Largest share of the width that may be cropped; 20 % is 0.2.", "--max-crop", "", "SHARE")
    ] = 0.2
    zoom: Annotated[
        Zoom,
        about(
            "How the crop may change within a shot.",
            "--zoom",
            choices={"dynamic": "it varies as needed", "static": "constant in each shot"},
        ),
    ] = "dynamic"
    tripod: Annotated[bool, about("Keep the camera still wherever the crop allows.")] = False
    strength: Annotated[
        AxisStrength,
        about("Share of the motion that is removed, for all axes or as x=1,y=1,roll=0.5.", "--strength", "", "AXES"),
    ] = field(default_factory=AxisStrength)
    horizon_deg: Annotated[
        Annotated[float, Meta(ge=0, le=45)] | None,
        about(
            "Largest tilt of the horizon, 0 locks it; needs a gyroscope log with an accelerometer.",
            "--horizon",
            "degrees",
            "DEGREES",
            "as filmed",
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class RenderConfig(Settings):
    """How pixels are rendered."""

    interpolation: Annotated[
        Interpolation,
        about(
            "Interpolation kernel.",
            "--interpolation",
            choices={"bilinear": "fast and soft", "bicubic": "sharp", "lanczos": "sharpest, a quarter of the speed"},
        ),
    ] = "bicubic"
    backend: Annotated[
        BackendName,
        about(
            "Library that computes the pixels.", choices={"cpu": "OpenCV", "torch": "PyTorch, on a GPU if available"}
        ),
    ] = "cpu"
    device: Annotated[
        Device,
        about(
            "Device of PyTorch.",
            choices={"auto": "CUDA if available, else the CPU", "cpu": "the CPU", "cuda": "CUDA", "mps": "Metal"},
        ),
    ] = "auto"


@dataclass(frozen=True, slots=True)
class EncodeConfig(Settings):
    """How the output is encoded."""

    codec: Annotated[Codec | None, about("Video codec.", "--codec", none="as the input, if possible")] = None
    crf: Annotated[
        Annotated[float, Meta(ge=0, le=63)] | None,
        about(
            "Quality on the encoder's own scale, lower is better.",
            "--crf",
            "",
            "NUMBER",
            "h264 18, hevc 20, av1 24, vp9 24",
        ),
    ] = None
    preset: Annotated[
        Text | None,
        about("Speed preset of the encoder.", "--encoder-preset", "", "NAME", "h264 and hevc medium, av1 8, vp9 3"),
    ] = None
    pix_fmt: Annotated[
        Text | None, about("Pixel format, as FFmpeg names it.", "--pix-fmt", "", "NAME", "as the input, if possible")
    ] = None
    overwrite: Annotated[bool, about("Replace an existing output.")] = False
    threads: Annotated[Annotated[int, Meta(ge=0, le=64)], about("Threads of the encoder; 0 lets it choose.")] = 0
