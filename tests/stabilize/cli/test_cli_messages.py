"""Messages suggest a correction for typing errors, and never contain control characters."""

from __future__ import annotations

from fractions import Fraction

import pytest

from localfiles.text import clean
from tests.stabilize.video import clipmaker

SUGGESTIONS = [
    ("stabilise clip.mp4", "did you mean: stabilize run"),
    ("stabalize", "did you mean: stabilize run"),
    ("Stabilize clip.mp4", "did you mean: stabilize run"),
    ("analyze clip.mp4", "did you mean: stabilize analyse"),
    ("analyis", "did you mean: stabilize analyse"),
    ("rendr", "did you mean: stabilize render"),
    ("mertics a.mp4", "did you mean: stabilize metrics"),
    ("calibrat", "did you mean: stabilize calibrate"),
    ("gyro snyc a b", "'sync'"),
    ("clip.mp4", "to stabilise a video: stabilize run clip.mp4"),
    ("my/clip.MOV --tripod", "stabilize run my/clip.MOV"),
    ("run clip.mp4 --smoothnes 2", "--smoothness"),
    ("run --print-config --max-crop 20", "key frames [seconds, value], not 20; it is a share: 20 % is 0.2"),
    ("run --print-config --set path.max_crop=25", "25 % is 0.25"),
    ("run --print-config --strength 50", "it is a share: 50 % is 0.5"),
    ("run --print-config --set path.smothness_s=1", "'path.smothness_s'; did you mean path.smoothness_s?"),
    ("run --print-config --set paht.zoom=static", "'paht'; did you mean path?"),
    ("run --print-config --set smoothness_s=1", "did you mean path.smoothness_s?"),
    ("run --print-config --set path.strength.rol=1", "did you mean path.strength.roll?"),
    ("run --print-config --set smoothness=1", "did you mean path.smoothness_s?"),
    ("run --print-config --set max-crop=.1", "did you mean path.max_crop?"),
    ("run --print-config --config FILE", "did you mean encode.crf?"),
]


@pytest.mark.parametrize("words, hint", SUGGESTIONS, ids=[words for words, _ in SUGGESTIONS])
def test_a_correction_is_suggested(words, hint, tmp_path, cli):
    file = tmp_path / "mine.toml"
    file.write_text("[encode]\ncrff = 20\n")
    result = cli(*(str(file) if word == "FILE" else word for word in words.split()))
    assert result.code == 2 and result.err.count("\n") == 1 and hint in result.err


@pytest.mark.parametrize("words", ["xyzzy", "run --print-config --set qwerty=1", "run --print-config --max-crop 0.7"])
def test_nothing_is_suggested_if_nothing_is_similar(words, cli):
    result = cli(*words.split())
    assert result.code == 2 and not any(word in result.err for word in ("mean", "share"))


def test_a_file_as_a_command_is_quoted_for_the_shell(tmp_path, monkeypatch, cli):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my clip").write_text("x")
    assert "stabilize run 'my clip'" in cli("my clip").err


def test_a_command_has_precedence_over_a_file_of_the_same_name(tmp_path, monkeypatch, cli):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "info").write_text("x")
    assert "IN" in cli("info").err


EVIL = "\x1b]0;owned\x07\x1b]52;c;cm0gLXJm\x07\x1b[31m\u202e\x9b5n\r"


TIME_BASE = Fraction(1, 1000)


def write_tagged(path):
    """A clip with escape sequences in its title, chapter, track and handler names."""

    def tag(out, stream):
        out.metadata.update(title=EVIL, comment=EVIL, artist=EVIL)
        stream.metadata.update(title=EVIL, handler_name=EVIL, language="\x1b[2"[:3])
        out.set_chapters([{"id": 1, "start": 0, "end": 400, "time_base": TIME_BASE, "metadata": {"title": EVIL}}])

    return clipmaker.write(path, time_base=TIME_BASE, setup=tag, audio=[{"title": EVIL, "handler_name": EVIL}])


@pytest.mark.parametrize("suffix", [".mkv", pytest.param(".mp4", marks=pytest.mark.slow)])
def test_no_escape_sequence_of_a_file_reaches_the_terminal(suffix, tmp_path, forked):
    """Nor by a library that writes to the descriptors directly: therefore in another process."""
    clip = write_tagged(tmp_path / f"e{EVIL}vil{suffix}")
    motion = tmp_path / f"m{EVIL}.npz"
    log = tmp_path / f"e{EVIL}l.csv"
    log.write_text("t,gx,gy,gz\n" + "".join(f"{i / 100},{EVIL},0.2,0.3\n" for i in range(200)))
    toml = tmp_path / f"s{EVIL}.toml"
    toml.write_text('[gyro]\nlens = "a\\u001b[31m"\n')
    for words in (
        ["info", clip],
        ["info", clip, "--json"],
        ["run", clip],
        ["run", clip, "-y", "--json"],
        ["run", clip],
        ["run", clip, "-y", "--gyro", log],
        ["run", clip, "-y", "--config", toml],
        ["run", "--print-config", "--config", toml],
        ["analyse", clip, "-o", motion],
        ["analyse", clip, "-o", motion],
        ["render", clip, "--motion", motion, "-y"],
        ["render", clip, "--motion", log, "-y"],
        ["render", clip, "--motion", motion, "-y", "--debug", "--gyro", clip],
        ["run", log, "--debug"],
        ["run", clip, "--config", log],
        [EVIL],
        ["run", clip, EVIL],
        ["run", clip, f"--{EVIL}"],
        ["run", clip, "--set", EVIL],
        ["run", clip, "--set", f"path.{EVIL}=1"],
        ["run", clip, "--codec", EVIL],
    ):
        result = forked(*words, cwd=tmp_path)
        assert result.code in range(7), result
        raw = [c for c in result.out + result.err if c != "\n" and clean(c) != c]
        assert not raw, (words, raw, result.out + result.err)


def test_printed_settings_with_control_characters_can_be_read_back(tmp_path, cli):
    file = tmp_path / "s.toml"
    file.write_text('[encode]\npreset = "a\\u202e\\"\\\\ü"\n', encoding="utf-8")
    printed = cli("run", "--print-config", "--config", file).out
    assert "\u202e" not in printed
    file.write_text(printed, encoding="utf-8")
    assert cli("run", "--print-config", "--config", file).out == printed
