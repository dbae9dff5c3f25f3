"""Stands decided as the frames come, against the same with the whole video at hand."""

from __future__ import annotations

import numpy as np
import pytest

from stabilize.core import MotionModel, PairMotion, PairStatus
from stabilize.motion.observation import FrameMotion, Observation
from stabilize.motion.stand_filter import StandFilter
from tests.stabilize.motion.whole_video_stand import still_pairs

HALF_PX, THUMB = 320.0, np.zeros((36, 64), np.uint8)
Story = tuple[list[tuple[int | None, bool]], np.ndarray, np.ndarray]


def made_up(seed: int, pairs: int) -> Story:
    """Stands, covers and gaps of all lengths, as `stand.advance` gives them: a stand is covered only once it has lasted
    ten frames, for 45 at the most, and has a new number each time.
    """
    rng = np.random.default_rng(seed)
    stands: list[tuple[int | None, bool]] = []
    while len(stands) < pairs:
        stands += [(None, False)] * int(rng.choice([0, 1, 5, 12, 13, 30, 90]))
        number, run = len(stands), int(rng.choice([1, 3, 9, 10, 11, 25]))
        stands += [(number, False)] * run
        while run >= 10 and rng.random() < 0.7:
            stands += [(number, True)] * int(rng.integers(1, 46))
            stands += [(number, False)] * (run := int(rng.choice([0, 1, 12])))
    still = rng.random(pairs) < rng.choice([0.3, 0.75, 0.95])
    shift = rng.normal(0, rng.choice([0.05, 0.4, 1.5]), (pairs, 2)) * ~still[:, None]
    return stands[:pairs], still, shift


def observations(story: Story) -> list[Observation]:
    found = [Observation(FrameMotion(0, 1.0, None), 1.0, THUMB)]
    for i, ((stand, covered), still, shift) in enumerate(zip(*story, strict=True)):
        H = np.eye(3)
        H[:2, 2] = shift / HALF_PX
        model = MotionModel.STILL if still else MotionModel.TRANSLATION
        motion = PairMotion(PairStatus.OK, model, H, np.ones((10, 17, 2), np.float16), 1.0, 0.0)
        found.append(Observation(FrameMotion(i + 1, 1.0, motion), 1.0, THUMB, stand, covered))
    return found


def held(frames: list[FrameMotion]) -> np.ndarray:
    return np.array([not frame.motion.mesh.any() for frame in frames if frame.motion is not None])


@pytest.mark.parametrize("seed", range(150))
def test_a_stand_in_the_stream_is_what_the_whole_video_says(seed: int) -> None:
    story = made_up(seed, pairs=280)
    stream = StandFilter(HALF_PX)
    out = [frame for one in observations(story) for frame in stream.push(one)] + stream.finish()
    assert [frame.pts for frame in out] == list(range(281))
    np.testing.assert_array_equal(held(out), still_pairs(*story))


def test_the_made_up_stories_are_not_all_alike() -> None:
    shares = [still_pairs(*made_up(seed, 280)).mean() for seed in range(150)]
    assert sum(0.05 < share < 0.95 for share in shares) > 75


@pytest.mark.parametrize("look_ahead", [0, 1, 20, 60, 300])
@pytest.mark.parametrize("seed", range(10))
def test_no_frame_waits_longer_than_the_declared_look_ahead(seed: int, look_ahead: int) -> None:
    stream = StandFilter(HALF_PX, look_ahead)
    out: list[int] = []
    for i, one in enumerate(observations(made_up(seed, 900))):
        out += [frame.pts for frame in stream.push(one)]
        assert len(out) >= i + 1 - look_ahead
    out += [frame.pts for frame in stream.finish()]
    assert out == list(range(901))


def test_a_stand_longer_than_any_look_ahead_stays_still() -> None:
    """Once it has lasted, nothing waits any more."""
    stream = StandFilter(HALF_PX, look_ahead=20)
    story: Story = [(0, False)] * 900, np.zeros(900, bool), np.full((900, 2), 0.1)
    out = [frame for one in observations(story) for frame in stream.push(one)]
    assert held(out).all() and len(out) == 901


def test_what_was_not_measured_is_not_held() -> None:
    stream = StandFilter(HALF_PX)
    story: Story = [(0, False)] * 20, np.zeros(20, bool), np.zeros((20, 2))
    frames = observations(story)
    lost = PairMotion(PairStatus.BLURRED, MotionModel.NONE, np.eye(3), np.ones((10, 17, 2), np.float16), 0.0, 0.0)
    frames[5] = Observation(FrameMotion(5, 1.0, lost), 0.0, THUMB, 0, False)
    out = [frame for one in frames for frame in stream.push(one)] + stream.finish()
    assert out[5].motion is lost
