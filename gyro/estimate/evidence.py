"""Does the log belong to this picture? Numbers that a person can check, and the verdict on them."""

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

SHAKE_WINDOW_S = 0.5  # motion slower than this can be a pan that stabilisation in the camera leaves in; shake cannot
CORRELATION_MIN = 0.6
EXPLAINED_SHARE_MIN = 0.5
EXPLAINED_SHAKE_MIN = 0.3
RIVAL_CORRELATION_MAX = 0.93
OFFSET_STD_MAX_S = 0.01
SIGNAL_TO_NOISE_MIN = 2.0  # times the noise
LOG_RATE_MIN_DEG_S = 1.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """`correlation` of the picture's rotation with the log's at the best offset (0..1; somewhat above 1 is noise) and
    `rival`, the best at an offset more than 0.3 s away that fits the picture about as well (0: none comes near).
    `explained` (share of the picture's rotation energy that the log removes) of everything and `explained_shake` of
    what is faster than 0.5 s. `axis_correlation` about x, y, z. `rotation_deg_s` RMS rate in the picture, `log_deg_s`
    that of the log; `noise_px` of a match, `flow_px` RMS displacement by rotation, `signal` rotation over its noise.
    `turn_error_deg` RMS of the picture's orientation against the log's, drift apart."""

    correlation: float
    rival: float
    explained: float
    explained_shake: float
    axis_correlation: tuple[float, float, float]
    rotation_deg_s: float
    log_deg_s: float
    noise_px: float
    flow_px: float
    turn_error_deg: float
    signal: float
    pairs: int
    matches: int


def measure_evidence(obs: Observations, fit: Fit, interval_s: float, correlation: float) -> Evidence:
    """The evidence at the optimum of a fit, before any rival is known."""
    visual_turn, log_turn = _pair_rotations(obs, fit)
    residual = visual_turn - log_turn
    if fit.kind == "shifts":  # a lens works against yaw and pitch; about its own axis it cannot
        visual_turn, log_turn, residual = (turn * (0, 0, 1) for turn in (visual_turn, log_turn, residual))
    frames = int(
        np.clip(round(SHAKE_WINDOW_S / interval_s), 1, len(residual))
    )  # a frame rate can be as absurd as a file says
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
    """Why log and picture are not to be used together, or None."""
    e = evidence
    if e.signal < SIGNAL_TO_NOISE_MIN and e.log_deg_s < LOG_RATE_MIN_DEG_S:
        return f"flat: the log turns by {e.log_deg_s:.2f} deg/s RMS, which fixes no clock"
    if e.correlation < CORRELATION_MIN:
        return (
            f"contradictory: at the best offset log and picture correlate by {e.correlation:.2f} only "
            f"({CORRELATION_MIN} needed); another log, another frame rate, or a picture stabilised in the camera"
        )
    if e.rival > RIVAL_CORRELATION_MAX * e.correlation:
        return f"ambiguous: another offset correlates as well ({e.rival:.2f} against {e.correlation:.2f})"
    if e.explained < EXPLAINED_SHARE_MIN or e.explained_shake < EXPLAINED_SHAKE_MIN:
        return (
            f"contradictory: the log explains {e.explained:.0%} of the picture's rotation and {e.explained_shake:.0%} "
            "of its shake; the picture may have been stabilised in the camera"
        )
    if offset_std_s > OFFSET_STD_MAX_S:
        return f"flat: the offset cannot be told to better than {offset_std_s * 1e3:.1f} ms"
    return None


def _pair_rotations(obs: Observations, fit: Fit) -> tuple[Float, Float]:
    """Rotation of the camera over each pair, camera axes (pairs, 3): as seen, and as the log says at the same lines'
    times."""
    rays = undistort(obs.flat, fit.camera.log_focal, fit.camera.k1)
    visual = pair_rotations(rays[0], np.cross(rays[0], rays[1]), obs.pair, obs.pairs)
    prev, next_ = fit.geometry.R_world_cam
    turn = Rotation.from_matrix(np.swapaxes(prev, 1, 2) @ next_).as_rotvec()
    count = sum_pairs(np.ones(len(turn)), obs.pair, obs.pairs)
    return visual, sum_pairs(turn, obs.pair, obs.pairs) / count[:, None]


def _explained_share(obs: Float, residual: Float) -> float:
    """1 - energy left over energy seen, without the worst twentieth of the pairs: cuts, blur, a passing bus."""
    energy = np.sum(residual**2, axis=1)
    good = energy <= np.quantile(energy, 0.95)
    return float(1 - energy[good].sum() / max(np.sum(obs[good] ** 2), 1e-300))
