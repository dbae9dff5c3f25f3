"""Options change the settings that they are documented to change."""

from __future__ import annotations

import tomllib
from dataclasses import asdict
from typing import Any, get_args

import pytest

from stabilize import config
from stabilize.cli.options import Choices
from stabilize.motion.sources import SOURCES
from stabilize.rendering.sampling import SAMPLERS
from stabilize.settings import kinds
from stabilize.video.codecs import ENCODERS
from tests.stabilize.cli.result import CommandResult

OPTIONS = [
    ("--smoothness 2.5", {"path": {"smoothness_s": 2.5}}),
    ("--max-crop 0.1", {"path": {"max_crop": 0.1}}),
    ("--zoom static", {"path": {"zoom": "static"}}),
    ("--tripod", {"path": {"tripod": True}, "motion": {"reference": True}}),
    ("--preset walk", {"path": {"smoothness_s": 1.5, "max_crop": 0.25}}),
    ("--codec hevc --crf 21 --encoder-preset fast", {"encode": {"codec": "hevc", "crf": 21.0, "preset": "fast"}}),
    ("--pix-fmt yuv444p", {"encode": {"pix_fmt": "yuv444p"}}),
    ("--strength x=0.5,roll=0", {"path": {"strength": {"x": 0.5, "roll": 0.0}}}),
    ("--strength 0.25", {"path": {"strength": {"x": 0.25, "y": 0.25, "roll": 0.25}}}),
    ("--flow dis", {"motion": {"flow": "dis"}}),
    ("--interpolation lanczos", {"render": {"interpolation": "lanczos"}}),
    ("--smoothness 0:1,2.5:3", {"path": {"smoothness_s": [[0, 1], [2.5, 3]]}}),
    ("--overwrite", {"encode": {"overwrite": True}}),
    ("--set path.zoom=static --set motion.long_side=320", {"path": {"zoom": "static"}, "motion": {"long_side": 320}}),
]


def printed(result: CommandResult) -> dict[str, Any]:
    assert result.code == 0, result.err
    return tomllib.loads(result.out)


def as_toml(resolved: config.Config) -> dict[str, Any]:
    """A config as TOML stores it, which has no null."""

    def without_none(value: Any) -> Any:
        if isinstance(value, tuple):
            return [without_none(item) for item in value]
        return {k: without_none(v) for k, v in value.items() if v is not None} if isinstance(value, dict) else value

    return dict(without_none(asdict(resolved)))


@pytest.mark.parametrize("words, changes", OPTIONS, ids=[words for words, _ in OPTIONS])
def test_each_option_changes_its_setting_and_no_other(words, changes, cli):
    assert printed(cli("run", "--print-config", *words.split())) == as_toml(config.updated(config.Config(), changes))


def test_file_overrides_preset_options_override_the_file_and_set_overrides_all(tmp_path, cli):
    file = tmp_path / "mine.toml"
    file.write_text("[path]\nsmoothness_s = 3.0\nmax_crop = 0.3\n[encode]\ncrf = 30.0\n")
    words = ["--set", "encode.crf=12", "--max-crop", "0.25", "--config", file, "--preset", "drone", "--crf", "20"]
    settings = printed(cli("run", "--print-config", *words))
    assert settings["path"]["smoothness_s"] == 3.0  # the file overrides the preset
    assert settings["path"]["max_crop"] == 0.25  # the option overrides both
    assert settings["encode"]["crf"] == 12.0  # --set overrides all


def test_the_printed_settings_can_be_read_back(tmp_path, cli):
    words = ["--preset", "action", "--codec", "ffv1", "--strength", "x=0.3"]
    first = cli("run", "--print-config", *words).out
    file = tmp_path / "printed.toml"
    file.write_text(first)
    assert cli("run", "--print-config", "--config", file).out == first


def test_choices_are_the_entries_of_the_registries():
    def choices(name):
        return set(get_args(kinds({e.name: e for e in config.entries()}[name].hint)[0]))

    assert choices("motion.flow") == set(SOURCES)
    assert choices("render.interpolation") == set(SAMPLERS)
    assert choices("encode.codec") == set(ENCODERS)


def test_every_choice_of_a_setting_is_described():
    for entry in config.entries():
        if entry.extra.get("choices"):
            literal = next(k for k in kinds(entry.hint) if get_args(k))
            assert tuple(entry.extra["choices"]) == get_args(literal)


@pytest.mark.parametrize(
    "words, message",
    [
        ("--max-crop 20", "it is a share: 20 % is 0.2"),
        ("--smoothness much", "--smoothness"),
        ("--smoothness 0:1,0:2", "key frames with increasing times"),
        ("--strength x=2", "at most 1"),
        ("--set path.smothness=1", "smoothness_s"),
        ("--crf nan", "--crf"),
    ],
)
def test_the_message_for_an_invalid_value_names_option_and_valid_values(words, message, cli):
    result = cli("run", "--print-config", *words.split())
    assert result.code == 2 and message in result.err


def test_help_shows_flags_without_a_value_and_the_defaults_of_settings(cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")  # one line for each option
    help_text = cli("run", "-h").out
    assert "<bool>" not in help_text
    for name in ("smoothness_s", "max_crop", "zoom"):
        assert f"(default: {getattr(config.Config().path, name)})" in help_text, name
    for name, preset in config.PRESETS.items():
        assert f"{name}: {preset.text} ({', '.join(config.preset_values(preset)) or 'the defaults'})" in help_text, name


def test_without_options_the_settings_are_the_defaults():
    assert Choices().resolve() == config.Config()


def test_commands_take_the_options_of_their_stages(cli):
    assert cli("analyse", "--crf", "3").code == 2
    assert cli("render", "--flow", "dis", "--motion", "m.npz").code == 2
    assert printed(cli("analyse", "--print-config", "--tripod"))["motion"]["reference"] is True


def test_the_log_is_passed_to_the_pipeline(clip, cli, monkeypatch):
    from stabilize import pipeline

    logs = []
    stabilize_video = pipeline.stabilize_video

    def record_log(source, target, config=None, progress=None, gyro=None):
        logs.append(gyro)
        return stabilize_video(source, target, config, progress)

    monkeypatch.setattr(pipeline, "stabilize_video", record_log)
    assert cli("run", clip, "-q", "--gyro", clip.with_name("log.gcsv")).code == 0
    assert logs == [clip.with_name("log.gcsv")]
