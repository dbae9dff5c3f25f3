"""Result of a synchronisation: values, standard errors, and which of them the clip does not determine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from gyro.lens import Lens, simple_lens
from gyro.log import Float

from .axes import nearest_axes
from .evidence import Evidence, refusal_reason
from .model import INDEX, PARAMETERS
from .problem import Problem
from .residuals import Kind
from .solve import Fit

UNOBSERVABLE_STD_RATIO = 0.5  # posterior over prior standard deviation above which a clip does not determine a value
# Factors of the sandwich errors, calibrated by benchmarks/gyro_sync.py. With parallax the direction of translation
# within a frame is modelled to first order only.
STD_INFLATION: dict[Kind, float] = {"turns": 2.0, "moves": 3.0, "shifts": 3.0}
HIDDEN_TRANSLATION_SIGMAS = 0.5  # translation, in noise standard deviations, that stays undetected
# A lens 0.1 to 0.3 m ahead of the axis of rotation, 10 m from the scene, biases the focal length by 1 to 3 %.
LEVER_FOCAL_REL_STD = 0.012
PUBLIC_NAMES = {"log_focal": "focal_px", "readout_rows_s": "readout_s", "readout_columns_s": "readout_s"}


@dataclass(frozen=True, slots=True)
class SyncResult:
    """How log and video fit.

    t_log = t_video (1 + drift) + offset_s, where t_video is 0 at the first frame and a frame's time is that of its
    middle line. Line y is exposed at t_video + readout_s (y / (height - 1) - 1/2), or with x and width where
    `readout_axis` is "columns". The log's clock is the one that drifts: true angles are rates over video time.

    A point at normalised radius r is imaged focal_px r_d from the centre, r = r_d / (1 + k1 r_d^2) (division model),
    about r_d = r (1 + k1 r^2). With a given lens, focal_px replaces its fx and k1 is added to its distortion.
    """

    offset_s: float
    """Log time of the first frame."""
    drift: float
    R_cam_gyro: Rotation
    """From vectors of the log to the camera (x right, y down, z forward), after negation of the rates if `improper`."""
    improper: bool
    """Whether the log is mirrored."""
    axes: str
    """Nearest of the 48 signed permutations: letters of the log along the camera's x, y and z, lower case negated,
    with the negation of an improper log in it."""
    bias_rad_s: Float
    """(3,) in the axes of the log."""
    focal_px: float
    k1: float
    readout_s: float
    """Rolling-shutter readout time, positive downwards or to the right."""
    readout_axis: str
    """"rows" or "columns"."""
    std: dict[str, float]
    """Standard errors of offset_s (at the first frame), drift, rotation_x, _y, _z (radians, camera axes), bias_x, _y,
    _z, focal_px, readout_s and k1."""
    unobservable: tuple[str, ...]
    """Names of values that the clip does not determine; they stay near their prior."""
    evidence: Evidence
    kind: Kind
    """What the video does besides rotating: nothing ("turns"), parallax ("moves"), or a lens shift ("shifts")."""
    mid_s: float
    """Video time of the middle of the clip."""
    mid_offset_std_s: float
    """Standard error of log_time(mid_s)."""
    refusal: str | None
    """Why log and video do not belong together; None if accepted."""
    notes: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether log and video belong together."""
        return self.refusal is None

    def log_time(self, t_video_s: Float) -> Float:
        """Return the log times of video times."""
        return np.asarray(np.asarray(t_video_s) * (1 + self.drift) + self.offset_s)

    def video_time(self, t_log_s: Float) -> Float:
        """Return the video times of log times."""
        return np.asarray((np.asarray(t_log_s) - self.offset_s) / (1 + self.drift))


def make_result(problem: Problem, fit: Fit, evidence: Evidence, parallax: float) -> SyncResult:
    """Convert the solver's variables to a result. `parallax`: energy that translation explains over that of the
    noise."""
    camera = fit.camera
    std = _errors(fit, evidence, parallax)
    columns = fit.covariance[INDEX["readout_rows_s"], INDEX["readout_rows_s"]] == 0
    focal_px = problem.obs.focal_px * float(np.exp(camera.log_focal))
    names = _named_std(std, columns, focal_px)
    names["offset_s"] = _first_frame_offset_std(fit, std)
    unobservable = _unobservable(problem, fit)
    mid_std = float(std[INDEX["offset_s"]])
    return SyncResult(
        offset_s=float(camera.offset_s - camera.drift * camera.mid_s),
        drift=float(camera.drift),
        R_cam_gyro=camera.R_cam_gyro,
        improper=problem.seed.improper,
        axes=nearest_axes(camera.R_cam_gyro, problem.seed.improper),
        bias_rad_s=-camera.bias_rad_s if problem.seed.improper else camera.bias_rad_s,
        focal_px=focal_px,
        k1=float(camera.k1),
        readout_s=float(camera.readout_s[int(columns)]),
        readout_axis="columns" if columns else "rows",
        std=names,
        unobservable=unobservable,
        evidence=evidence,
        kind=fit.kind,
        mid_s=camera.mid_s,
        mid_offset_std_s=mid_std,
        refusal=refusal_reason(evidence, mid_std),
        notes=_notes(unobservable),
    )


def self_calibrated_lens(result: SyncResult, prior_std: int, height: int) -> Lens:
    """Return the lens of a synchronisation without a given lens: OpenCV's polynomial (k1, k2, p1 = p2 = 0, k3) fitted
    to the division model over a full-size frame of `width` x `height` pixels."""
    corner = np.hypot(prior_std, height) / 2 / result.focal_px
    r_d = np.linspace(0.02, 1, 60) * corner
    r = r_d / np.maximum(1 + result.k1 * r_d**2, 0.05)
    basis = np.stack([r**3, r**5, r**7], axis=1)
    k1, k2, k3 = np.linalg.lstsq(basis, r_d - r, rcond=None)[0] if result.k1 else (0.0, 0.0, 0.0)
    plain = simple_lens(prior_std, height, result.focal_px)
    return Lens(prior_std, height, plain.K, "polynomial", (float(k1), float(k2), 0.0, 0.0, float(k3)))


def _errors(fit: Fit, evidence: Evidence, parallax: float) -> Float:
    """Return the standard errors (12,): inflated sandwich errors; for the focal length also the bias by undetected
    translation that rotates with the camera, whose lens is never on the axis of rotation."""
    std = STD_INFLATION[fit.kind] * np.sqrt(np.diag(fit.covariance))
    i = INDEX["log_focal"]
    hidden = HIDDEN_TRANSLATION_SIGMAS * fit.sigma_px / max(evidence.flow_px, 1e-6) / (1 + 10 * max(parallax, 0.0))
    lever = LEVER_FOCAL_REL_STD / (1 + max(parallax, 0.0))
    std[i] = float(np.sqrt(std[i] ** 2 + hidden**2 + lever**2)) if std[i] > 0 else 0.0
    return std


def _named_std(std: Float, columns: bool, focal_px: float) -> dict[str, float]:
    unused = "readout_rows_s" if columns else "readout_columns_s"
    names = {PUBLIC_NAMES.get(name, name): float(std[i]) for i, name in enumerate(PARAMETERS) if name != unused}
    names["focal_px"] *= focal_px
    return names


def _unobservable(problem: Problem, fit: Fit) -> tuple[str, ...]:
    prior_std = problem.prior.std
    std = np.sqrt(np.diag(fit.covariance))
    names = (
        PUBLIC_NAMES.get(name, name)
        for i, name in enumerate(PARAMETERS)
        if np.isfinite(prior_std[i]) and (prior_std[i] == 0 or std[i] > UNOBSERVABLE_STD_RATIO * prior_std[i])
    )
    return tuple(dict.fromkeys(names))


def _notes(unobservable: tuple[str, ...]) -> tuple[str, ...]:
    turned = [name for name in unobservable if name.startswith("rotation")]
    if not turned:
        return ()
    return (
        f"the clip does not rotate enough to determine how the sensor is mounted ({', '.join(turned)}); state the axes",
    )


def _first_frame_offset_std(fit: Fit, std: Float) -> float:
    """Return the standard error of the offset at the first frame: that of the middle, propagated along the drift."""
    i, j = INDEX["offset_s"], INDEX["drift"]
    scale = std / np.maximum(np.sqrt(np.diag(fit.covariance)), 1e-300)
    mixed = fit.covariance[i, j] * scale[i] * scale[j]
    variance = std[i] ** 2 + fit.camera.mid_s**2 * std[j] ** 2 - 2 * fit.camera.mid_s * mixed
    return float(np.sqrt(max(variance, 0.0)))
