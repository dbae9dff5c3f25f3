"""All settings of a run: one frozen dataclass per stage, TOML, presets, the tables of docs/settings.md, JSON schema.

Everything is generated from the descriptions in `stabilize.settings`.
"""

from __future__ import annotations

import difflib
import json
import tomllib
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from localfiles import ReadError, read_text
from stabilize.errors import UsageError
from stabilize.settings import (
    EncodeConfig,
    FuseConfig,
    GyroConfig,
    MotionConfig,
    PathConfig,
    RenderConfig,
    brief,
    checked,
    description,
    hints,
    requirement,
)

MAX_TOML_BYTES = 1 << 20
# The parser's time grows with the square of a dotted key's length. Long enough for any path of a file.
MAX_LINE_CHARACTERS = 1 << 11
MAX_NAME_CHARACTERS = 40  # a longer unknown name is not a typo of a setting, and is not compared with them
MAX_DEPTH = 8  # nested tables; the settings themselves need three


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of every stage. The defaults suit a hand-held clip."""

    motion: MotionConfig = field(default_factory=MotionConfig)
    gyro: GyroConfig = field(default_factory=GyroConfig)
    fuse: FuseConfig = field(default_factory=FuseConfig)
    path: PathConfig = field(default_factory=PathConfig)
    render: RenderConfig = field(default_factory=RenderConfig)
    encode: EncodeConfig = field(default_factory=EncodeConfig)


@dataclass(frozen=True, slots=True)
class Preset:
    """Settings for a kind of clip."""

    text: str
    """The kind of clip."""
    changes: Mapping[str, Mapping[str, Any]]
    """Section -> setting -> value."""


# Measured on clips of each kind: benchmarks/README.md, "Presets".
PRESETS: dict[str, Preset] = {
    "handheld": Preset("hand-held camera, the default", {}),
    "walk": Preset("walking with the camera; steadier, more crop", {"path": {"smoothness_s": 1.5, "max_crop": 0.25}}),
    "action": Preset("strong shake, fast motion; most crop", {"path": {"smoothness_s": 1.5, "max_crop": 0.3}}),
    "drone": Preset("wide views; least crop, constant zoom", {"path": {"max_crop": 0.09, "zoom": "static"}}),
    "tripod": Preset("camera that should not move at all", {"path": {"tripod": True}, "motion": {"reference": True}}),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting as shown in the documents and on the command line."""

    name: str
    """Dotted name, for example path.smoothness_s."""
    hint: Any
    """Annotated type."""
    default: Any
    """Default value."""

    @property
    def text(self) -> str:
        """Its description, and that of each choice."""
        note = description(self.hint)
        choices = "; ".join(f"{value}: {meaning}" for value, meaning in self.extra["choices"].items())
        return f"{note.description}{f' {choices}.' if choices else ''}"

    @property
    def extra(self) -> dict[str, Any]:
        """The other arguments of `settings.about`: option, unit, metavar, none, choices."""
        return typing.cast("dict[str, Any]", description(self.hint).extra)

    @property
    def default_text(self) -> str:
        """The default as text."""
        if self.default is None:
            return str(self.extra["none"])
        if is_dataclass(self.default):
            return ", ".join(f"{name}={value:g}" for name, value in asdict(self.default).items())  # type: ignore[call-overload, arg-type, unused-ignore]
        return toml_value(self.default).strip('"')


def entries(config: Any = None, prefix: str = "") -> Iterator[Entry]:
    """Yield every setting. Within a table, sub-tables come last, as TOML requires."""
    config = Config() if config is None else config
    for f in sorted(fields(config), key=lambda f: is_dataclass(getattr(config, f.name))):
        value, name = getattr(config, f.name), f"{prefix}{f.name}"
        hint = hints(type(config))[f.name]
        if hasattr(hint, "__metadata__"):
            yield Entry(name, hint, value)
        if is_dataclass(value):
            yield from entries(value, f"{name}.")


def updated(config: Any, changes: Mapping[str, Any], where: str = "") -> Any:
    """Return a config with nested `changes`. Raises UsageError for unknown keys, wrong types, values out of range."""
    known = hints(type(config))
    values = {}
    for key, value in changes.items():
        name = f"{where}.{key}" if where else key
        if key not in known:
            raise UsageError(_unknown(name, list(known)))
        current = getattr(config, key)
        if is_dataclass(current) != isinstance(value, Mapping):
            raise UsageError(f"{name} is {'a table of settings' if is_dataclass(current) else 'a single setting'}")
        if is_dataclass(current):
            values[key] = updated(current, value, name)
            continue
        try:
            values[key] = checked(value, known[key], name)
        except ValueError as error:
            raise UsageError(str(error)) from error
    return replace(config, **values)


def _unknown(name: str, known: list[str]) -> str:
    similar = _similar_setting(name)
    hint = f"; did you mean {similar}?" if similar else ";"
    return f"unknown setting {brief(name)}{hint} available here: {', '.join(known)}"


def _similar_setting(name: str) -> str:
    """The setting with the most similar name, in this table or another; "" if there is none."""
    if len(name) > MAX_NAME_CHARACTERS:
        return ""
    names = [*(f.name for f in fields(Config)), *(entry.name for entry in entries())]
    full_names = {known.rpartition(".")[2]: known for known in names}
    by_full_name = difflib.get_close_matches(name, names, n=1, cutoff=0.75)
    by_last_part = difflib.get_close_matches(name.rpartition(".")[2], full_names, n=1, cutoff=0.75)
    return by_full_name[0] if by_full_name else full_names[by_last_part[0]] if by_last_part else ""


def load_config(path: str | Path, base: Config | None = None) -> Config:
    """Return `base` with the settings of a TOML file. Raises UsageError for files and settings that are not valid."""
    try:
        changes = _parse_toml(read_text(path, MAX_TOML_BYTES, "settings file"))
    except ReadError as error:
        raise UsageError(str(error)) from error
    except ValueError as error:
        raise UsageError(f"{path}: not valid TOML ({error})") from error
    return typing.cast(Config, updated(base or Config(), changes))


def _parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML in bounded time. Raises ValueError for any error."""
    if max(map(len, text.split("\n"))) > MAX_LINE_CHARACTERS:
        raise ValueError(f"a line has more than {MAX_LINE_CHARACTERS} characters")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def with_settings(config: Config, settings: Iterable[str]) -> Config:
    """Apply `key.name=value` strings. Values are written as in TOML; anything that is not TOML is a string.

    Raises UsageError for unknown settings and invalid values.
    """
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--set takes KEY=VALUE, for example path.smoothness_s=1.5, not {brief(setting)}")
        if len(setting) > MAX_LINE_CHARACTERS:
            raise UsageError(f"--set {brief(setting)}: longer than {MAX_LINE_CHARACTERS} characters")
        config = updated(config, nested(key.strip(), parse_value(text.strip())))
    return config


def nested(key: str, value: Any) -> dict[str, Any]:
    """Nested tables for a dotted key. Raises UsageError if they are more than MAX_DEPTH."""
    if key.count(".") >= MAX_DEPTH:
        raise UsageError(f"unknown setting {brief(key)}; a setting is named like path.smoothness_s")
    for part in reversed(key.split(".")):
        value = {part: value}
    return typing.cast("dict[str, Any]", value)


def parse_value(text: str) -> Any:
    """Parse a value written as in TOML; anything that is not TOML is a string."""
    try:
        table = _parse_toml(f"value = {text}")
    except ValueError:
        return text
    return table["value"] if len(table) == 1 else text  # a line break may hide a second setting


def with_preset(config: Config, name: str) -> Config:
    """Apply the settings of a preset. Raises UsageError for an unknown name."""
    if name not in PRESETS:
        raise UsageError(f"unknown preset {brief(name)}; available: {', '.join(PRESETS)}")
    return typing.cast(Config, updated(config, PRESETS[name].changes))


def to_toml(config: Config) -> str:
    """All settings as TOML. `load_config` reads the same settings back."""
    lines = []
    for entry in entries(config):
        table, _, name = entry.name.rpartition(".")
        if is_dataclass(entry.default):
            continue
        if f"[{table}]" not in lines:
            lines += ["", f"[{table}]"]
        if entry.default is None:
            lines.append(f"# {name} is not set: {entry.extra['none']}")
        else:
            lines.append(f"{name} = {toml_value(entry.default)}")
    return "\n".join(lines).strip() + "\n"


def toml_value(value: Any) -> str:
    """A value as TOML; control characters are escaped."""
    import tomli_w

    text = tomli_w.dumps({"value": value}).strip().partition(" = ")[2].replace("\n", "")
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in text)


def json_schema() -> dict[str, Any]:
    """JSON schema of all settings (type, range, default, unit, description), from which a page can build a form."""
    return msgspec.json.schema(Config)


def settings_table() -> str:
    """All settings as a table in Markdown, for docs/settings.md."""
    lines = ["| setting | option | what it does | values | default |", "| --- | --- | --- | --- | --- |"]
    for entry in entries():
        option = f"`{entry.extra['option']}`" if entry.extra["option"] else ""
        values = "" if is_dataclass(entry.default) else requirement(entry.hint)
        lines.append(f"| `{entry.name}` | {option} | {entry.text} | {values} | {entry.default_text} |")
    return "\n".join(lines) + "\n"


def presets_table() -> str:
    """All presets as a table in Markdown."""
    lines = ["| preset | for | settings |", "| --- | --- | --- |"]
    for name, preset in PRESETS.items():
        lines.append(f"| `{name}` | {preset.text} | {', '.join(preset_values(preset)) or 'the defaults'} |")
    return "\n".join(lines) + "\n"


def preset_values(preset: Preset) -> list[str]:
    """The settings of a preset, for example path.max_crop=0.22."""
    return [
        f"{section}.{name}={toml_value(value)}"
        for section, values in preset.changes.items()
        for name, value in values.items()
    ]


def schema_text() -> str:
    """`json_schema` as text."""
    return json.dumps(json_schema(), indent=1) + "\n"


PAGE = """# Settings

Every setting has a name for `--set path.smoothness_s=1.5` and for `--config FILE.toml`; some also have an option.
`stabilize run --print-config` prints all of them as TOML, `--print-schema` as a JSON schema. Later ones override
earlier ones: defaults, `--preset`, `--config`, options, `--set`.

Settings that accept key frames may vary over time: `--smoothness 0:1,10:2.5` or, in TOML,
`smoothness_s = [[0, 1], [10, 2.5]]`: seconds since the first frame and value, with linear interpolation.

This page is generated by `make settings`.

{settings}
## Presets

{presets}"""


def settings_page() -> str:
    """docs/settings.md."""
    return PAGE.format(settings=settings_table(), presets=presets_table())


if __name__ == "__main__":
    print(settings_page(), end="")
