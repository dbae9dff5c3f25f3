"""A mistake is answered with what was probably meant."""

from __future__ import annotations

import pytest

from localfiles.text import clean
from tests.stabilize.video import clipmaker

MEANT = [
    ("stabilise clip.mp4", "did you mean: stabilize run"),
    ("stabalize", "did you mean: stabilize run"),
    ("Stabilize clip.mp4", "did you mean: stabilize run"),
    ("analyze clip.mp4", "did you mean: stabilize analyse"),
    ("analyis", "did you mean: stabilize analyse"),
    ("rendr", "did you mean: stabilize render"),
    ("mertics a.mp4", "did you mean: stabilize metrics"),
    ("calibrat", "did you mean: stabilize calibrate"),
    ("gyro snyc a b", "'sync'"),
    ("clip.mp4", "to make a video steady: stabilize run clip.mp4"),
    ("my/clip.MOV --tripod", "stabilize run my/clip.MOV"),
    ("run clip.mp4 --smoothnes 2", "--smoothness"),
    ("run --print-config --max-crop 20", "key frames [seconds, value], not 20; it is a share: 20 % is 0.2"),
    ("run --print-config --set path.max_crop=25", "25 % is 0.25"),
    ("run --print-config --strength 50", "it is a share: 50 % is 0.5"),
    ("run --print-config --set path.smothness_s=1", "'path.smothness_s', perhaps path.smoothness_s"),
    ("run --print-config --set paht.loss=l2", "'paht', perhaps path"),
    ("run --print-config --set smoothness_s=1", "perhaps path.smoothness_s"),
    ("run --print-config --set path.strength.rol=1", "perhaps path.strength.roll"),
    ("run --print-config --set smoothness=1", "perhaps path.smoothness_s"),
    ("run --print-config --set max-crop=.1", "perhaps path.max_crop"),
    ("run --print-config --config FILE", "perhaps encode.crf"),
]


@pytest.mark.parametrize("words, hint", MEANT, ids=[words for words, _ in MEANT])
def test_what_was_meant_is_named(words, hint, tmp_path, cli):
    file = tmp_path / "mine.toml"
    file.write_text("[encode]\ncrff = 20\n")
    ended = cli(*(str(file) if word == "FILE" else word for word in words.split()))
    assert ended.code == 2 and ended.err.count("\n") == 1 and hint in ended.err


@pytest.mark.parametrize("words", ["xyzzy", "run --print-config --set qwerty=1", "run --print-config --max-crop 0.7"])
def test_nothing_is_guessed_where_nothing_is_near(words, cli):
    ended = cli(*words.split())
    assert ended.code == 2 and not any(word in ended.err for word in ("mean", "perhaps", "share"))


def test_a_file_as_a_command_is_quoted_for_the_shell(tmp_path, monkeypatch, cli):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my clip").write_text("x")
    assert "stabilize run 'my clip'" in cli("my clip").err


def test_a_command_is_never_taken_for_a_file(tmp_path, monkeypatch, cli):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "info").write_text("x")
    assert "IN" in cli("info").err


EVIL = "\x1b]0;owned\x07\x1b]52;c;cm0gLXJm\x07\x1b[31m\u202e\x9b5n\r"


def tagged(path):
    """A clip whose name, title, chapter, track and handler names steer a terminal."""

    def tag(out, stream):
        out.metadata.update(title=EVIL, comment=EVIL, artist=EVIL)
        stream.metadata.update(title=EVIL, handler_name=EVIL, language="\x1b[2"[:3])
        out.set_chapters([{"id": 1, "start": 0, "end": 400, "time_base": path_base(), "metadata": {"title": EVIL}}])

    return clipmaker.write(path, time_base=path_base(), setup=tag, audio=[{"title": EVIL, "handler_name": EVIL}])


def path_base():
    from fractions import Fraction

    return Fraction(1, 1000)


@pytest.mark.parametrize("suffix", [".mkv", pytest.param(".mp4", marks=pytest.mark.slow)])
def test_nothing_that_a_file_says_reaches_the_terminal_as_it_is(suffix, tmp_path, forked):
    """Libraries included, which write past Python: that is why it runs in a process of its own."""
    clip = tagged(tmp_path / f"e{EVIL}vil{suffix}")
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
        ended = forked(*words, cwd=tmp_path)
        assert ended.code in range(7), ended
        raw = [c for c in ended.out + ended.err if c != "\n" and clean(c) != c]
        assert not raw, (words, raw, ended.out + ended.err)


def test_settings_with_letters_that_steer_can_be_printed_and_read_back(tmp_path, cli):
    file = tmp_path / "s.toml"
    file.write_text('[encode]\npreset = "a\\u202e\\"\\\\ü"\n', encoding="utf-8")
    printed = cli("run", "--print-config", "--config", file).out
    assert "\u202e" not in printed
    file.write_text(printed, encoding="utf-8")
    assert cli("run", "--print-config", "--config", file).out == printed
