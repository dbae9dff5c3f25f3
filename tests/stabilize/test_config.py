"""Settings: TOML in and out, unknown keys, wrong types."""

from __future__ import annotations

from pathlib import Path

import pytest

from stabilize.config import PRESETS, Config, load_config, to_toml, with_preset, with_settings
from stabilize.errors import UsageError


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
        ("path.smoothnes=1", "unknown setting 'path.smoothnes'"),
        ("nowhere.at.all=1", "unknown setting 'nowhere'"),
        ("path=1", "table of settings"),
        ("path.max_crop=much", "path.max_crop must be float"),
        ("path.tripod=1", "path.tripod must be bool"),
        ("motion.long_side=12.5", "must be int"),
        ("path.zoom=wild", "one of"),
        ("path.max_crop=7", "between 0 and 0.6"),
        ("path.max_crop", "KEY=VALUE"),
        ("path.strength.x=2", "between 0 and 1"),
    ],
)
def test_a_wrong_setting_says_what_is_wrong(setting: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        with_settings(Config(), [setting])


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_valid(name: str) -> None:
    with_preset(Config(), name)


def test_files_that_are_no_settings_are_refused(tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_bytes(b"\xff\xfe = [")
    for file in (bad, tmp_path / "absent.toml", tmp_path):
        with pytest.raises(UsageError):
            load_config(file)
