"""Generated clips that are hard to measure or wrongly timed, 640x360, whose camera is known at every time.

A camera of similarities over a plane: world = z(t) p + w(t), with p in pixels from the middle of the picture. Every
frame has a time of capture and a time stamp, and the two may differ.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.integrate import cumulative_trapezoid

from .peers import WORK, unfinished

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
UInt8 = NDArray[np.uint8]
Complex = NDArray[np.complex128]
WIDTH, HEIGHT, FPS = 640, 360, 30
TIME_BASE = Fraction(1, 90000)
CANVAS = (1024, 2048)  # rows, columns of a texture; periodic
CARD_HALF = (288, 140)  # half the foreground's width and height: 70 % of the picture
CARD_MOVES_S = (1.5, 6.5)
CARD_SWING_PX, CARD_SWING_HZ = 45.0, 0.5
TREMOR_HZ, TREMOR_TERMS = (1.0, 8.0), 16
STEADY = ((-10.0, 150.0), (100.0, 150.0))  # a pan of 5 px a frame
WHIPS = (
    *((0.0, 0.0), (1.5, 0.0), (1.65, 1200.0), (2.25, 1200.0), (2.4, 0.0)),
    *((3.9, 0.0), (4.05, -1200.0), (4.65, -1200.0), (4.8, 0.0), (9.0, 0.0)),
)


@dataclass(frozen=True, slots=True)
class Camera:
    """Tremor as a sum of sinusoids, on top of a pan."""

    tremor_px: float
    """RMS of the shift along either axis."""
    pan: tuple[tuple[float, float], ...] = ((0.0, 0.0),)
    """Seconds and px a second, linear between."""
    seed: int = 1

    def pose(self, time_s: Float) -> tuple[Complex, Complex]:
        """z and w at any times, px."""
        rng = np.random.default_rng(self.seed)
        hz = np.exp(rng.uniform(np.log(TREMOR_HZ[0]), np.log(TREMOR_HZ[1]), TREMOR_TERMS))
        height = rng.uniform(0.5, 1.5, (TREMOR_TERMS, 4)) / hz[:, None]
        height /= np.sqrt((height**2).sum(axis=0) / 2)
        phase = rng.uniform(0, 2 * np.pi, (TREMOR_TERMS, 4))
        x, y, roll, zoom = (
            sum(a * np.sin(2 * np.pi * f * time_s + p) for a, f, p in zip(height[:, k], hz, phase[:, k], strict=True))
            for k in range(4)
        )
        w = self.tremor_px * (x + 1j * y) + self._panned(time_s)
        z = np.exp(self.tremor_px * (0.0003 * zoom + 0.0012j * roll))
        return np.asarray(z), np.asarray(w)

    def _panned(self, time_s: Float) -> Float:
        fine = np.linspace(-1, 10, 11001)
        key_s, key_px_s = np.array(self.pan).T
        speed = np.interp(fine, key_s, key_px_s)
        return np.asarray(np.interp(time_s, fine, cumulative_trapezoid(speed, fine, initial=0)))


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip; n frames."""

    name: str
    camera: Camera
    capture_s: Float
    """(n,) when each frame was taken, the middle of its middle line's exposure."""
    stamp_s: Float
    """(n,) what the container says."""
    texture: str = "town"
    foreground: bool = False
    """A card over 70 % of the picture that moves by itself for 5 s."""
    flicker: float = 0.0
    """Of the exposure, a share either way."""
    exposure_s: float = 0.0
    readout_s: float = 0.0

    @property
    def viewed_s(self) -> Float:
        """(n,) times at which a viewer is to find the motion even: of capture, but for frames that stand twice."""
        return self.capture_s if (np.diff(self.capture_s) > 0).all() else self.stamp_s


def town(rng: np.random.Generator) -> Float32:
    """Boxes of all sizes over clouds."""
    image = _clouds(rng, 1.2) * 22 + 120
    for _ in range(1400):
        x, y = int(rng.integers(0, CANVAS[1])), int(rng.integers(0, CANVAS[0]))
        w, h = (int(v) for v in rng.integers(6, 70, 2))
        cv2.rectangle(image, (x, y), (x + w, y + h), float(rng.uniform(20, 235)), -1)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 0.8))


def tiles(rng: np.random.Generator) -> Float32:
    """A wall of equal tiles of 32 px under a faint cloud."""
    tile = np.full((32, 32), 170, np.float32)
    tile[:2] = tile[:, :2] = 60
    cv2.circle(tile, (17, 17), 6, 110.0, -1)
    image = np.tile(tile, (CANVAS[0] // 32, CANVAS[1] // 32)) + 5 * _clouds(rng, 1.5)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 0.8))


def _clouds(rng: np.random.Generator, slope: float) -> Float32:
    """Periodic noise of unit deviation whose amplitude falls as frequency^-slope."""
    frequency = np.hypot(np.fft.fftfreq(CANVAS[0])[:, None], np.fft.rfftfreq(CANVAS[1])[None])
    frequency[0, 0] = np.inf
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(CANVAS)) * frequency**-slope, CANVAS)
    return np.asarray(field / field.std(), np.float32)


TEXTURES: dict[str, Callable[[np.random.Generator], Float32]] = {"town": town, "tiles": tiles}


def pictures(clip: Clip) -> list[UInt8]:
    """All frames."""
    rng = np.random.default_rng((clip.camera.seed, 7))
    world = TEXTURES[clip.texture](rng)
    card = town(rng) if clip.foreground else None
    gain = 1 + clip.flicker * np.sin(2 * np.pi * 9 * clip.capture_s) * rng.uniform(0.5, 1.0, len(clip.capture_s))
    frames: list[UInt8] = []
    for k, time_s in enumerate(clip.capture_s):
        if k and time_s == clip.capture_s[k - 1]:
            frames.append(frames[-1])
            continue
        image = gain[k] * _exposed(clip, float(time_s), world, card) + rng.normal(0, 1.5, (HEIGHT, WIDTH))
        frames.append(image.round().clip(0, 255).astype(np.uint8))
    return frames


def _exposed(clip: Clip, time_s: float, world: Float32, card: Float32 | None) -> Float32:
    """The mean over the exposure, each line at its own time."""
    lines_s = time_s + clip.readout_s * (np.arange(HEIGHT) / (HEIGHT - 1) - 0.5)
    samples = 8 if clip.exposure_s else 1
    moments = clip.exposure_s * ((np.arange(samples) + 0.5) / samples - 0.5)
    return np.asarray(np.mean([_instant(clip, lines_s + moment, world, card) for moment in moments], axis=0))


def _instant(clip: Clip, lines_s: Float, world: Float32, card: Float32 | None) -> Float32:
    z, w = clip.camera.pose(lines_s)
    x, y = np.arange(WIDTH) - (WIDTH - 1) / 2, np.arange(HEIGHT) - (HEIGHT - 1) / 2
    place = z[:, None] * (x[None] + 1j * y[:, None]) + w[:, None]
    image = _look_up(world, place)
    if card is not None:
        on_card = place - _card_moved(lines_s)[:, None]
        covered = (np.abs(on_card.real) < CARD_HALF[0]) & (np.abs(on_card.imag) < CARD_HALF[1])
        image = np.where(covered, _look_up(card, on_card), image)
    return image


def _look_up(texture: Float32, place: Complex) -> Float32:
    x, y = place.real % CANVAS[1], place.imag % CANVAS[0]
    return np.asarray(
        cv2.remap(texture, x.astype(np.float32), y.astype(np.float32), cv2.INTER_CUBIC, borderMode=cv2.BORDER_WRAP)
    )


def _card_moved(time_s: Float) -> Complex:
    """Of the card, px: it swings sideways, and less up and down."""
    since = time_s.clip(*CARD_MOVES_S) - CARD_MOVES_S[0]
    x = CARD_SWING_PX * np.sin(2 * np.pi * CARD_SWING_HZ * since)
    y = 0.4 * CARD_SWING_PX * np.sin(4 * np.pi * CARD_SWING_HZ * since)
    return np.asarray(x + 1j * y)


def write(clip: Clip) -> Path:
    """The encoded clip in `work/hard`, generated once for this code."""
    code = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    target = WORK / "hard" / f"{clip.name}-{code}.mp4"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with unfinished(target) as part:
            _encode(clip, part)
    return target


def _encode(clip: Clip, target: Path) -> None:
    with av.open(str(target), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"crf": "14", "preset": "veryfast", "threads": "1"}
        stream.time_base = stream.codec_context.time_base = TIME_BASE
        for image, stamp in zip(pictures(clip), clip.stamp_s, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = round(stamp / TIME_BASE), TIME_BASE
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _even(seconds: float) -> Float:
    return np.arange(round(seconds * FPS)) / FPS


def _two_odd(even: Float) -> Float:
    """Stamps with intervals of 52 and 100 ms among the even ones."""
    intervals = np.diff(even)
    intervals[[60, 115]] = 0.052, 0.1
    return np.concatenate([[0.0], np.cumsum(intervals)])


def _uneven(even: Float) -> Float:
    """Stamps that jitter by a quarter of an interval, and three times come late and catch up, as phones write them."""
    rng = np.random.default_rng(5)
    stamps = even + rng.uniform(-0.25, 0.25, len(even)) / FPS
    stamps[0] = 0.0
    for late in (9, 70, 130):
        stamps[late : late + 4] = stamps[late + 4] - 0.0025 * np.arange(4, 0, -1)
    return stamps


def _clips() -> list[Clip]:
    six, eight = _even(6), _even(8)
    hand, pan = Camera(8.0), Camera(1.5, STEADY, seed=2)
    drops = np.delete(np.arange(len(six)), [23, 47, 48, 80, 101, 122, 150, 151, 152])
    doubled = six.copy()
    doubled[[23, 47, 80, 101, 122, 150]] = doubled[[22, 46, 79, 100, 121, 149]]
    out = [
        Clip("foreground", Camera(6.0, seed=3), eight, eight, foreground=True),
        Clip("tiles", Camera(8.0, seed=4), six, six, texture="tiles"),
        Clip("flicker", Camera(8.0, seed=5), six, six, flicker=0.45),
        Clip("rolling-blur", Camera(14.0, seed=6), six, six, exposure_s=1 / FPS, readout_s=0.025),
        Clip("whip-pans", Camera(4.0, WHIPS, seed=7), six, six),
    ]
    for name, camera in (("hand", hand), ("pan", pan)):
        out += [
            Clip(f"even-{name}", camera, six, six),
            Clip(f"odd-{name}", camera, six, _two_odd(six)),
            Clip(f"uneven-{name}", camera, six, _uneven(six)),
            Clip(f"dropped-{name}", camera, six[drops], six[drops]),
            Clip(f"doubled-{name}", camera, doubled, six),
        ]
    return out


CLIPS = {clip.name: clip for clip in _clips()}
