"""All settings of a run: one frozen config per stage. TOML in, resolved TOML out; unknown keys are errors."""

from __future__ import annotations

import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from stabilize.errors import UsageError
from stabilize.fuse import FuseConfig
from stabilize.gyro_settings import GyroConfig
from stabilize.motion.settings import MotionConfig
from stabilize.path.settings import PathConfig
from stabilize.rendering.settings import WarpConfig
from stabilize.video.codecs import EncodeConfig

LARGEST_TOML = 1 << 20


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
            raise UsageError(f"unknown setting {name!r}; here there are: {', '.join(known)}")
        current = getattr(config, key)
        if is_dataclass(current) != isinstance(value, Mapping):
            raise UsageError(f"{name} is {'a table of settings' if is_dataclass(current) else 'one setting'}")
        values[key] = updated(current, value, name) if is_dataclass(current) else _typed(value, hints[key], name)
    try:
        return replace(config, **values)
    except ValueError as error:
        raise UsageError(f"{where or 'settings'}: {error}") from error


def _typed(value: Any, hint: Any, name: str) -> Any:
    """A value of the hinted type; whole numbers serve as float, everything else must match."""
    if typing.get_origin(hint) is typing.Literal:
        allowed = typing.get_args(hint)
        if value not in allowed:
            raise UsageError(f"{name} must be one of {', '.join(map(str, allowed))}, not {value!r}")
        return value
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if float in kinds and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if (isinstance(value, bool) and bool not in kinds) or not isinstance(value, kinds):
        wanted = " or ".join(k.__name__ for k in kinds if k is not type(None))
        raise UsageError(f"{name} must be {wanted}, not {value!r}")
    return value


def load_config(path: str | Path, base: Config | None = None) -> Config:
    """Settings from a TOML file on top of `base`."""
    file = Path(path)
    try:
        if file.stat().st_size > LARGEST_TOML:
            raise UsageError(f"{file}: larger than 1 MiB; that is no settings file")
        changes = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{file}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: is not valid TOML ({error})") from error
    return typing.cast(Config, updated(base or Config(), changes))


def with_settings(config: Config, settings: Iterable[str]) -> Config:
    """Config with `key.name=value` strings applied; values are written as in TOML, bare words count as strings."""
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--set takes KEY=VALUE, as in path.smoothness_s=1.5, not {setting!r}")
        change: Any = _value(text.strip())
        for part in reversed(key.strip().split(".")):
            change = {part: change}
        config = updated(config, change)
    return config


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


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
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)
