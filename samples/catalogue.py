"""Named clips for tests and benchmarks, including the committed samples."""

from __future__ import annotations

from dataclasses import replace

from .motion import MOTIONS
from .spec import CameraMotion, ClipSpec, Gyro, Lens, MovingCard, Ois, Shutter

PHONE = Gyro(
    rate_hz=200, bias_deg_s=(0.3, -0.5, 0.2), noise_deg_s_rthz=0.007, walk_deg_s_rts=0.002, accel_noise_m_s2=0.03
)
LATE_PHONE = replace(PHONE, offset_s=0.137, axes="yxz")
PEOPLE = (
    MovingCard(centre_m=(-1.3, 0.75, 7.5), velocity_m_s=(0.06, 0, 0.95)),
    MovingCard(centre_m=(1.7, 0.75, 16.0), velocity_m_s=(-0.12, 0, -0.45)),
    MovingCard(centre_m=(3.2, 0.75, 12.0), velocity_m_s=(-0.55, 0, 0.6)),
    MovingCard(centre_m=(-4.0, 0.75, 20.0), velocity_m_s=(0.7, 0, 0.1)),
)


def foreground(
    share: float, depth_m: float = 3.0, kind: str = "box", f_px: float = 520.0, swing_hz: float = 0.4
) -> MovingCard:
    """Return a card that covers about `share` of a 640x360 frame and swings sideways by a fifth of its width."""
    width, height = 640 * share**0.5 / f_px * depth_m, 360 * share**0.5 / f_px * depth_m
    return MovingCard(
        kind, (0.0, 0.0, depth_m), (width, height), swing_m=(0.2 * width, 0.05 * height, 0), swing_hz=swing_hz
    )


def flash(time_s: float, gain: float = 2.5) -> tuple[tuple[float, float], ...]:
    """Return exposure keys of a flash of about two frames."""
    return ((time_s - 0.04, 1.0), (time_s, gain), (time_s + 0.06, 1.0))


def _plane(name: str, **changes: object) -> ClipSpec:
    """Return a clip without parallax (a wall or infinity), whose motion is exactly a homography."""
    base = ClipSpec(name, world="far", motion=MOTIONS["turning"], duration_s=4, noise=1.0, seed=11)
    return replace(base, **changes)  # type: ignore[arg-type]


FLAT = [
    _plane("flat-handheld"),
    _plane("flat-walk", world="wall", motion=replace(MOTIONS["walk"], velocity_m_s=(0, 0, 0.6))),
    _plane("flat-large", motion=MOTIONS["strong"]),
    _plane("flat-exposure", gain_keys=((0.5, 1.0), (1.0, 0.55), (2.0, 1.35), (3.0, 0.8), (4.0, 1.0))),
    _plane("flat-foreground", objects=(foreground(0.5),)),
    _plane("flat-foreground-third", objects=(foreground(0.33),)),
    _plane("flat-noise", noise=10.0),
    _plane("flat-blur", shutter=Shutter(exposure_s=0.02, blur_samples=6)),
]

REAL = [
    ClipSpec(
        "walk",
        duration_s=8,
        motion=MOTIONS["walk"],
        shutter=Shutter(0.02),
        objects=PEOPLE,
        noise=1.5,
        gyro=LATE_PHONE,
        audio=True,
        seed=5,
    ),
    ClipSpec(
        "handheld",
        world="plaza",
        motion=MOTIONS["handheld"],
        shutter=Shutter(0.015),
        objects=PEOPLE[1:],
        noise=1.5,
        gyro=PHONE,
        seed=2,
    ),
    ClipSpec("vfr", world="plaza", motion=MOTIONS["handheld"], time_jitter=0.6, noise=1.5, seed=3),
    ClipSpec(
        "pan",
        world="plaza",
        duration_s=8,
        motion=MOTIONS["pan"],
        shutter=Shutter(0.02),
        noise=1.5,
        gyro=LATE_PHONE,
        seed=4,
    ),
    ClipSpec(
        "action",
        motion=MOTIONS["action"],
        shutter=Shutter(0.016, exposure_s=0.008, blur_samples=4),
        noise=1.5,
        gyro=PHONE,
        seed=6,
    ),
    ClipSpec("tripod", world="plaza", objects=(foreground(0.55, kind="box"),), noise=1.5, gyro=PHONE, seed=7),
    ClipSpec(
        "drift",
        world="plaza",
        duration_s=10,
        motion=MOTIONS["walk"],
        gyro=replace(LATE_PHONE, drift=0.01),
        objects=PEOPLE,
        noise=1.5,
        seed=8,
    ),
]

HARD = [
    *(
        ClipSpec(name, world="plaza", motion=MOTIONS["jello"], shutter=shutter, noise=1.0, gyro=PHONE, seed=9)
        for name, shutter in (
            ("shutter", Shutter(0.033)),
            ("shutter-up", Shutter(-0.033)),
            ("shutter-columns", Shutter(0.033, "columns")),
        )
    ),
    ClipSpec("ois", world="plaza", motion=MOTIONS["handheld"], ois=Ois(), noise=1.0, gyro=PHONE, seed=10),
    ClipSpec(
        "fisheye",
        world="plaza",
        motion=MOTIONS["handheld"],
        lens=Lens(330, (0.05, -0.01), "fisheye"),
        gyro=PHONE,
        noise=1.0,
        seed=12,
    ),
    ClipSpec(
        "barrel", world="plaza", motion=MOTIONS["handheld"], lens=Lens(480, (-0.12,)), gyro=PHONE, noise=1.0, seed=13
    ),
    ClipSpec("plain", world="plain", motion=MOTIONS["handheld"], gyro=PHONE, noise=2.0, seed=14),
    ClipSpec(
        "blurred",
        motion=MOTIONS["walk"],
        shutter=Shutter(0.02, exposure_s=0.03, blur_samples=8),
        gyro=PHONE,
        noise=1.5,
        seed=15,
    ),
    ClipSpec(
        "night",
        motion=MOTIONS["action"],
        shutter=Shutter(0.02, exposure_s=0.03, blur_samples=12),
        gain_keys=((0.0, 0.15),),
        gyro=PHONE,
        noise=5.0,
        seed=20,
    ),
    ClipSpec(
        "crowd",
        motion=MOTIONS["handheld"],
        objects=(foreground(0.65, 2.5, "dull"), *PEOPLE),
        gyro=PHONE,
        noise=1.5,
        seed=16,
    ),
    ClipSpec(
        "cuts",
        duration_s=6,
        motion=MOTIONS["handheld"],
        cuts=((2.0, "plaza"), (4.0, "far")),
        gain_keys=flash(1.0),
        noise=1.5,
        seed=17,
    ),
    ClipSpec(
        "fade",
        world="plaza",
        motion=MOTIONS["handheld"],
        gain_keys=((0.0, 0.0), (1.5, 1.0), (3.5, 1.0), (5.0, 0.0)),
        noise=1.5,
        seed=18,
    ),
    ClipSpec(
        "fastpan",
        world="plaza",
        motion=CameraMotion(tremor_deg=0.3, pan_deg=45, pan_period_s=2.5),
        noise=1.5,
        duration_s=5,
        seed=19,
    ),
]

CLIPS: dict[str, ClipSpec] = {spec.name: spec for spec in (*REAL, *FLAT, *HARD)}
