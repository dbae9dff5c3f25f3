"""Specifications of generated clips. All numbers are in SI units unless the name states another unit.

World axes are the camera's at rest: x right, y down, z forward; the ground lies `EYE_HEIGHT_M` below the origin.
Image coordinates have integer pixel centres. The time of a frame (its pts) is the middle of the exposure of its
middle line.
"""

from __future__ import annotations

from dataclasses import dataclass

EYE_HEIGHT_M = 1.6
GRAVITY_M_S2 = 9.80665

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Lens:
    """`pinhole`: r_d = r (1 + k[0] r^2 + k[1] r^4 ...) of the normalised radius; `fisheye` (OpenCV's): r_d = theta (1 +
    k[0] theta^2 ...).

    The principal point is the centre of the image, moved by OIS where there is any.
    """

    f_px: float = 520.0
    k: tuple[float, ...] = ()
    model: str = "pinhole"


@dataclass(frozen=True, slots=True)
class Shutter:
    """`readout_s` from the first to the last line, negative for bottom to top (right to left); lines are `rows` or
    `columns`.

    `exposure_s` is averaged over `blur_samples` renderings; one sample is a sharp image.
    """

    readout_s: float = 0.0
    lines: str = "rows"
    exposure_s: float = 0.0
    blur_samples: int = 1


@dataclass(frozen=True, slots=True)
class CameraMotion:
    """Sums of sinusoids, so known and differentiable at every time. Rotations are (pitch, yaw, roll) about x, y, z in
    degrees.
    """

    tremor_deg: float = 0.0  # RMS about each axis, amplitudes falling with frequency over `tremor_hz`
    tremor_hz: tuple[float, float] = (1.0, 10.0)
    tremor_m: float = 0.0  # RMS of the position in the same band
    drift_deg: float = 0.0  # RMS, slow
    drift_hz: tuple[float, float] = (0.05, 0.5)
    step_hz: float = 2.0  # gait: the bob and nod come every step, sway and roll every second step
    bob_m: float = 0.0
    sway_m: float = 0.0
    nod_deg: float = 0.0
    roll_deg: float = 0.0
    pan_deg: float = 0.0  # half the sweep
    pan_period_s: float = 8.0
    sinus_deg: Vector = (0.0, 0.0, 0.0)
    sinus_hz: float = 5.0
    velocity_m_s: Vector = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class MovingCard:
    """An upright card that moves by itself: `kind` is a texture of `textures.CARDS`; `centre_m` is where it is at time
    0.
    """

    kind: str = "person"
    centre_m: Vector = (0.0, 0.75, 6.0)
    size_m: tuple[float, float] = (0.85, 1.7)
    velocity_m_s: Vector = (0.0, 0.0, 0.0)
    swing_m: Vector = (0.0, 0.0, 0.0)
    swing_hz: float = 0.3


@dataclass(frozen=True, slots=True)
class Gyro:
    """A phone's MEMS. Log clock: t_log = (1 + drift) t_video + offset_s. `axes`: log[i] = +-camera[letter i], a
    lower-case letter negates.
    """

    rate_hz: float = 200.0
    offset_s: float = 0.0
    drift: float = 0.0
    axes: str = "XYZ"
    bias_deg_s: Vector = (0.0, 0.0, 0.0)
    noise_deg_s_rthz: float = 0.0
    walk_deg_s_rts: float = 0.0  # of the bias, per square root of a second
    misalignment_deg: Vector = (0.0, 0.0, 0.0)  # rotation vector between the sensor and the camera's axes
    accel: bool = True
    accel_noise_m_s2: float = 0.0
    pad_s: float = 1.0  # of log before the first frame and after the last


@dataclass(frozen=True, slots=True)
class Ois:
    """Lens shift: it cancels `gain` of the tremor and wanders by itself by `wander_px` RMS. Logged at `rate_hz` on the
    video's clock.
    """

    gain: float = 0.6
    wander_px: float = 1.0
    rate_hz: float = 500.0


@dataclass(frozen=True, slots=True)
class ClipSpec:
    """One clip. `gain_keys` are (time_s, gain) between which the exposure runs linearly; `cuts` are (time_s, world)
    shot changes.
    """

    name: str
    width: int = 640
    height: int = 360
    fps: float = 30.0
    duration_s: float = 5.0
    time_jitter: float = 0.0  # variable frame rate: share of the frame interval, below 1
    world: str = "street"
    distance_m: float = 12.0  # of the single plane of world "wall"
    motion: CameraMotion = CameraMotion()
    lens: Lens = Lens()
    shutter: Shutter = Shutter()
    objects: tuple[MovingCard, ...] = ()
    gain_keys: tuple[tuple[float, float], ...] = ()
    cuts: tuple[tuple[float, str], ...] = ()
    noise: float = 0.0  # sigma in gray levels
    gyro: Gyro | None = None
    ois: Ois | None = None
    audio: bool = False
    seed: int = 0
