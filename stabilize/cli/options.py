"""The options that stand for settings: one table, from which each command takes what it needs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from stabilize.config import Config

Preset = StrEnum("Preset", ["handheld", "walk", "action", "drone", "tripod"])
Zoom = StrEnum("Zoom", ["dynamic", "static"])
Flow = StrEnum("Flow", ["klt", "dis"])
Interpolation = StrEnum("Interpolation", ["bilinear", "bicubic", "lanczos"])
Codec = StrEnum("Codec", ["h264", "hevc", "av1", "vp9", "prores", "ffv1"])

_MOTION, _GYRO, _RESULT, _SETTINGS = (
    "How it is steadied",
    "Gyroscope: what is known (the rest is found out)",
    "What is written",
    "Settings",
)


def _option(kind: Any, name: str, text: str, panel: str, **more: Any) -> Any:
    return Annotated[kind | None, typer.Option(name, help=text, rich_help_panel=panel, show_default=False, **more)]


# Parameter -> (key in the config, option).
OPTIONS: dict[str, tuple[str, Any]] = {
    "smoothness": (
        "path.smoothness_s",
        _option(float, "--smoothness", "Time over which the camera is kept even (1.0).", _MOTION, metavar="SECONDS"),
    ),
    "max_crop": (
        "path.max_crop",
        _option(
            float, "--max-crop", "The largest share of the width that may be cut off (0.2).", _MOTION, metavar="SHARE"
        ),
    ),
    "zoom": (
        "path.zoom",
        _option(Zoom, "--zoom", "One crop for each shot, or one that follows the need (dynamic).", _MOTION),
    ),
    "strength": (
        "path.strength",
        _option(
            str,
            "--strength",
            "Share of the motion that is taken out, 0 to 1: of each axis, as in x=1,y=1,roll=0.5, or of all.",
            _MOTION,
            metavar="AXES",
        ),
    ),
    "horizon": (
        "path.horizon_deg",
        _option(
            float,
            "--horizon",
            "How far the horizon may lean; 0 locks it. Needs a gyroscope log with an accelerometer.",
            _MOTION,
            metavar="DEGREES",
        ),
    ),
    "gyro_columns": (
        "gyro.columns",
        _option(str, "--gyro-columns", "t,gx,gy,gz[,ax,ay,az]: names of columns, or numbers from 1.", _GYRO),
    ),
    "gyro_units": ("gyro.gyro_unit", _option(str, "--gyro-units", "rad/s, deg/s, or rad/s per count.", _GYRO)),
    "time_unit": ("gyro.time_unit", _option(str, "--time-unit", "s, ms, us, ns, or seconds per count.", _GYRO)),
    "focal": ("gyro.focal_px", _option(float, "--focal", "Focal length in pixels.", _GYRO, metavar="PIXELS")),
    "lens": ("gyro.lens", _option(str, "--lens", "Lens profile.", _GYRO, metavar="FILE")),
    "flow": ("motion.flow", _option(Flow, "--flow", "How points are followed (klt).", _MOTION)),
    "interpolation": (
        "warp.interpolation",
        _option(Interpolation, "--interpolation", "How pixels between pixels are read (bicubic).", _RESULT),
    ),
    "codec": ("encode.codec", _option(Codec, "--codec", "Video codec (as the input, where possible).", _RESULT)),
    "crf": (
        "encode.crf",
        _option(float, "--crf", "Quality in the encoder's own scale, lower is better (h264: 18).", _RESULT),
    ),
    "encoder_preset": (
        "encode.preset",
        _option(
            str,
            "--encoder-preset",
            "Speed of the encoder (h264, hevc: medium; av1: 8; vp9: 3).",
            _RESULT,
            metavar="NAME",
        ),
    ),
    "pix_fmt": (
        "encode.pix_fmt",
        _option(str, "--pix-fmt", "Pixel format, in FFmpeg's words (as the input).", _RESULT, metavar="NAME"),
    ),
}
COMMON: dict[str, Any] = {
    "config": _option(Path, "--config", "Settings from a file.", _SETTINGS, metavar="FILE.toml"),
    "settings": _option(
        list[str],
        "--set",
        "Any one setting, as in path.smoothness_s=1.5; may be repeated.",
        _SETTINGS,
        metavar="KEY=VALUE",
    ),
    "print_config": Annotated[
        bool, typer.Option("--print-config", help="Print all settings as TOML and stop.", rich_help_panel=_SETTINGS)
    ],
}
PRESET = _option(Preset, "--preset", "Settings for a kind of clip; other options go before them.", _MOTION)
TRIPOD = Annotated[
    bool, typer.Option("--tripod", help="Hold the camera still, without drift.", rich_help_panel=_MOTION)
]


@dataclass(frozen=True, slots=True)
class Choices:
    """What the command line asks of the settings. In rising order: preset, file, options, --set."""

    preset: str | None = None
    file: Path | None = None
    tripod: bool = False
    values: dict[str, Any] = field(default_factory=dict)
    settings: tuple[str, ...] = ()
    overwrite: bool = False

    def resolve(self) -> Config:
        """The settings; raises UsageError."""
        from stabilize.config import PRESETS, Config, load_config, updated, with_preset, with_settings

        config = Config() if self.preset is None else with_preset(Config(), self.preset)
        if self.file is not None:
            config = load_config(self.file, config)
        if self.tripod:
            config = updated(config, PRESETS["tripod"])
        for name, value in self.values.items():
            config = updated(config, _nested(OPTIONS[name][0], _strength(value) if name == "strength" else value))
        config = with_settings(config, self.settings)
        return updated(config, {"encode": {"overwrite": True}}) if self.overwrite else config


def _nested(key: str, value: Any) -> dict[str, Any]:
    for part in reversed(key.split(".")):
        value = {part: value}
    return value  # type: ignore[no-any-return]


def _strength(text: str) -> dict[str, float]:
    """x=1,y=1,roll=0.5, or one number for all axes."""
    words = [word.partition("=") for word in text.split(",")]
    try:
        if len(words) == 1 and not words[0][1]:
            return dict.fromkeys(("x", "y", "roll"), float(text))
        return {axis.strip(): float(value) for axis, _, value in words}
    except ValueError as error:
        from stabilize.errors import UsageError

        raise UsageError(f"--strength takes x=1,y=1,roll=0.5 or one number, not {text!r}") from error


def with_settings_options(*sections: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options for the named sections of the config; it gets them as `choices`."""
    names = [name for name, (key, _) in OPTIONS.items() if key.split(".")[0] in sections]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def wrapper(**given: Any) -> None:
            values = {name: given.pop(name) for name in names}
            choices = Choices(
                preset=given.pop("preset"),
                file=given.pop("config"),
                tripod=given.pop("tripod", False),
                values={name: value for name, value in values.items() if value is not None},
                settings=tuple(given.pop("settings") or ()),
                overwrite=given.get("overwrite", False),
            )
            if given.pop("print_config"):
                _print_config(choices)
            else:
                command(choices=choices, **given)

        own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name != "choices"]
        added = {"preset": PRESET} | ({"tripod": TRIPOD} if {"motion", "path"} & {*sections} else {})
        added |= {name: OPTIONS[name][1] for name in names} | COMMON
        wrapper.__signature__ = inspect.Signature([*own, *_parameters(added)])  # type: ignore[attr-defined]
        wrapper.__annotations__ = {}
        return wrapper

    return decorate


def _parameters(annotations: dict[str, Any]) -> list[inspect.Parameter]:
    flags = {"tripod", "print_config"}
    kind = inspect.Parameter.KEYWORD_ONLY
    return [
        inspect.Parameter(name, kind, default=False if name in flags else None, annotation=annotation)
        for name, annotation in annotations.items()
    ]


def _print_config(choices: Choices) -> None:
    from stabilize.cli.text import say
    from stabilize.config import to_toml

    say(to_toml(choices.resolve()).rstrip("\n"))
