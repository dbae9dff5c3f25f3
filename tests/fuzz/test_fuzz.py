"""A short campaign with a fixed seed; a longer one, or another seed: `python -m tests.fuzz`."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from . import mutants
from .campaign import Campaign
from .server import Server

SEED = 20261124


def test_the_same_seed_makes_the_same_mutants():
    data = bytes(range(256)) * 20
    for name in ("a.mp4", "log.csv"):
        first, again, other = (mutants.damaged(Random(s), name, data) for s in ("1 2", "1 2", "1 3"))
        assert first == again != other


def test_sound_files_pass(tmp_path):
    """Without this the mutants could all be refused for a reason that has nothing to do with their damage."""
    with Server() as server:
        campaign = Campaign(SEED)
        campaign._prepare(tmp_path, server)
        for name, data in campaign.sound.items():
            (tmp_path / name).write_bytes(data)
        video = tmp_path / "a.mp4"
        for name in campaign.sound:
            words = ["info", tmp_path / name]
            if name.endswith((".csv", ".gcsv", ".raw")):
                words = ["gyro", "info", tmp_path / name]
            elif name.endswith(".npz"):
                option, out = f"--{name.removesuffix('.npz')}", tmp_path / f"{name}.mkv"
                words = ["render", video, option, tmp_path / name, "-o", out]
            elif name.endswith(".toml"):
                words = ["run", "--print-config", "--config", tmp_path / name]
            ended = server(*words)
            assert ended.code == 0, (name, ended.err)


def test_the_campaign_sees_what_is_wrong(tmp_path, monkeypatch):
    """A limit that no run keeps makes every run a failure."""
    monkeypatch.setattr("fuzz.campaign.PEAK_MIB", 1)
    failures = list(Campaign(SEED, 2, keep=tmp_path).failures())
    assert [f.number for f in failures] == [0, 1] and "MiB" in failures[0].reasons[0]
    assert (tmp_path / f"{SEED}-0" / "plain.mp4").exists()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_mutant_breaks_the_command_line():
    failures = [f"{f.number}: {f.reasons} {f.words} {f.ended.err[-200:]!r}" for f in Campaign(SEED, 300).failures()]
    assert not failures, f"seed {SEED}\n" + "\n".join(failures)


def test_motions_are_damaged_in_their_arrays():
    import io

    out = io.BytesIO()
    header = np.frombuffer(b'{"schema": 1, "geometry": {"width": 9}}', np.uint8)
    np.savez(out, header=header, pts=np.arange(5), mesh=np.zeros((4, 2, 2, 2), np.float16))
    readable = 0
    for number in range(40):
        try:
            with np.load(io.BytesIO(mutants.damaged(Random(number), "m.npz", out.getvalue()))) as file:
                readable += all(file[name] is not None for name in file.files)
        except Exception:  # noqa: BLE001 - damaged it may be in any way
            pass
    assert readable > 15
