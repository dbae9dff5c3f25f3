"""Whether log and video belong together: measured evidence, and the decision on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.spatial.transform import Rotation

from gyro.log import Float

from .model import Observations, undistort
from .solve import Fit
from .translation import sum_pairs
from .visual import pair_rotations

# Thresholds of acceptance, set on the generated clips of benchmarks/gyro_sync.py and the recordings of test_real.py.
SHAKE_WINDOW_S = 0.5  # faster motion counts as shake; slower may be a pan that in-camera stabilisation preserves
CORRELATION_MIN = 0.6
EXPLAINED_SHARE_MIN = 0.5
EXPLAINED_SHAKE_MIN = 0.3
RIVAL_CORRELATION_MAX = 0.93  # of the best correlation
OFFSET_STD_MAX_S = 0.01
SIGNAL_TO_NOISE_MIN = 2.0
LOG_RATE_MIN_DEG_S = 1.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """How well the log's rotation explains the rotation in the video."""

    correlation: float
    """Correlation of the video's rotation with the log's at the best offset; noise can lift it slightly above 1."""
    rival: float
    """Highest correlation at another offset, more than 0.3 s away, that fits the video about as well; 0 without one."""
    explained: float
    """Share of the video's rotation energy that the log removes."""
    explained_shake: float
    """The same for rotation faster than SHAKE_WINDOW_S."""
    axis_correlation: tuple[float, float, float]
    """Correlation of the rates about the camera's x, y and z."""
    rotation_deg_s: float
    """RMS rotation rate in the video."""
    log_deg_s: float
    """RMS rotation rate in the log."""
    noise_px: float
    """Robust standard deviation of a match."""
    flow_px: float
    """RMS displacement by rotation from frame to frame."""
    turn_error_deg: float
    """RMS difference of the video's and the log's orientation, without drift."""
    signal: float
    """RMS rotation of a pair over its noise."""
    pairs: int
    matches: int


def measure_evidence(obs: Observations, fit: Fit, interval_s: float, correlation: float) -> Evidence:
    """Measure the evidence at the optimum of a fit; `rival` is left at 0."""
    visual_turn, log_turn = _pair_rotations(obs, fit)
    residual = visual_turn - log_turn
    if fit.kind == "shifts":  # a stabilising lens compensates yaw and pitch, not roll
        visual_turn, log_turn, residual = (turn * (0, 0, 1) for turn in (visual_turn, log_turn, residual))
    frames = int(
        np.clip(round(SHAKE_WINDOW_S / interval_s), 1, len(residual))
    )  # a damaged file can state any frame rate
    slow_visual, slow_residual = (uniform_filter1d(x, frames, axis=0, mode="nearest") for x in (visual_turn, residual))
    axis = [
        float(np.corrcoef(visual_turn[:, i], log_turn[:, i])[0, 1]) if np.ptp(log_turn[:, i]) else 0.0 for i in range(3)
    ]
    focal_px = obs.focal_px * float(np.exp(fit.camera.log_focal))
    noise = fit.sigma_px / focal_px * np.sqrt(2 * obs.pairs / len(obs.pair))
    rms = [float(np.sqrt(np.mean(np.sum(x**2, axis=1)))) for x in (visual_turn, log_turn)]
    return Evidence(
        correlation=correlation,
        rival=0.0,
        explained=_explained_share(visual_turn, residual),
        explained_shake=_explained_share(visual_turn - slow_visual, residual - slow_residual),
        axis_correlation=(axis[0], axis[1], axis[2]),
        rotation_deg_s=float(np.rad2deg(rms[0] / interval_s)),
        log_deg_s=float(np.rad2deg(rms[1] / interval_s)),
        noise_px=fit.sigma_px,
        flow_px=focal_px * float(np.sqrt(np.mean(log_turn[:, :2] ** 2))),
        turn_error_deg=float(
            np.rad2deg(np.sqrt(np.mean(np.sum(np.cumsum(residual - residual.mean(axis=0), axis=0) ** 2, axis=1))))
        ),
        signal=float(rms[1] / max(noise, 1e-12)),
        pairs=obs.pairs,
        matches=len(obs.pair),
    )


def refusal_reason(evidence: Evidence, offset_std_s: float) -> str | None:
    """Return why log and video must not be used together, or None."""
    e = evidence
    if e.signal < SIGNAL_TO_NOISE_MIN and e.log_deg_s < LOG_RATE_MIN_DEG_S:
        return f"flat: the log rotates by only {e.log_deg_s:.2f} deg/s RMS, too little to find the offset"
    if e.correlation < CORRELATION_MIN:
        return (
            f"contradictory: at the best offset log and video correlate by only {e.correlation:.2f} "
            f"({CORRELATION_MIN} needed); the log is of another video, the frame rate is wrong, or the camera has "
            "stabilised the video"
        )
    if e.rival > RIVAL_CORRELATION_MAX * e.correlation:
        return f"ambiguous: another offset correlates as well ({e.rival:.2f} against {e.correlation:.2f})"
    if e.explained < EXPLAINED_SHARE_MIN or e.explained_shake < EXPLAINED_SHAKE_MIN:
        return (
            f"contradictory: the log explains {e.explained:.0%} of the video's rotation and {e.explained_shake:.0%} "
            "of its shake; the camera may have stabilised the video"
        )
    if offset_std_s > OFFSET_STD_MAX_S:
        return f"flat: the offset is uncertain by {offset_std_s * 1e3:.1f} ms"
    return None


def _pair_rotations(obs: Observations, fit: Fit) -> tuple[Float, Float]:
    """Return the camera's rotation over each pair in camera axes, (pairs, 3): from the matches, and from the log at the
    times of the same lines."""
    rays = undistort(obs.flat, fit.camera.log_focal, fit.camera.k1)
    visual = pair_rotations(rays[0], np.cross(rays[0], rays[1]), obs.pair, obs.pairs)
    prev, next_ = fit.geometry.R_world_cam
    turn = Rotation.from_matrix(np.swapaxes(prev, 1, 2) @ next_).as_rotvec()
    count = sum_pairs(np.ones(len(turn)), obs.pair, obs.pairs)
    return visual, sum_pairs(turn, obs.pair, obs.pairs) / count[:, None]


def _explained_share(obs: Float, residual: Float) -> float:
    """1 - residual energy over energy, without the worst 5 % of the pairs (cuts, blur, a passing bus)."""
    energy = np.sum(residual**2, axis=1)
    good = energy <= np.quantile(energy, 0.95)
    return float(1 - energy[good].sum() / max(np.sum(obs[good] ** 2), 1e-300))
