"""The stream: frame by frame, in parts or all at once, it gives the same, and nothing later than it declares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from fractions import Fraction
from functools import cache
from itertools import pairwise

import cv2
import numpy as np
import pytest

from samples import CLIPS, generate
from stabilize.core import FrameGeometry, Motion, MotionModel
from stabilize.motion.estimate import estimate_motion
from stabilize.motion.observation import FrameMotion
from stabilize.motion.sources import SOURCES, DenseField, MotionSource, Needs, PicturePair
from stabilize.motion.stream import MotionStream, View, follow_views, picture_size, prepare_view
from stabilize.settings import MotionConfig

GEOMETRY, TIME_BASE = FrameGeometry(320, 180), Fraction(1, 30)
Shown = tuple[int, np.ndarray]
CONFIGS = {
    "klt": MotionConfig(),
    "dis": MotionConfig(flow="dis"),
    "reference": MotionConfig(reference=True),
}


@cache
def clip() -> tuple[Shown, ...]:
    """Hand-held with a stand in the middle, a cut, and black frames."""
    spec = replace(CLIPS["flat-handheld"], duration_s=1.0)
    shaken = [cv2.resize(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), (320, 180)) for _, rgb in generate(spec)]
    other = [cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY) for _, rgb in generate(replace(CLIPS["walk"], duration_s=0.25))]
    other = [cv2.resize(picture, (320, 180)) for picture in other]
    frames = [*shaken[:5], np.zeros_like(shaken[0]), *shaken[5:20], *[shaken[20]] * 16, *shaken[20:25], *other]
    return tuple((i, frame) for i, frame in enumerate(frames))


def whole(config: MotionConfig) -> Motion:
    return estimate_motion(clip(), GEOMETRY, TIME_BASE, config, keep=lambda _: True)


def same_as_whole(frames: Sequence[FrameMotion], motion: Motion) -> None:
    assert [frame.pts for frame in frames] == motion.timeline.pts.tolist()
    assert frames[0].motion is None
    for i, frame in enumerate(frames[1:]):
        assert frame.motion is not None and frame.matches is not None
        for name in ("H_next_prev", "mesh", "status", "model"):
            np.testing.assert_array_equal(getattr(motion, name)[i], getattr(frame.motion, name))
        here = motion.matches.pair == i
        for name in ("prev_unit", "next_unit", "weight"):
            np.testing.assert_array_equal(getattr(motion.matches, name)[here], getattr(frame.matches, name))


@pytest.mark.parametrize("name", CONFIGS)
def test_frame_by_frame_is_the_same_as_all_at_once(name: str) -> None:
    stream = MotionStream(GEOMETRY, TIME_BASE, CONFIGS[name], keep=lambda _: True)
    frames = [frame for shown in clip() for frame in stream.push(shown)] + stream.finish()
    motion = whole(CONFIGS[name])
    assert len(motion.shots) == 2  # the cut is in it,
    assert name == "reference" or (motion.model == MotionModel.STILL).sum() >= 15  # and the stand
    same_as_whole(frames, motion)


@pytest.mark.parametrize("name", CONFIGS)
def test_two_halves_are_the_same_as_the_whole(name: str) -> None:
    """Each half prepared and followed by itself, as on another machine."""
    config = CONFIGS[name]
    stream = MotionStream(GEOMETRY, TIME_BASE, config, keep=lambda _: True)
    middle, frames = len(clip()) // 2, []
    for half in (clip()[:middle], clip()[middle:]):
        views: list[View] = list(map(prepare_view, half))
        for view in views if config.reference else follow_views(views, SOURCES[config.flow]):
            frames += stream.push(view)
    same_as_whole(frames + stream.finish(), whole(config))


@pytest.mark.parametrize("stand_look_ahead", [0, 7])
def test_no_frame_lags_more_than_is_declared(stand_look_ahead: int) -> None:
    stream = MotionStream(GEOMETRY, TIME_BASE, MotionConfig(mesh=False), stand_look_ahead=stand_look_ahead)
    done = 0
    for i, shown in enumerate(clip()):
        done += len(stream.push(shown))
        assert done >= i + 1 - stream.look_ahead
    assert done + len(stream.finish()) == len(clip())
    assert stream.look_ahead == stand_look_ahead + 2


def test_the_mesh_has_more_nodes_along_the_longer_side() -> None:
    turned = [(pts, np.ascontiguousarray(picture.T)) for pts, picture in clip()[:4]]
    upright = estimate_motion(turned, FrameGeometry(180, 320), TIME_BASE, MotionConfig())
    assert upright.mesh_shape == (17, 10)
    across = estimate_motion(clip()[:4], GEOMETRY, TIME_BASE, MotionConfig())
    assert across.mesh_shape == (10, 17)
    np.testing.assert_allclose(upright.mesh[..., ::-1].swapaxes(1, 2), across.mesh, atol=2e-3)


def test_matches_are_few_well_spread_and_only_where_they_are_wanted() -> None:
    motion = estimate_motion(clip(), GEOMETRY, TIME_BASE, MotionConfig(), keep=lambda time_s: 0.2 < time_s < 0.4)
    assert set(motion.matches.pair.tolist()) == set(range(6, 11))  # the pairs that end in frames 7 to 11
    first = motion.matches.pair == 6
    assert 60 < first.sum() <= 240
    spread = np.ptp(motion.matches.prev_unit[first], axis=0) / (2 * np.array(GEOMETRY.half_extent))
    assert (spread > 0.8).all()
    assert not len(estimate_motion(clip()[:3], GEOMETRY, TIME_BASE, MotionConfig()).matches)


# A second client of the contract: a dense source with a confidence of its own, which wants colour and several pairs.
SHIFT_PX = np.array([3.0, -2.0], np.float32)


def known_field(pair: PicturePair) -> DenseField:
    """On half the size: the true shift, but nonsense where a quarter of the picture says that it is not sure."""
    height, width = pair.prev.gray.shape
    flow = np.broadcast_to(SHIFT_PX, (height // 2, width // 2, 2)).copy()
    confidence = np.ones(flow.shape[:2], np.float32)
    unsure = np.s_[:, : width // 4]
    flow[unsure], confidence[unsure] = (11, 5), 0.05
    return DenseField(flow, confidence)


@pytest.fixture
def own_source(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """In place of `dis`: settings know no other names. Gives the sizes of the batches."""
    batches: list[int] = []

    def load(device: str) -> Callable[[Sequence[PicturePair]], list[DenseField]]:
        assert device == "cpu:1"

        def follow(pairs: Sequence[PicturePair]) -> list[DenseField]:
            assert all(pair.next.rgb is not None and pair.next.rgb.shape == (90, 160, 3) for pair in pairs)
            batches.append(len(pairs))
            return [known_field(pair) for pair in pairs]

        return follow

    needs = Needs(pixels="rgb", long_side_px=160, batch=4, device="cpu:1")
    monkeypatch.setitem(SOURCES, "dis", MotionSource(load, needs))
    return batches


def test_a_source_with_confidence_of_its_own_is_believed_where_it_is_sure(own_source: list[int]) -> None:
    config = MotionConfig(flow="dis")
    assert picture_size(GEOMETRY, config) == (160, 90)
    rng = np.random.default_rng(0)
    base = cv2.GaussianBlur(rng.integers(0, 255, (90, 160, 3), dtype=np.uint8), (5, 5), 0)
    pictures = [(i, np.asarray(np.roll(base, (-2 * i, 3 * i), axis=(0, 1)), np.uint8)) for i in range(10)]
    motion = estimate_motion(pictures, GEOMETRY, TIME_BASE, config, keep=lambda _: True)
    assert motion.measured.all()
    T = FrameGeometry(160, 90).T_px_unit
    for H in motion.H_next_prev:
        moved = T @ H @ np.linalg.inv(T) @ [79.5, 44.5, 1]
        np.testing.assert_allclose(moved[:2] / moved[2] - [79.5, 44.5], SHIFT_PX, atol=0.02)
    assert (np.abs(motion.mesh) < 1e-3).all()
    sure = motion.matches.prev_unit[:, 0] > -0.5
    assert len(sure) > 100 and sure.all()
    assert own_source == [3, 4, 2]


def test_a_doubtful_match_pulls_less(own_source: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights between nothing and one count as far as they go."""
    found = {}
    for weight in (0.15, 1.0):

        def field(pair: PicturePair, weight: float = weight) -> DenseField:
            known = known_field(pair)
            flow, confidence = known.flow.copy(), np.ones_like(known.confidence)
            flow[:, : flow.shape[1] // 2] += (0.5, 0)
            confidence[:, : flow.shape[1] // 2] = weight
            return DenseField(np.where(flow > 10, SHIFT_PX, flow).astype(np.float32), confidence)

        source = MotionSource(lambda _: lambda pairs: [field(pair) for pair in pairs], Needs())
        monkeypatch.setitem(SOURCES, "dis", source)
        motion = estimate_motion(clip()[:3], GEOMETRY, TIME_BASE, MotionConfig(flow="dis", mesh=False))
        found[weight] = float(motion.H_next_prev[0, 0, 2]) * 160
    assert abs(found[0.15] - 3) < abs(found[1.0] - 3)


def test_the_stages_know_no_more_than_two_frames() -> None:
    """What the second stage says of a pair does not depend on what came before."""
    views = [prepare_view(shown) for shown in clip()[:6]]
    together = list(follow_views(views, SOURCES["klt"]))
    for (a, b), followed in zip(pairwise(views), together[1:], strict=True):
        alone = list(follow_views([a, b], SOURCES["klt"]))[1]
        assert alone.matches is not None and followed.matches is not None
        for field in fields(alone.matches):
            np.testing.assert_array_equal(getattr(alone.matches, field.name), getattr(followed.matches, field.name))
