"""The options that stand for settings, made from their descriptions; each command takes those of its stages."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from stabilize.config import (
    PRESETS,
    Config,
    Entry,
    entries,
    load_config,
    nested,
    parsed,
    preset_values,
    schema_text,
    to_toml,
    updated,
    with_preset,
    with_settings,
)
from stabilize.errors import UsageError
from stabilize.settings import kinds

PANELS = {
    "motion": "Motion and path",
    "path": "Motion and path",
    "gyro": "Gyroscope: what is known, the rest is detected",
    "render": "Output",
    "encode": "Output",
}
SETTINGS_PANEL = "Settings"


def _option(kind: Any, name: str, text: str, panel: str, **more: Any) -> Any:
    return Annotated[kind | None, typer.Option(name, help=text, rich_help_panel=panel, show_default=False, **more)]


def _parameter(entry: Entry) -> str:
    return str(entry.extra["option"]).lstrip("-").replace("-", "_")


@cache
def options() -> dict[str, Entry]:
    """Parameter -> setting, for every setting that has an option."""
    return {_parameter(entry): entry for entry in entries() if entry.extra["option"]}


def _annotation(entry: Entry) -> Any:
    """What Typer needs to know of a setting's option: choices, numbers, or text that the setting itself checks."""
    text, panel = f"{entry.text} (default: {entry.default_text})", PANELS[entry.name.split(".")[0]]
    literal = next((k for k in kinds(entry.hint) if typing.get_origin(k) is typing.Literal), None)
    if literal is None:
        return _option(str, entry.extra["option"], text, panel, metavar=entry.extra["metavar"] or None)
    return _option(_choice(typing.get_args(literal)), entry.extra["option"], text, panel)


def _choice(values: Iterable[str]) -> Any:
    """An enumeration, which Typer shows, checks and completes."""
    return StrEnum("Choice", {value: value for value in values})


def _presets_text() -> str:
    values = {name: ", ".join(preset_values(preset)) for name, preset in PRESETS.items()}
    described = (f"{name}: {preset.text} ({values[name] or 'the defaults'})" for name, preset in PRESETS.items())
    return f"Settings for a kind of clip, which a file, options and --set override. {'; '.join(described)}."


COMMON: dict[str, Any] = {
    "config": _option(Path, "--config", "Settings from a file.", SETTINGS_PANEL, metavar="FILE.toml"),
    "settings": _option(
        list[str],
        "--set",
        "Any one setting, as in path.smoothness_s=1.5; may be repeated. docs/settings.md lists them.",
        SETTINGS_PANEL,
        metavar="KEY=VALUE",
    ),
    "print_config": Annotated[
        bool,
        typer.Option("--print-config", help="Print all settings as TOML and stop.", rich_help_panel=SETTINGS_PANEL),
    ],
    "print_schema": Annotated[
        bool,
        typer.Option(
            "--print-schema", help="Print a JSON schema of all settings and stop.", rich_help_panel=SETTINGS_PANEL
        ),
    ],
}
PRESET = _option(_choice(PRESETS), "--preset", _presets_text(), PANELS["path"])
TRIPOD = Annotated[
    bool, typer.Option("--tripod", help="Hold the camera still, without drift.", rich_help_panel=PANELS["path"])
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

    def check_unused(self, *sections: str, why: str) -> None:
        """Raises UsageError where an option or --set means settings of sections that have no say."""
        said = [
            entry.extra["option"]
            for name, entry in options().items()
            if name in self.values and _of(entry.name) in sections
        ]
        said += [f"--set {setting}" for setting in self.settings if _of(setting.strip()) in sections]
        said += ["--tripod"] if self.tripod else []
        if said:
            raise UsageError(f"{said[0]} has no effect here: {why}")

    def resolve(self) -> Config:
        """The settings; raises UsageError."""
        config = Config() if self.preset is None else with_preset(Config(), self.preset)
        if self.file is not None:
            config = load_config(self.file, config)
        if self.tripod:
            config = with_preset(config, "tripod")
        for name, value in self.values.items():
            config = _with_option(config, options()[name], value)
        config = with_settings(config, self.settings)
        return updated(config, {"encode": {"overwrite": True}}) if self.overwrite else config


def _of(name: str) -> str:
    """The section that a setting belongs to."""
    return name.partition(".")[0]


def _with_option(config: Config, entry: Entry, text: str) -> Config:
    """A config with one option's value; raises UsageError that names the option."""
    option = entry.extra["option"]
    value: Any = text
    if str not in kinds(entry.hint):
        value = _axes(text) if entry.name == "path.strength" else _value(str(text))
    try:
        return typing.cast(Config, updated(config, nested(entry.name, value)))
    except UsageError as error:
        raise UsageError(f"{option}: {error}") from error


def _value(text: str) -> Any:
    """A number, a word, or key frames as in 0:1.5,10:2 (seconds:value)."""
    if ":" not in text:
        return parsed(text)
    return [[parsed(part) for part in pair.partition(":")[::2]] for pair in text.split(",")]


def _axes(text: str) -> dict[str, Any]:
    """x=1,y=1,roll=0.5, or one number for all axes."""
    words = [word.partition("=") for word in text.split(",")]
    if len(words) == 1 and not words[0][1]:
        return dict.fromkeys(("x", "y", "roll"), parsed(text))
    return {axis.strip(): parsed(value) for axis, _, value in words}


def with_settings_options(*sections: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options for the named sections of the config; it gets them as `choices`."""
    names = [name for name, entry in options().items() if entry.name.split(".")[0] in sections]

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
            wanted = given.pop("print_config"), given.pop("print_schema")
            if any(wanted):
                _print(to_toml(choices.resolve()) if wanted[0] else schema_text())
            else:
                command(choices=choices, **given)

        own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name != "choices"]
        added = {"preset": PRESET} | ({"tripod": TRIPOD} if {"motion", "path"} & {*sections} else {})
        added |= {name: _annotation(options()[name]) for name in names} | COMMON
        wrapper.__signature__ = inspect.Signature([*own, *_parameters(added)])  # type: ignore[attr-defined]
        wrapper.__annotations__ = {}
        return wrapper

    return decorate


def _parameters(annotations: dict[str, Any]) -> list[inspect.Parameter]:
    kind = inspect.Parameter.KEYWORD_ONLY
    return [
        inspect.Parameter(name, kind, default=False if typing.get_args(a)[0] is bool else None, annotation=a)
        for name, a in annotations.items()
    ]


def _print(text: str) -> None:
    from localfiles.terminal import say

    for line in text.splitlines():
        say(line)
