"""Settings: TOML in and out, unknown keys, wrong types."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from stabilize.config import (
    PRESETS,
    Config,
    entries,
    json_schema,
    load_config,
    presets_table,
    settings_table,
    to_toml,
    updated,
    with_preset,
    with_settings,
)
from stabilize.errors import UsageError
from stabilize.settings import EncodeConfig, PathConfig, description


def test_what_is_printed_is_read_back_to_the_same(tmp_path: Path) -> None:
    changes = ["path.smoothness_s=2.5", "path.strength.roll=0.5", "encode.codec=hevc", "motion.mesh=false"]
    config = with_settings(Config(), changes)
    file = tmp_path / "settings.toml"
    file.write_text(to_toml(config))
    assert load_config(file) == config
    assert config.path.strength.roll == 0.5 and config.encode.codec == "hevc" and not config.motion.mesh


@pytest.mark.parametrize(
    "setting, said",
    [
        ("path.smoothnes=1", "did you mean 'smoothness_s'"),
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
def test_a_wrong_setting_says_what_is_wrong(setting: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        with_settings(Config(), [setting])


def test_text_of_any_kind_and_every_optional_setting_are_read_back(tmp_path: Path) -> None:
    config = Config(
        encode=EncodeConfig(preset='a "b"\\ \x01\x7f\n\t', pix_fmt="ü"),
        path=PathConfig(horizon_deg=3.0, smoothness_s=((0.0, 1.0), (5.0, 2.5)), max_crop=((0, 0.1), (2, 0.2))),
    )
    file = tmp_path / "settings.toml"
    file.write_text(to_toml(config), encoding="utf-8")
    assert load_config(file) == config


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -1, 0, 61, "1", True, [], [[0, 1], [0, 2]], [[1, 1], [0, 2]], [[0, -1]]]
)
def test_a_value_is_checked_however_it_comes(value) -> None:
    with pytest.raises(ValueError, match="smoothness_s"):
        PathConfig(smoothness_s=value)
    with pytest.raises(UsageError, match=r"path\.smoothness_s"):
        updated(Config(), {"path": {"smoothness_s": value}})


def test_the_schema_accepts_what_the_settings_accept_and_nothing_else() -> None:
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


def test_the_page_of_settings_is_made_from_their_descriptions() -> None:
    page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
    assert settings_table() in page and presets_table() in page, "make settings writes it anew"


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_valid(name: str) -> None:
    with_preset(Config(), name)


def test_files_that_are_no_settings_are_refused(tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_bytes(b"\xff\xfe = [")
    for file in (bad, tmp_path / "absent.toml", tmp_path):
        with pytest.raises(UsageError):
            load_config(file)
