"""All settings of a run: one frozen config per stage. TOML in, resolved TOML out; unknown keys are errors."""

from __future__ import annotations

import math
import tomllib
import types
import typing
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from localfiles import ReadError, read_text
from stabilize.errors import UsageError
from stabilize.fuse import FuseConfig
from stabilize.gyro_settings import GyroConfig
from stabilize.motion.settings import MotionConfig
from stabilize.path.settings import PathConfig
from stabilize.video.codecs import EncodeConfig
from stabilize.warp.planes import WarpConfig

LARGEST_TOML = 1 << 16
# Of a line. The parser takes time with the square of a dotted key's length; paths of files are shorter.
LONGEST_LINE = 1 << 11
SHOWN = 80  # characters of a value or key that a message repeats
WHOLE = 1 << 63  # what TOML promises for whole numbers
LONGEST_NAME = 40  # of a setting: what is longer is no slip of the fingers


@dataclass(frozen=True, slots=True)
class Config:
    """Every stage's settings; the defaults suit a hand-held clip."""

    motion: MotionConfig = field(default_factory=MotionConfig)
    gyro: GyroConfig = field(default_factory=GyroConfig)
    fuse: FuseConfig = field(default_factory=FuseConfig)
    path: PathConfig = field(default_factory=PathConfig)
    warp: WarpConfig = field(default_factory=WarpConfig)
    encode: EncodeConfig = field(default_factory=EncodeConfig)


PRESETS: dict[str, Mapping[str, Mapping[str, Any]]] = {
    "handheld": {},
    "walk": {"path": {"smoothness_s": 1.5, "max_crop": 0.22}},
    "action": {"path": {"smoothness_s": 0.8, "max_crop": 0.28}},
    "drone": {"path": {"smoothness_s": 2.0, "max_crop": 0.12}},
    "tripod": {"path": {"tripod": True}, "motion": {"reference": True}},
}


def updated(config: Any, changes: Mapping[str, Any], where: str = "") -> Any:
    """A config with nested `changes`; raises UsageError for unknown keys, wrong types and values out of range."""
    known = {f.name: f for f in fields(config)}
    hints = typing.get_type_hints(type(config))
    values = {}
    for key, value in changes.items():
        name = f"{where}.{key}" if where else key
        if key not in known:
            raise UsageError(f"unknown setting {shown(name)}{_meant(key, where)}; here there are: {', '.join(known)}")
        current = getattr(config, key)
        if is_dataclass(current) != isinstance(value, Mapping):
            raise UsageError(f"{name} is {'a table of settings' if is_dataclass(current) else 'one setting'}")
        values[key] = updated(current, value, name) if is_dataclass(current) else _typed(value, hints[key], name)
    try:
        return replace(config, **values)
    except ValueError as error:
        raise UsageError(f"{where or 'settings'}: {error}") from error


def shown(value: object) -> str:
    """A value as a message repeats it: of bounded length, whatever it holds."""
    if isinstance(value, int) and abs(value) >= WHOLE:  # Python refuses to write out the largest
        return "a whole number of more than 64 bits"
    if not isinstance(value, str | int | float | None):
        return f"a {type(value).__name__}"
    return repr(value if not isinstance(value, str) or len(value) <= SHOWN else value[:SHOWN] + "...")


def _meant(key: str, where: str) -> str:
    """The setting whose name is much like `key`, in the same table or in another."""
    if len(key) > LONGEST_NAME:
        return ""
    names = setting_names(Config())
    near = get_close_matches(f"{where}.{key}" if where else key, names, n=1, cutoff=0.75)
    same = {name.rpartition(".")[2]: name for name in names}
    near = near or [same[last] for last in get_close_matches(key, same, n=1, cutoff=0.75)]
    return f", perhaps {near[0]}" if near else ""


def setting_names(config: Any, prefix: str = "") -> list[str]:
    """Every setting and table under `config`, with its table's name before it."""
    names = []
    for f in fields(config):
        name = f"{prefix}{f.name}"
        value = getattr(config, f.name)
        names += [name, *(setting_names(value, f"{name}.") if is_dataclass(value) else ())]
    return names


def _typed(value: Any, hint: Any, name: str) -> Any:
    """A value of the hinted type; whole numbers serve as float, everything else must match."""
    _check_sound(value, name)
    if typing.get_origin(hint) is typing.Literal:
        allowed = typing.get_args(hint)
        if value not in allowed:
            raise UsageError(f"{name} must be one of {', '.join(map(str, allowed))}, not {shown(value)}")
        return value
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if float in kinds and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if (isinstance(value, bool) and bool not in kinds) or not isinstance(value, kinds):
        wanted = " or ".join(k.__name__ for k in kinds if k is not type(None))
        raise UsageError(f"{name} must be {wanted}, not {shown(value)}")
    return value


def _check_sound(value: Any, name: str) -> None:
    """Refuse what no setting can be, whatever its type."""
    if isinstance(value, int) and not -WHOLE <= value < WHOLE:
        raise UsageError(f"{name} must be a number of 64 bits, not {shown(value)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{name} must be a finite number, not {value}")
    if isinstance(value, str) and any(unicodedata.category(c) == "Cc" for c in value):
        raise UsageError(f"{name} must be text without control characters, not {shown(value)}")


def load_config(path: str | Path, base: Config | None = None) -> Config:
    """Settings from a TOML file on top of `base`."""
    try:
        changes = _parsed(read_text(path, LARGEST_TOML, "settings file"))
    except ReadError as error:
        raise UsageError(str(error)) from error
    except ValueError as error:
        raise UsageError(f"{path}: is not valid TOML ({error})") from error
    return typing.cast(Config, updated(base or Config(), changes))


def _parsed(toml: str) -> dict[str, Any]:
    """Raises ValueError, whatever is wrong, and in bounded time."""
    if max(map(len, toml.split("\n"))) > LONGEST_LINE:
        raise ValueError(f"a line has more than {LONGEST_LINE} characters")
    try:
        return tomllib.loads(toml)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def with_settings(config: Config, settings: Iterable[str]) -> Config:
    """Config with `key.name=value` strings applied; values are written as in TOML, bare words count as strings."""
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--set takes KEY=VALUE, as in path.smoothness_s=1.5, not {shown(setting)}")
        if len(setting) > LONGEST_LINE:
            raise UsageError(f"--set {shown(setting)}: has more than {LONGEST_LINE} characters")
        change: Any = _value(text.strip())
        for part in reversed(key.strip().split(".")):
            change = {part: change}
        config = updated(config, change)
    return config


def _value(text: str) -> Any:
    try:
        found = _parsed(f"value = {text}")
    except ValueError:
        return text
    return found["value"] if len(found) == 1 else text  # a line break may hide a second setting


def with_preset(config: Config, name: str) -> Config:
    """Config with a preset's settings."""
    if name not in PRESETS:
        raise UsageError(f"unknown preset {name!r}; there are: {', '.join(PRESETS)}")
    return typing.cast(Config, updated(config, PRESETS[name]))


def to_toml(config: Any, prefix: str = "") -> str:
    """The resolved settings as TOML that `load_config` reads back to the same."""
    lines, tables = [], []
    for f in fields(config):
        value = getattr(config, f.name)
        name = f"{prefix}.{f.name}" if prefix else f.name
        if is_dataclass(value):
            tables.append(f"[{name}]\n{to_toml(value, name)}")
        elif value is None:
            lines.append(f"# {f.name} = (as the input)")
        else:
            lines.append(f"{f.name} = {_toml_value(value)}")
    return "\n".join([*lines, *tables]) + ("\n" if lines and not tables else "")


def _toml_value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(_toml_letter(letter) for letter in value) + '"'
    return repr(value)


def _toml_letter(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    return letter if letter.isprintable() else f"\\U{ord(letter):08x}"
