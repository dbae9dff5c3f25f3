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

SLOW_S = 0.5  # motion slower than this can be a pan that stabilisation in the camera leaves in; shake cannot
LEAST_CORRELATION = 0.6
LEAST_EXPLAINED = 0.5
LEAST_EXPLAINED_SHAKE = 0.3
MOST_RIVAL = 0.93
MOST_OFFSET_STD_S = 0.01
LEAST_SIGNAL = 2.0  # times the noise
LEAST_DEG_S = 1.0


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


def weigh(seen: Observations, fit: Fit, interval_s: float, correlation: float) -> Evidence:
    """The evidence at the optimum of a fit, before any rival is known."""
    seen_turn, log_turn = _turns(seen, fit)
    left = seen_turn - log_turn
    if fit.kind == "shifts":  # a lens works against yaw and pitch; about its own axis it cannot
        seen_turn, log_turn, left = (turn * (0, 0, 1) for turn in (seen_turn, log_turn, left))
    frames = int(np.clip(round(SLOW_S / interval_s), 1, len(left)))  # a frame rate can be as absurd as a file says
    slow_seen, slow_left = (uniform_filter1d(x, frames, axis=0, mode="nearest") for x in (seen_turn, left))
    axis = [
        float(np.corrcoef(seen_turn[:, i], log_turn[:, i])[0, 1]) if np.ptp(log_turn[:, i]) else 0.0 for i in range(3)
    ]
    focal_px = seen.focal_px * float(np.exp(fit.camera.log_focal))
    noise = fit.sigma_px / focal_px * np.sqrt(2 * seen.pairs / len(seen.pair))
    rms = [float(np.sqrt(np.mean(np.sum(x**2, axis=1)))) for x in (seen_turn, log_turn)]
    return Evidence(
        correlation=correlation,
        rival=0.0,
        explained=_explained(seen_turn, left),
        explained_shake=_explained(seen_turn - slow_seen, left - slow_left),
        axis_correlation=(axis[0], axis[1], axis[2]),
        rotation_deg_s=float(np.rad2deg(rms[0] / interval_s)),
        log_deg_s=float(np.rad2deg(rms[1] / interval_s)),
        noise_px=fit.sigma_px,
        flow_px=focal_px * float(np.sqrt(np.mean(log_turn[:, :2] ** 2))),
        turn_error_deg=float(
            np.rad2deg(np.sqrt(np.mean(np.sum(np.cumsum(left - left.mean(axis=0), axis=0) ** 2, axis=1))))
        ),
        signal=float(rms[1] / max(noise, 1e-12)),
        pairs=seen.pairs,
        matches=len(seen.pair),
    )


def refusal(evidence: Evidence, offset_std_s: float) -> str | None:
    """Why log and picture are not to be used together, or None."""
    e = evidence
    if e.signal < LEAST_SIGNAL and e.log_deg_s < LEAST_DEG_S:
        return f"flat: the log turns by {e.log_deg_s:.2f} deg/s RMS, which fixes no clock"
    if e.correlation < LEAST_CORRELATION:
        return (
            f"contradictory: at the best offset log and picture correlate by {e.correlation:.2f} only "
            f"({LEAST_CORRELATION} needed); another log, another frame rate, or a picture stabilised in the camera"
        )
    if e.rival > MOST_RIVAL * e.correlation:
        return f"ambiguous: another offset correlates as well ({e.rival:.2f} against {e.correlation:.2f})"
    if e.explained < LEAST_EXPLAINED or e.explained_shake < LEAST_EXPLAINED_SHAKE:
        return (
            f"contradictory: the log explains {e.explained:.0%} of the picture's rotation and {e.explained_shake:.0%} "
            "of its shake; the picture may have been stabilised in the camera"
        )
    if offset_std_s > MOST_OFFSET_STD_S:
        return f"flat: the offset cannot be told to better than {offset_std_s * 1e3:.1f} ms"
    return None


def _turns(seen: Observations, fit: Fit) -> tuple[Float, Float]:
    """Rotation of the camera over each pair, camera axes (pairs, 3): as seen, and as the log says at the same lines'
    times."""
    rays = undistort(seen.flat, fit.camera.log_focal, fit.camera.k1)
    visual = pair_rotations(rays[0], np.cross(rays[0], rays[1]), seen.pair, seen.pairs)
    prev, next_ = fit.at.R_world_cam
    turn = Rotation.from_matrix(np.swapaxes(prev, 1, 2) @ next_).as_rotvec()
    count = sum_pairs(np.ones(len(turn)), seen.pair, seen.pairs)
    return visual, sum_pairs(turn, seen.pair, seen.pairs) / count[:, None]


def _explained(seen: Float, left: Float) -> float:
    """1 - energy left over energy seen, without the worst twentieth of the pairs: cuts, blur, a passing bus."""
    energy = np.sum(left**2, axis=1)
    good = energy <= np.quantile(energy, 0.95)
    return float(1 - energy[good].sum() / max(np.sum(seen[good] ** 2), 1e-300))
