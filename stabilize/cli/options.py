"""Command line options of the settings, generated from their descriptions; each command has those of its stages."""

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
    parse_value,
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
    "gyro": "Gyroscope (default: auto-detected)",
    "render": "Output",
    "encode": "Output",
}
SETTINGS_PANEL = "Settings"


def _option(kind: Any, name: str, text: str, panel: str, **arguments: Any) -> Any:
    return Annotated[kind | None, typer.Option(name, help=text, rich_help_panel=panel, show_default=False, **arguments)]


def _parameter_name(entry: Entry) -> str:
    return str(entry.extra["option"]).lstrip("-").replace("-", "_")


@cache
def options() -> dict[str, Entry]:
    """Parameter name -> setting, for every setting that has an option."""
    return {_parameter_name(entry): entry for entry in entries() if entry.extra["option"]}


def _annotation(entry: Entry) -> Any:
    """Annotation of a parameter for Typer: an enumeration, or text that is checked as a setting later."""
    text, panel = f"{entry.text} (default: {entry.default_text})", PANELS[entry.name.split(".")[0]]
    literal = next((k for k in kinds(entry.hint) if typing.get_origin(k) is typing.Literal), None)
    if literal is None:
        return _option(str, entry.extra["option"], text, panel, metavar=entry.extra["metavar"] or None)
    return _option(_enumeration(typing.get_args(literal)), entry.extra["option"], text, panel)


def _enumeration(values: Iterable[str]) -> Any:
    """An enumeration: Typer shows, checks and completes its values."""
    return StrEnum("Choice", {value: value for value in values})


def _presets_text() -> str:
    values = {name: ", ".join(preset_values(preset)) for name, preset in PRESETS.items()}
    described = (f"{name}: {preset.text} ({values[name] or 'the defaults'})" for name, preset in PRESETS.items())
    return f"Settings for a kind of clip; --config, options and --set override them. {'; '.join(described)}."


COMMON: dict[str, Any] = {
    "config": _option(Path, "--config", "Settings from a file.", SETTINGS_PANEL, metavar="FILE.toml"),
    "settings": _option(
        list[str],
        "--set",
        "A setting by name, for example path.smoothness_s=1.5; repeatable. docs/settings.md lists them all.",
        SETTINGS_PANEL,
        metavar="KEY=VALUE",
    ),
    "print_config": Annotated[
        bool,
        typer.Option("--print-config", help="Print all settings as TOML and exit.", rich_help_panel=SETTINGS_PANEL),
    ],
    "print_schema": Annotated[
        bool,
        typer.Option(
            "--print-schema", help="Print a JSON schema of all settings and exit.", rich_help_panel=SETTINGS_PANEL
        ),
    ],
}
PRESET = _option(_enumeration(PRESETS), "--preset", _presets_text(), PANELS["path"])
TRIPOD = Annotated[
    bool, typer.Option("--tripod", help="Keep the camera still, without drift.", rich_help_panel=PANELS["path"])
]


@dataclass(frozen=True, slots=True)
class Choices:
    """Settings from the command line. Later ones override earlier ones: preset, file, options, --set."""

    preset: str | None = None
    """Name of a preset."""
    file: Path | None = None
    """TOML file of --config."""
    tripod: bool = False
    """Whether --tripod is given."""
    values: dict[str, Any] = field(default_factory=dict)
    """Values of the options that are given, by parameter name."""
    settings: tuple[str, ...] = ()
    """`KEY=VALUE` of each --set."""
    overwrite: bool = False
    """Whether --overwrite is given."""

    def check_unused(self, *sections: str, reason: str) -> None:
        """Raise UsageError if an option or --set changes a setting of these sections, which have no effect."""
        unused = [
            entry.extra["option"]
            for name, entry in options().items()
            if name in self.values and _section(entry.name) in sections
        ]
        unused += [f"--set {setting}" for setting in self.settings if _section(setting.strip()) in sections]
        unused += ["--tripod"] if self.tripod else []
        if unused:
            raise UsageError(f"{unused[0]} has no effect here: {reason}")

    def resolve(self) -> Config:
        """Return the resulting settings. Raises UsageError for unknown settings and invalid values."""
        config = Config() if self.preset is None else with_preset(Config(), self.preset)
        if self.file is not None:
            config = load_config(self.file, config)
        if self.tripod:
            config = with_preset(config, "tripod")
        for name, value in self.values.items():
            config = _with_option(config, options()[name], value)
        config = with_settings(config, self.settings)
        return updated(config, {"encode": {"overwrite": True}}) if self.overwrite else config


def _section(name: str) -> str:
    """The section of a setting."""
    return name.partition(".")[0]


def _with_option(config: Config, entry: Entry, text: str) -> Config:
    """Apply the value of an option. Raises UsageError with the name of the option."""
    option = entry.extra["option"]
    value: Any = text
    if str not in kinds(entry.hint):
        value = _parse_axes(text) if entry.name == "path.strength" else _parse_value(str(text))
    try:
        return typing.cast(Config, updated(config, nested(entry.name, value)))
    except UsageError as error:
        raise UsageError(f"{option}: {error}") from error


def _parse_value(text: str) -> Any:
    """A number, a word, or key frames such as 0:1.5,10:2 (seconds:value)."""
    if ":" not in text:
        return parse_value(text)
    return [[parse_value(part) for part in pair.partition(":")[::2]] for pair in text.split(",")]


def _parse_axes(text: str) -> dict[str, Any]:
    """x=1,y=1,roll=0.5, or one number for all axes."""
    parts = [part.partition("=") for part in text.split(",")]
    if len(parts) == 1 and not parts[0][1]:
        return dict.fromkeys(("x", "y", "roll"), parse_value(text))
    return {axis.strip(): parse_value(value) for axis, _, value in parts}


def with_settings_options(*sections: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate a command: it gets the options of these sections of the config, and their values as `choices`."""
    names = [name for name, entry in options().items() if _section(entry.name) in sections]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def wrapper(**arguments: Any) -> None:
            values = {name: arguments.pop(name) for name in names}
            choices = Choices(
                preset=arguments.pop("preset"),
                file=arguments.pop("config"),
                tripod=arguments.pop("tripod", False),
                values={name: value for name, value in values.items() if value is not None},
                settings=tuple(arguments.pop("settings") or ()),
                overwrite=arguments.get("overwrite", False),
            )
            print_config, print_schema = arguments.pop("print_config"), arguments.pop("print_schema")
            if print_config:
                _print(to_toml(choices.resolve()))
            elif print_schema:
                _print(schema_text())
            else:
                command(choices=choices, **arguments)

        parameters = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name != "choices"]
        added = {"preset": PRESET} | ({"tripod": TRIPOD} if {"motion", "path"} & {*sections} else {})
        added |= {name: _annotation(options()[name]) for name in names} | COMMON
        wrapper.__signature__ = inspect.Signature([*parameters, *_parameters(added)])  # type: ignore[attr-defined]
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
