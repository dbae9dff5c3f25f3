"""The solver against an independent one, against mathematics, and on hard cases."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import clarabel
import numpy as np
import pytest
import scipy.sparse as sp
from scipy.interpolate import interp1d
from scipy.ndimage import gaussian_filter

from stabilize.core import CameraPath, FrameGeometry, Timeline, field_nodes
from stabilize.errors import SolveError
from stabilize.fields.similarity import compose, inverse, to_complex, to_real
from stabilize.parallel import THREADS_MAX, cores
from stabilize.path import interior_point as ip
from stabilize.path.crop import half_span, margins
from stabilize.path.differences import differences
from stabilize.path.measure import shake
from stabilize.path.similarity import SimilarityPath
from stabilize.path.solve import OVERLAP, WINDOW, _pull_in, solve_path
from stabilize.settings import AxisStrength, PathConfig

HD = FrameGeometry(640, 360)


def _walk(frames: int, seed: int = 0, shake: float = 0.01, roll: float = 0.004) -> np.ndarray:
    """Steps (frames - 1, 4) of a camera that shakes about a place: white poses, so steps are large against drift."""
    rng = np.random.default_rng(seed)
    pose = np.stack([np.exp(1j * rng.normal(0, roll, frames)), rng.normal(0, shake, (frames, 2)) @ [1, 1j]], axis=1)
    return to_real(compose(inverse(pose[1:]), pose[:-1]))


def _camera(step: np.ndarray, wobble: float = 0.0, seed: int = 1, shots: tuple[slice, ...] = ()) -> CameraPath:
    frames = len(step) + 1
    rough = np.random.default_rng(seed).normal(0, 6 * wobble, (frames, 10, 17, 2))
    field = gaussian_filter(rough, (0, 1.5, 1.5, 0), mode="nearest").clip(-0.02, 0.02).astype(np.float16)
    timeline = Timeline(np.arange(frames, dtype=np.int64), Fraction(1, 30))
    return CameraPath(timeline, HD, step, np.ones(len(step)), field, shots or (slice(0, frames),))


def _over_pixels(nodes: np.ndarray) -> np.ndarray:
    """The field at the pixels along the edges and at every 16th line, by plain interpolation between its nodes."""
    x, y = field_nodes(nodes.shape[1], 640), field_nodes(nodes.shape[0], 360)
    rows = np.asarray(interp1d(y, nodes, axis=0)(np.r_[0:359:16, 359]), np.float64)
    return np.asarray(interp1d(x, rows, axis=1)(np.arange(640)))


def _own_field(path: SimilarityPath, index: int) -> np.ndarray:
    return path.field(index, path.timeline.time_at(index)).source_px


def _stays_inside(stable: SimilarityPath) -> bool:
    fields = (_over_pixels(_own_field(stable, i)) for i in range(0, len(stable.crop_pose), 7))
    return all(field.min() >= 0 and (field <= np.array([639, 359])).all() for field in fields)


def _problem(step: np.ndarray, loss: str) -> ip.Problem:
    n = len(step) + 1
    terms = tuple(
        ip.Term(d, np.full((d.factor.shape[1], 4), w))
        for d, w in zip(differences(to_complex(step), np.ones(n - 1)), (1.0, 10.0, 100.0), strict=True)
    )
    g = np.array([[-1.0, 0, 0, 0], [1, 0.5, 1, 0], [1, -0.5, -1, 0], [0.5, 1, 0, 1], [0.5, -1, 0, -1]])
    limit = np.tile([-0.8, 1.0, 1.0, 0.55, 0.55], (n, 1))
    start = np.tile([0.85, 0, 0, 0], (n, 1))
    return ip.Problem(terms, np.tile([-0.1, 0, 0, 0], (n, 1)), g, limit, start, loss)  # type: ignore[arg-type]


def _dense(term: ip.Term, n: int) -> np.ndarray:
    columns = [to_real(term.difference(to_complex(e.reshape(n, 4)))).ravel() for e in np.eye(4 * n)]
    return np.array(columns).T


@pytest.mark.parametrize("seed", range(3))
def test_it_agrees_with_an_independent_solver(seed: int) -> None:
    problem = _problem(_walk(60, seed), "l1")
    n = 60
    A = sp.csc_matrix(np.vstack([_dense(t, n) for t in problem.terms]))
    c = np.concatenate([to_real(t.difference.offset).ravel() for t in problem.terms])
    w = np.concatenate([t.weight.ravel() for t in problem.terms])
    eye, G = sp.eye(len(c)), sp.kron(sp.eye(n), problem.g)
    rows = sp.vstack(
        [sp.hstack([A, -eye]), sp.hstack([-A, -eye]), sp.hstack([G, sp.csr_matrix((G.shape[0], len(c)))])], format="csc"
    )
    bound = np.concatenate([-c, c, problem.limit.ravel()])
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    size = 4 * n + len(c)
    cost = np.concatenate([problem.cost.ravel(), w])
    cones = [clarabel.NonnegativeConeT(len(bound))]
    oracle = clarabel.DefaultSolver(sp.csc_matrix((size, size)), cost, rows, bound, cones, settings).solve()
    best = np.array(oracle.x[: 4 * n]).reshape(n, 4)
    found = ip.solve(problem, tolerance=1e-7)
    assert ip.objective(problem, found) == pytest.approx(ip.objective(problem, best), rel=1e-3)


def test_least_squares_without_active_limits_has_the_closed_form() -> None:
    step = _walk(40, 3, shake=0.001)
    problem = _problem(step, "l2")
    wide = ip.Problem(problem.terms, np.zeros((40, 4)), problem.g, problem.limit + 100, problem.start, "l2")
    found = ip.solve(wide, tolerance=1e-10)
    for term in wide.terms:  # a path that undoes the camera has no difference of any order
        assert np.abs(to_real(term.difference(to_complex(found)) + term.difference.offset)).max() < 1e-4


def test_the_adjoint_is_the_transpose() -> None:
    rng = np.random.default_rng(0)
    for d in differences(to_complex(_walk(20)), rng.uniform(0.5, 2, 19)):
        poses, rows = rng.normal(size=(20, 4)), rng.normal(size=(d.factor.shape[1], 4))
        left = np.sum(to_real(d(to_complex(poses))) * rows)
        right = np.sum(poses * to_real(d.adjoint(to_complex(rows), 20)))
        assert left == pytest.approx(right)


def test_similarities_form_a_group() -> None:
    a, b, c = (to_complex(_walk(8, s, 0.1, 0.3)) for s in range(3))
    one = np.tile(np.array([1, 0], complex), (7, 1))
    np.testing.assert_allclose(compose(a, inverse(a)), one, atol=1e-12)
    np.testing.assert_allclose(compose(inverse(a), a), one, atol=1e-12)
    np.testing.assert_allclose(compose(compose(a, b), c), compose(a, compose(b, c)), atol=1e-12)


def test_differences_of_a_perfectly_undone_path_vanish() -> None:
    step = to_complex(_walk(30, 5, 0.05, 0.05))
    pose = np.zeros((30, 2), complex)
    pose[0, 0] = 1
    for t, s in enumerate(step):
        pose[t + 1] = compose(s, pose[t])
    for d in differences(step, np.ones(29)):
        np.testing.assert_allclose(d(pose) + d.offset, 0, atol=1e-10)


@pytest.mark.parametrize("zoom", ["dynamic", "static"])
@pytest.mark.parametrize("loss", ["l1", "l2"])
@pytest.mark.parametrize("shake, wobble", [(0.005, 0.0), (0.05, 0.004), (0.4, 0.006)])
def test_no_pixel_ever_comes_from_outside_the_frame(zoom: str, loss: str, shake: float, wobble: float) -> None:
    camera = _camera(_walk(150, 7, shake, 0.02), wobble)
    stable = solve_path(camera, PathConfig(zoom=zoom, loss=loss))  # type: ignore[arg-type]
    assert _stays_inside(stable)


def test_the_true_border_is_what_the_margins_say() -> None:
    camera = _camera(_walk(40, 2), 0.006)
    pose = np.tile([0.9, 0.01, 0.02, 0.0], (40, 1))
    _, outside = margins(camera, pose, slice(0, 40))
    stable = SimilarityPath(camera, pose)
    fields = np.array([camera.geometry.to_unit(_over_pixels(_own_field(stable, i))) for i in range(40)])
    true = (np.abs(fields) - half_span(HD)).max(axis=(1, 2, 3))
    assert np.abs(outside - true).max() < 0.01


def test_a_still_camera_keeps_the_whole_picture() -> None:
    still = np.tile([1.0, 0, 0, 0], (90, 1))
    pose = solve_path(_camera(still), PathConfig()).crop_pose
    assert pose[:, 0].min() > 0.998
    assert np.ptp(pose, axis=0).max() < 1e-3


def test_an_even_pan_is_left_alone() -> None:
    pan = np.tile([1.0, 0, 0.03, 0], (120, 1))
    pose = solve_path(_camera(pan), PathConfig()).crop_pose
    assert np.abs(pose[5:-5, 2]).max() < 0.01


def test_shake_is_taken_out_where_the_crop_allows() -> None:
    step = _walk(200, 4, 0.006, 0.002)
    camera = _camera(step)
    pose = to_complex(solve_path(camera, PathConfig()).crop_pose)
    before, after = differences(to_complex(step), np.ones(200 - 1))[1], None
    after = before(pose) + before.offset
    assert np.sqrt(np.mean(np.abs(after[:, 1]) ** 2)) < 0.05 * np.sqrt(np.mean(np.abs(before.offset[:, 1]) ** 2))


def test_a_static_zoom_is_one_number() -> None:
    pose = solve_path(_camera(_walk(120, 9, 0.02)), PathConfig(zoom="static")).crop_pose
    assert np.ptp(np.hypot(pose[:, 0], pose[:, 1])) < 1e-9


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5])
def test_the_shortest_clips_have_a_path(frames: int) -> None:
    camera = _camera(_walk(max(frames, 2), 1)[: frames - 1])
    assert np.isfinite(solve_path(camera, PathConfig()).crop_pose).all()


def test_long_shots_are_joined_without_a_step() -> None:
    step = _walk(3700, 11, 0.01)
    pose = to_complex(solve_path(_camera(step), PathConfig()).crop_pose)
    d = differences(to_complex(step), np.ones(len(step)))[1]
    quick = np.abs(d(pose) + d.offset)[:, 1]
    assert quick[2900:3400].max() < 3 * quick[500:2500].max() + 1e-4


def test_shots_are_solved_apart() -> None:
    step = _walk(100, 6)
    parts = _camera(step, shots=(slice(0, 50), slice(50, 100)))
    alone = _camera(step[:49], shots=(slice(0, 50),))
    together = solve_path(parts, PathConfig()).crop_pose[:50]
    np.testing.assert_allclose(together, solve_path(alone, PathConfig()).crop_pose, atol=2e-3)


def test_an_axis_without_strength_is_left_as_filmed() -> None:
    config = PathConfig(strength=AxisStrength(x=0.0))
    pose = solve_path(_camera(_walk(100, 8, 0.01, 0.0)), config).crop_pose
    assert np.abs(pose[:, 2]).max() < 2e-3
    assert np.abs(pose[:, 3]).max() > 5e-3


def test_settings_out_of_range_are_refused() -> None:
    for bad in ({"smoothness_s": 0.0}, {"max_crop": 0.9}, {"zoom": "none"}, {"loss": "l3"}):
        with pytest.raises(ValueError):
            PathConfig(**bad)


def _rolling(roll_deg: float) -> CameraPath:
    """A camera that rolls to and fro by so much within 8 s, and knows where up is but for half a second."""
    roll = np.radians(roll_deg) * np.sin(np.arange(240) / 38)
    turn = np.exp(-1j * np.diff(roll))  # the picture turns against the camera
    step = np.stack([turn.real, turn.imag, np.zeros(239), np.zeros(239)], axis=1)
    known = np.where((np.arange(240) > 100) & (np.arange(240) < 115), np.nan, -roll)
    return replace(_camera(step), level=known)


def _lean_deg(path: SimilarityPath, roll_deg: float) -> np.ndarray:
    """How far the output's horizon leans, from the poses alone."""
    truth = np.radians(roll_deg) * np.sin(np.arange(240) / 38)
    return np.asarray(np.degrees(np.arctan2(path.crop_pose[:, 1], path.crop_pose[:, 0]) + truth))


@pytest.mark.parametrize("limit", [0.0, 2.0])
def test_the_horizon_leans_no_more_than_it_may(limit: float) -> None:
    camera = _rolling(6.0)
    free = _lean_deg(solve_path(camera, PathConfig(max_crop=0.3)), 6.0)
    held = solve_path(camera, PathConfig(max_crop=0.3, horizon_deg=limit))
    assert np.abs(free).max() > limit + 0.5
    assert np.abs(_lean_deg(held, 6.0)).max() < limit + 0.1
    assert _stays_inside(held)


def _swinging(hz: float, wobble: float = 0.002) -> CameraPath:
    """A camera that swings by 15 degrees to either side, and knows where up is."""
    roll = np.radians(15) * np.sin(2 * np.pi * hz * np.arange(180) / 30)
    turn = np.exp(-1j * np.diff(roll))
    return replace(_camera(np.stack([turn.real, turn.imag, 0 * roll[1:], 0 * roll[1:]], axis=1), wobble), level=-roll)


@pytest.mark.parametrize("hz, max_crop", [(0.15, 0.4), (0.7, 0.4), (1.0, 0.2)])
def test_a_static_crop_has_one_scale_however_it_turns(hz: float, max_crop: float) -> None:
    """Held level, the window turns by up to 15 degrees in the frame: its real part alone would breathe by 3 %."""
    path = solve_path(_swinging(hz), PathConfig(zoom="static", max_crop=max_crop, horizon_deg=0.0))
    scale = np.hypot(path.crop_pose[:, 0], path.crop_pose[:, 1])
    assert np.ptp(np.arctan2(path.crop_pose[:, 1], path.crop_pose[:, 0])) > np.radians(14)
    assert np.ptp(scale) < 2e-4
    assert scale.min() > 1 - max_crop - 1e-3
    assert _stays_inside(path)


def test_a_static_crop_is_as_large_as_the_tightest_frame_allows() -> None:
    """One scale is no excuse for a small one."""
    camera = _swinging(1.0)
    dynamic, static = (solve_path(camera, PathConfig(zoom=zoom, horizon_deg=0.0)) for zoom in ("dynamic", "static"))
    tightest = np.hypot(dynamic.crop_pose[:, 0], dynamic.crop_pose[:, 1]).min()
    assert np.hypot(static.crop_pose[:, 0], static.crop_pose[:, 1]).min() > 0.995 * tightest


@pytest.mark.parametrize("frames", [3, 20, 60, 61, 100])
def test_a_shot_of_any_length_can_be_pulled_in(frames: int) -> None:
    camera = _camera(_walk(frames, 2), 0.003)
    pose = np.tile([0.97, 0.0, 0.0, 0.0], (frames, 1))
    pose[frames // 2, 2] = 0.06  # a few hundredths outside
    pulled = _pull_in(camera, slice(0, frames), pose)
    assert pulled.shape == pose.shape
    assert margins(camera, pulled, slice(0, frames))[1].max() <= 0
    assert np.abs(np.diff(np.hypot(pulled[:, 0], pulled[:, 1]))).max() < 0.02


def _torn(shots: tuple[slice, ...], torn: slice) -> CameraPath:
    """Shots of which one is bent beyond any crop."""
    camera = _camera(_walk(90, 3), 0.003, shots=shots)
    camera.wobble[torn] = np.where(np.arange(17) % 2, 0.9, -0.9)[:, None]
    return camera


def test_a_shot_without_a_solution_is_left_as_filmed() -> None:
    shots = slice(0, 30), slice(30, 60), slice(60, 90)
    camera = _torn(shots, shots[1])
    before = camera.wobble.copy()
    path = solve_path(camera, PathConfig())
    np.testing.assert_array_equal(path.crop_pose[shots[1]], np.tile([1.0, 0, 0, 0], (30, 1)))
    assert not path.camera.wobble[shots[1]].any()
    np.testing.assert_array_equal(path.camera.wobble[shots[0]], before[shots[0]])
    np.testing.assert_array_equal(camera.wobble, before)  # an argument is never changed
    assert np.abs(path.crop_pose[shots[2]] - [1, 0, 0, 0]).max() > 0.01
    assert _stays_inside(path)
    (said,) = path.notes
    assert "1.00 to 1.97 s" in said and "--set fuse.wobble_limit=0" in said and "--max-crop" in said


def test_where_every_shot_is_without_a_solution_there_is_no_path() -> None:
    with pytest.raises(SolveError, match=r"--set fuse\.wobble_limit=0"):
        solve_path(_torn((slice(0, 1), slice(1, 90)), slice(1, 90)), PathConfig())


def test_a_single_frame_is_shown_without_any_warp() -> None:
    """It has no path, and so no crop that its wobble could use up."""
    shots = slice(0, 45), slice(45, 46), slice(46, 90)
    path = solve_path(_camera(_walk(90, 3), 0.004, shots=shots), PathConfig())
    field = path.field(45, path.timeline.time_at(45)).source_px
    x, y = np.meshgrid(field_nodes(field.shape[1], 640), field_nodes(field.shape[0], 360))
    np.testing.assert_allclose(field, np.stack([x, y], axis=-1), atol=1e-4)
    assert path.camera.wobble[44].any() and path.notes == ()


UNEVEN = {
    "one gap of ages": np.where(np.arange(119) == 50, 2**60, 1),
    "pairs": np.where(np.arange(119) % 2, 1, 10**9),
    "of every size": (10 ** np.random.default_rng(0).uniform(0, 13, 119)).astype(np.int64) + 1,
    "a burst": np.where(np.arange(119) < 40, 1, 10**9),
}


@pytest.mark.parametrize("loss", ["l1", "l2"])
@pytest.mark.parametrize("time_base", [Fraction(1, 2**31), Fraction(1, 30), Fraction(2**31)], ids=str)
@pytest.mark.parametrize("steps", UNEVEN.values(), ids=UNEVEN.keys())
def test_whatever_the_clock_says_there_is_a_path(steps: np.ndarray, time_base: Fraction, loss: str) -> None:
    """RuntimeWarnings are errors in all tests."""
    timeline = Timeline(np.concatenate([[0], np.cumsum(steps)]), time_base)
    camera = replace(_camera(_walk(120, 3), 0.003), timeline=timeline)
    path = solve_path(camera, PathConfig(loss=loss))  # type: ignore[arg-type]
    assert path.notes == () and _stays_inside(path)
    assert all(np.isfinite([s.shift_percent, s.roll_deg]).all() for s in shake(path))


def test_a_clock_that_runs_too_fast_changes_nothing() -> None:
    """Frames a few nanoseconds apart are no film of a billion a second: they are smoothed as 30 a second are."""
    camera = _camera(_walk(60, 5), 0.003)
    fast = replace(camera, timeline=Timeline(camera.timeline.pts, Fraction(1, 10**9)))
    np.testing.assert_allclose(
        solve_path(fast, PathConfig()).crop_pose, solve_path(camera, PathConfig()).crop_pose, atol=1e-9
    )


def test_the_frame_s_edge_goes_before_the_horizon() -> None:
    path = solve_path(_rolling(15.0), PathConfig(max_crop=0.1, horizon_deg=0.0))
    assert _stays_inside(path)
    assert np.hypot(path.crop_pose[:, 0], path.crop_pose[:, 1]).min() > 0.89
    lean = np.abs(_lean_deg(path, 15.0))
    assert lean.max() > 5
    assert lean.max() < 14


def test_strengths_are_of_the_displayed_picture() -> None:
    """A picture that players turn by a quarter has its rows shown as columns."""
    camera = _camera(_walk(90, 5))
    aside = replace(camera, geometry=replace(HD, rotation=90))
    upside_down = replace(camera, geometry=replace(HD, rotation=180))
    across, along = (PathConfig(strength=AxisStrength(*share)) for share in ((0, 1), (1, 0)))
    pose = solve_path(camera, across).crop_pose
    np.testing.assert_array_equal(solve_path(aside, along).crop_pose, pose)
    np.testing.assert_array_equal(solve_path(upside_down, across).crop_pose, pose)
    assert np.abs(solve_path(aside, across).crop_pose - pose).max() > 0.005


def test_time_grows_with_the_frames_and_not_with_the_shots() -> None:
    """What belongs to the whole video is worked out once: 2000 shots of one film see its clock as often as one does."""
    reads = 0

    class Counted(Timeline):
        __slots__ = ()

        @property
        def time_s(self) -> np.ndarray:
            nonlocal reads
            reads += 1
            return super().time_s

    frames = 400
    shots = tuple(slice(start, start + 2) for start in range(0, frames, 2))
    camera = replace(
        _camera(np.tile([1.0, 0, 0, 0], (frames - 1, 1)), shots=shots),
        timeline=Counted(np.arange(frames, dtype=np.int64), Fraction(1, 30)),
    )
    camera.step[::2, 2] = 0.01
    solve_path(camera, PathConfig())
    assert reads < 10


def test_the_frames_of_many_shots_are_found_at_once() -> None:
    class Shots(tuple[slice, ...]):
        looks = 0

        def __getitem__(self, index: int) -> slice:  # type: ignore[override]
            Shots.looks += 1
            return super().__getitem__(index)

        def __iter__(self):
            raise AssertionError("walked from the first shot on")

    frames = 1024
    camera = _camera(np.tile([1.0, 0, 0, 0], (frames - 1, 1)), shots=tuple(slice(i, i + 1) for i in range(frames)))
    path = SimilarityPath(camera, np.tile([1.0, 0, 0, 0], (frames, 1)))
    object.__setattr__(camera, "shots", Shots(camera.shots))
    path.field(1000, path.timeline.time_at(1000))
    assert 0 < Shots.looks <= 12


def test_the_number_of_cores_does_not_show_in_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1 <= cores() <= THREADS_MAX
    camera, poses = _camera(_walk(WINDOW + 2 * OVERLAP, 3)), []
    for count in (1, 4):
        monkeypatch.setattr("stabilize.path.solve.cores", lambda count=count: count)
        poses.append(solve_path(camera, PathConfig()).crop_pose)
    np.testing.assert_array_equal(poses[0], poses[1])


def test_a_strength_leaves_the_zoom_alone() -> None:
    rng = np.random.default_rng(4)
    zoom = np.exp(rng.normal(0, 0.02, 61))
    step = np.column_stack([zoom[1:] / zoom[:-1], np.zeros((60, 3))])
    pose = solve_path(_camera(step), PathConfig()).crop_pose
    half = solve_path(_camera(step), PathConfig(strength=AxisStrength(0.5, 0.5, 0.5))).crop_pose
    np.testing.assert_allclose(half, pose, atol=1e-6)
    assert np.ptp(pose[:, 0]) > 0.01
