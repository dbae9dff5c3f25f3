"""Settings: written and read as TOML, unknown keys, wrong types, hostile values."""

from __future__ import annotations

import math
import os
from dataclasses import asdict
from pathlib import Path

import pytest

from stabilize.config import (
    PRESETS,
    Config,
    entries,
    json_schema,
    load_config,
    settings_page,
    to_toml,
    updated,
    with_preset,
    with_settings,
)
from stabilize.errors import UsageError
from stabilize.settings import EncodeConfig, PathConfig, description

SHARED = Path(__file__).parents[3] / "shared" / "data"


def test_toml_round_trip(tmp_path: Path) -> None:
    changes = ["path.smoothness_s=2.5", "path.strength.roll=0.5", "encode.codec=hevc", "motion.mesh=false"]
    config = with_settings(Config(), changes)
    file = tmp_path / "settings.toml"
    file.write_text(to_toml(config))
    assert load_config(file) == config
    assert config.path.strength.roll == 0.5 and config.encode.codec == "hevc" and not config.motion.mesh


@pytest.mark.parametrize(
    "setting, message",
    [
        ("path.smoothnes=1", "did you mean path.smoothness_s"),
        ("nowhere.at.all=1", "unknown setting 'nowhere'"),
        ("path=1", "table of settings"),
        ("path.max_crop=much", "path.max_crop must be a number at least 0 and at most 0.6"),
        ("path.tripod=1", "path.tripod must be true or false"),
        ("motion.long_side=12.5", "must be a whole number"),
        ("path.zoom=wild", "one of"),
        ("path.max_crop=7", "at most 0.6"),
        ("path.max_crop", "KEY=VALUE"),
        ("path.strength.x=2", "at most 1"),
    ],
)
def test_the_message_says_what_is_wrong(setting: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        with_settings(Config(), [setting])


def test_toml_round_trip_of_special_characters_and_optional_settings(tmp_path: Path) -> None:
    config = Config(
        encode=EncodeConfig(preset='a "b" \\ #', pix_fmt="ü"),
        path=PathConfig(horizon_deg=3.0, smoothness_s=((0.0, 1.0), (5.0, 2.5)), max_crop=((0, 0.1), (2, 0.2))),
    )
    file = tmp_path / "settings.toml"
    file.write_text(to_toml(config), encoding="utf-8")
    assert load_config(file) == config


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -1, 0, 61, "1", True, [], [[0, 1], [0, 2]], [[1, 1], [0, 2]], [[0, -1]]]
)
def test_values_are_checked_on_construction_and_on_update(value) -> None:
    with pytest.raises(ValueError, match="smoothness_s"):
        PathConfig(smoothness_s=value)
    with pytest.raises(UsageError, match=r"path\.smoothness_s"):
        updated(Config(), {"path": {"smoothness_s": value}})


def test_the_schema_has_the_types_bounds_and_descriptions_of_the_settings() -> None:
    schema = json_schema()
    paths = schema["$defs"]["PathConfig"]["properties"]
    assert paths["max_crop"]["anyOf"][0] == {"type": "number", "minimum": 0, "maximum": 0.6}
    assert paths["smoothness_s"]["unit"] == "s" and paths["zoom"]["enum"] == ["dynamic", "static"]
    for entry in entries():
        table = schema["$defs"][type(_owner(entry.name)).__name__]["properties"]
        assert table[entry.name.rpartition(".")[2]]["description"] == description(entry.hint).description


def _owner(name: str) -> object:
    owner: object = Config()
    for part in name.split(".")[:-1]:
        owner = getattr(owner, part)
    return owner


def test_the_page_of_settings_is_up_to_date() -> None:
    page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
    assert page == settings_page(), "run `make settings`"


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_changes_just_its_settings(name: str) -> None:
    before, after = asdict(Config()), asdict(with_preset(Config(), name))
    changes = PRESETS[name].changes
    assert after == {section: before[section] | changes.get(section, {}) for section in before}


HOSTILE_SETTINGS = {
    "a dotted key": "path." * 25_000 + "a=1",
    "a shorter one": "a." * 900 + "b=1",
    "a dotted key inside": "path.max_crop={" + "a." * 900 + "b=1}",
    "nested arrays": "path.max_crop=" + "[" * 900 + "]" * 900,
    "arrays left open": "path.max_crop=" + "[" * 2_000,
    "5,000 digits": "motion.long_side=" + "9" * 5_000,
    "1,500 digits": "path.max_crop=" + "9" * 1_500,
    "as many in hex": "motion.long_side=0x" + "f" * 1_500,
    "65 bits": "encode.threads=18446744073709551616",
    "not a number": "path.max_crop=nan",
    "not a number for an optional setting": "encode.crf=nan",
    "infinity": "path.horizon_deg=-inf",
    "infinity in digits": "path.smoothness_s=1e999",
    "an escape": "gyro.lens=a\x1b]52;c;ZXZpbA==\x07",
    "an escape in escapes": 'gyro.lens="\\u001b[31m"',
    "a zero byte": "gyro.lens=a\0b",
    "a second setting": "path.tripod=true\npath.zoom=1",
    "a list": "path.zoom=[1]",
    "a date": "path.smoothness_s=1979-05-27",
}


@pytest.mark.timeout(5)
@pytest.mark.parametrize("setting", HOSTILE_SETTINGS.values(), ids=HOSTILE_SETTINGS.keys())
def test_hostile_values_are_refused_fast_with_a_short_message(setting: str) -> None:
    with pytest.raises(UsageError) as raised:
        with_settings(Config(), [setting])
    assert len(str(raised.value)) < 500


HOSTILE_FILES = {
    "dotted keys": "\n".join(f"k{i}." + "a." * 900 + "b=1" for i in range(30)),
    "one of 100 KB": "a." * 50_000 + "b=1",
    "one of 30 KB": "a." * 15_000 + "b=1",
    "headers": "\n".join(f"[k{i}." + "a." * 900 + "b]" for i in range(30)),
    "nested arrays": "a=" + "[\n" * 30_000,
    "nested tables": "path=" + "{a=" * 450 + "1" + "}" * 450,
    "a huge number": "[path]\nsmoothness_s=" + "9" * 1_500,
    "a huge number in hex": "[path]\nsmoothness_s=0x" + "f" * 1_500,
    "5,000 digits": "[path]\nsmoothness_s=" + "9" * 5_000,
    "an escape": '[gyro]\nlens="\\u001b[31m"',
    "only empty lines": "\n" * 2_000_000,
}


@pytest.mark.timeout(10)
@pytest.mark.parametrize("text", HOSTILE_FILES.values(), ids=HOSTILE_FILES.keys())
def test_hostile_files_are_refused_fast_with_a_short_message(text: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text)
    with pytest.raises(UsageError) as raised:
        load_config(file)
    assert len(str(raised.value)) < 500 + len(str(file))


@pytest.mark.timeout(10)
@pytest.mark.parametrize("name", ["deep.toml", "deep2.toml", "bigint.toml"])
def test_the_collected_hostile_files_are_refused(name: str) -> None:
    file = SHARED / "hostile" / name
    if not file.exists():
        pytest.skip(f"{file} is absent")
    with pytest.raises(UsageError):
        load_config(file)


@pytest.mark.timeout(10)
def test_pipes_and_devices_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    for file in (tmp_path / "pipe.toml", Path("/dev/zero")):
        with pytest.raises(UsageError, match="not a regular file"):
            load_config(file)


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_bytes(b"\xef\xbb\xbf[path]\r\nmax_crop = 0.1\r\n")
    assert load_config(tmp_path / "settings.toml").path.max_crop == 0.1


def test_files_that_are_not_settings_are_refused(tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_bytes(b"\xff\xfe = [")
    for file in (bad, tmp_path / "absent.toml", tmp_path):
        with pytest.raises(UsageError):
            load_config(file)
