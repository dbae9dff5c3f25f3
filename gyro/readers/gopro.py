"""Reader of GoPro recordings: the GPMF track of an MP4, or bare payloads in a .raw file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gyro.axis_letters import letters_to_matrix
from gyro.errors import LogError, NoLogError, file_errors
from gyro.log import Damage, Float, GyroLog
from gyro.readers import gpmf
from gyro.readers.clock import MAX_DAMAGE, check_clock, gap_limit_s
from gyro.readers.options import ReadOptions
from gyro.readers.table import MAX_ROWS, open_log
from gyro.readers.units import RATE_MAX_RAD_S, plausible_readout
from localfiles import read_bytes

if TYPE_CHECKING:
    from scipy.spatial.transform import Rotation

MAX_TRACK_BYTES = 1 << 30  # of a video, read payload by payload
MAX_RAW_BYTES = 1 << 28  # of a bare file, read at once: an hour and a half of the highest data rate
MAX_PAYLOADS = 200_000
EXACT_COUNT_MAX = 2.0**53  # up to which a double holds every integer
PAYLOAD_S = 1.001  # one second of video at 29.97 fps, for files without times
# GoPro's labels are X left, Y backward, Z up; this maps them to camera axes (x right, y down, z forward).
R_CAM_GOPRO = np.array([[-1.0, 0, 0], [0, 0, -1], [0, -1, 0]])
# Order of the channels of cameras that do not write ORIN; the name of a HERO5 is "Camera". HERO6 is not listed: GoPro's
# table (Y, -X, Z), the name of the stream (z, x, y) and the gravity in GoPro's sample contradict each other.
_ORIN_OF_MODEL = {"camera": "ZXY", "hero5": "ZXY", "fusion": "yXZ"}
_FRAME_KEYS = ("SHUT", "ISOE", "CORI")
_STABILISED_RAD = np.radians(0.3)


@dataclass(frozen=True, slots=True)
class Payload:
    """About one second of GPMF."""

    data: bytes
    time_s: float | None = None
    """Time in the video; None in a bare file."""


@dataclass(slots=True)
class Series:
    """One sensor over the payloads read so far."""

    blocks: list[Float] = field(default_factory=list)
    """Samples of each payload."""
    first: list[int] = field(default_factory=list)
    """Number of the first sample of each payload."""
    stamp_s: list[float] = field(default_factory=list)
    """STMP or TICK of each payload, NaN where there is none."""
    video_s: list[float] = field(default_factory=list)
    """Video time of each payload."""
    total: int = 0
    """Samples that the camera counted."""
    count: int = 0
    """Samples read."""

    def add(self, values: Float, first: int, stamp_s: float, video_s: float) -> None:
        self.blocks.append(values)
        self.first.append(first)
        self.stamp_s.append(stamp_s)
        self.video_s.append(video_s)
        self.total = first + len(values)
        self.count += len(values)


@dataclass(slots=True)
class Recording:
    """Content of all payloads."""

    series: dict[str, Series] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    readout_ms: list[float] = field(default_factory=list)
    broken: list[Damage] = field(default_factory=list)
    anchor_s: float | None = None
    """The camera's clock at the start of the video."""


def sniff(head: bytes, path: Path) -> bool:
    return head.startswith(b"DEVC\0") or head[4:8] == b"ftyp"


def read(path: Path, options: ReadOptions) -> GyroLog:
    """Read the gyroscope: rad/s, channels in the order of the file, times on the clock of the video.

    Raises NoLogError where there is no GPMF or no GYRO in it, LogError where it is damaged.
    """
    recording = _read_recording(path)
    if "GYRO" not in recording.series:
        if recording.broken:
            raise LogError(f"{path.name}: no gyroscope (GYRO) in its GPMF: {recording.broken[0].reason}")
        raise NoLogError(f"{path.name}: no gyroscope (GYRO) in its GPMF")
    time_s, note = _times(recording.series["GYRO"], recording.anchor_s)
    gyro = np.concatenate(recording.series["GYRO"].blocks)
    valid = (
        np.all(np.abs(gyro) <= RATE_MAX_RAD_S, axis=1) & (np.diff(time_s, prepend=-np.inf) > 0) & np.isfinite(time_s)
    )
    time_s, gyro = time_s[valid], gyro[valid]
    if gyro.shape[1] != 3 or len(gyro) < 2:
        raise LogError(f"{path.name}: GYRO has {gyro.shape[1]} channels and {len(gyro)} samples")
    check_clock(time_s, path.name)
    readout_s, strange = plausible_readout(_stated_readout_s(recording))
    gaps_s, damage = _gaps(recording, time_s)
    orin = _orin(recording)
    try:  # the letters name the axis of each channel
        R_cam_gyro = None if orin is None else R_CAM_GOPRO @ letters_to_matrix(orin).T
    except ValueError as error:
        raise LogError(f"{path.name}: GPMF ORIN {error}") from error
    return GyroLog(
        source=str(path),
        format="gpmf",
        time_s=time_s,
        gyro_rad_s=gyro,
        accel_m_s2=_accel(recording, time_s),
        readout_s=readout_s,
        axes=orin,
        gaps_s=gaps_s,
        damage=damage,
        notes=(
            f"GPMF of {recording.texts.get('device') or 'a camera'}",
            note,
            *strange,
            *_stabilization_notes(recording),
        ),
        R_cam_gyro=R_cam_gyro,
    )


def _stated_readout_s(recording: Recording) -> float | None:
    finite_ms = [value for value in recording.readout_ms if np.isfinite(value)]
    return float(np.median(finite_ms)) / 1000 if finite_ms else None


@dataclass(frozen=True, slots=True)
class CameraMotion:
    """The camera's own estimates, once per frame (HERO8 and later), as in the file."""

    time_s: Float
    """(m,) times."""
    cori: Rotation | None
    """m orientations of the camera since the start."""
    iori: Rotation | None
    """m orientations of the image in the body: the camera's stabilisation."""
    gravity: Float | None
    """(m, 3)."""


def camera_motion(path: Path) -> CameraMotion | None:
    """Read CORI, IORI and GRAV; None if the file has none of them. Raises LogError as `read` does."""
    recording = _read_recording(path)
    keys = [key for key in ("CORI", "IORI", "GRAV") if key in recording.series]
    if not keys:
        return None
    counts = min(sum(map(len, recording.series[key].blocks)) for key in keys)
    time_s = _times(recording.series[keys[0]], recording.anchor_s)[0][:counts]
    gravity = np.concatenate(recording.series["GRAV"].blocks)[:counts] if "GRAV" in keys else None
    return CameraMotion(time_s, _rotations(recording, "CORI", counts), _rotations(recording, "IORI", counts), gravity)


def video_payloads(path: Path) -> Iterator[Payload]:
    """Yield the packets of the GPMF track of a local video. Raises InputError where it cannot be opened."""
    from av.stream import Discard

    from gyro.video import video_container

    with video_container(path) as container:
        tracks = [s for s in container.streams if s.type == "data" and "MET" in s.metadata.get("handler_name", "")]
        for stream in container.streams:
            if stream not in tracks:
                stream.discard = Discard.all  # or an hour of video would be read
        yield from _packets(container.demux(tracks)) if tracks else ()


def _packets(packets: Iterator[object]) -> Iterator[Payload]:
    total = 0
    for packet in packets:
        data = bytes(packet)  # type: ignore[call-overload]
        total += len(data)
        if total > MAX_TRACK_BYTES:
            raise LogError(f"more than {MAX_TRACK_BYTES >> 20} MiB of GPMF")
        if data.startswith(b"DEVC"):
            pts, base = packet.pts, packet.time_base  # type: ignore[attr-defined]
            yield Payload(data, None if pts is None else float(pts * base))


def raw_payloads(path: Path) -> Iterator[Payload]:
    """Yield the DEVC elements of a bare file."""
    with file_errors():
        data = read_bytes(path, MAX_RAW_BYTES, "GPMF of one recording")
    start = 0
    while data[start : start + 4] == b"DEVC" and start + 8 <= len(data):
        length = data[start + 5] * int.from_bytes(data[start + 6 : start + 8])
        end = start + 8 + (length + 3) // 4 * 4
        yield Payload(data[start:end])
        start = end


def _read_recording(path: Path) -> Recording:
    """Read every payload once; a damaged one is reported and skipped."""
    with open_log(path) as file:
        bare = file.read(4) == b"DEVC"
    recording = Recording()
    payloads = 0
    for payload in raw_payloads(path) if bare else video_payloads(path):
        start = payload.time_s if payload.time_s is not None else payloads * PAYLOAD_S
        payloads += 1
        if payloads > MAX_PAYLOADS:
            raise LogError(f"{path.name}: more than {MAX_PAYLOADS} payloads of GPMF")
        try:
            for stream in gpmf.streams(payload.data):
                _collect_stream(recording, stream, start)
        except LogError as error:
            recording.broken.append(Damage(0, start, str(error)))
    if not payloads:
        raise NoLogError(f"{path.name}: no GPMF in it")
    return recording


def _collect_stream(recording: Recording, stream: gpmf.Stream, start_s: float) -> None:
    """Add the content of one stream of one payload."""
    tags = stream.elements
    for key in ("GYRO", "ACCL", "CORI", "IORI", "GRAV", "SHUT", "ISOE"):
        if key in tags and tags[key].repeat:
            values = gpmf.scaled(stream, key)
            series = recording.series.setdefault(key, Series())
            if series.count + len(values) > MAX_ROWS:
                raise LogError(f"GPMF {key}: more than {MAX_ROWS} samples")
            if series.blocks and series.blocks[0].shape[1] != values.shape[1]:
                raise LogError(f"GPMF {key}: {values.shape[1]} channels after {series.blocks[0].shape[1]}")
            counted = _single_value(tags, "TSMP")
            first = int(counted) - len(values) if counted is not None and counted < EXACT_COUNT_MAX else series.total
            # Streams with one sample per frame have the stamp of the frame; TICK is coarser and that of writing.
            if key in _FRAME_KEYS and "STMP" in tags and recording.anchor_s is None:
                recording.anchor_s = _stamp(tags) - start_s
            series.add(values, first if first >= series.total else series.total, _stamp(tags), start_s)
    if "GYRO" in tags:
        recording.texts.setdefault("device", stream.device)
        for key in ("ORIN", "TMPC", "SIUN"):
            if key in tags:
                recording.texts.setdefault(key, gpmf.text(tags[key]))
    if "SROT" in tags:
        recording.readout_ms.extend(gpmf.scaled(stream, "SROT").ravel().tolist())


def _stamp(tags: dict[str, gpmf.Element]) -> float:
    """Return the camera's clock at the first sample of the payload, in seconds."""
    micro, milli = _single_value(tags, "STMP"), _single_value(tags, "TICK")
    return micro * 1e-6 if micro is not None else milli * 1e-3 if milli is not None else float("nan")


def _single_value(tags: dict[str, gpmf.Element], key: str) -> float | None:
    if key not in tags or tags[key].repeat != 1:
        return None
    value = float(gpmf.numbers(tags[key]).ravel()[0])
    return value if np.isfinite(value) else None


def _times(series: Series, anchor_s: float | None) -> tuple[Float, str]:
    """Return the video time of every sample, and how it was derived.

    Sensors sample at a constant rate but are read in bursts, so the number of samples per payload jitters by up to
    15 %. One robust line from sample number to time over all payloads is more accurate than times within each payload.
    Its slope comes from the camera's stamps where there are any, its intercept too where frames have the same clock.
    """
    first, video = np.array(series.first, float), np.array(series.video_s)
    number = np.concatenate([f + np.arange(len(b)) for f, b in zip(series.first, series.blocks, strict=True)])
    stamp = np.array(series.stamp_s)
    if len(first) < 2 or not np.all(np.diff(first) > 0):
        return video[0] + (number - number[0]) * (
            PAYLOAD_S / len(series.blocks[0])
        ), "one payload, assumed to last 1.001 s (guess)"
    if np.all(np.isfinite(stamp)) and np.all(np.diff(stamp) > 0):
        slope, intercept = _line(first, stamp)
        if anchor_s is not None:
            return intercept + slope * number - anchor_s, "time by the camera's stamps, from the first frame"
        return float(
            np.median(video - slope * first)
        ) + slope * number, "rate by the camera's stamps, start by the container"
    slope, intercept = _line(first, video)
    return intercept + slope * number, "time by the container, one line through all payloads"


def _line(x: Float, y: Float) -> tuple[float, float]:
    """Return slope and intercept of a line through (n,) points with outliers: median slope over half the length, median
    intercept."""
    half = len(x) // 2
    slope = float(np.median((y[half:] - y[: len(y) - half]) / (x[half:] - x[: len(x) - half])))
    return slope, float(np.median(y - slope * x))


def _gaps(recording: Recording, time_s: Float) -> tuple[Float, tuple[Damage, ...]]:
    """Return the spans where samples are missing from the count, and the damage with unreadable payloads."""
    step = np.diff(time_s)
    gap_starts = np.flatnonzero(step > gap_limit_s(step))
    damage = [Damage(0, float(time_s[i]), f"no data for {step[i]:.3g} s") for i in gap_starts[:MAX_DAMAGE]]
    gaps_s = np.stack([time_s[gap_starts], time_s[gap_starts + 1]], axis=1)
    return gaps_s, tuple(sorted(damage + recording.broken[:MAX_DAMAGE], key=lambda d: d.time_s))


def _accel(recording: Recording, time_s: Float) -> Float | None:
    """Return the accelerometer at the gyroscope's times; both sensors have the same axes."""
    if "ACCL" not in recording.series:
        return None
    values = np.concatenate(recording.series["ACCL"].blocks)
    if values.shape[1] != 3 or not np.all(np.isfinite(values)):
        return None
    accel_time_s = _times(recording.series["ACCL"], recording.anchor_s)[0]
    if not np.all(np.isfinite(accel_time_s)):
        return None
    return np.stack([np.interp(time_s, accel_time_s, column) for column in values.T], axis=1)


def _orin(recording: Recording) -> str | None:
    model = recording.texts.get("device", "").lower()
    return recording.texts.get("ORIN") or next(
        (orin for name, orin in _ORIN_OF_MODEL.items() if model.startswith(name)), None
    )


def _rotations(recording: Recording, key: str, count: int) -> Rotation | None:
    """Return the quaternions w, x, y, z of a stream as rotations."""
    from scipy.spatial.transform import Rotation

    if key not in recording.series:
        return None
    values = np.concatenate(recording.series[key].blocks)[:count]
    if values.shape[1] != 4 or not np.all(np.linalg.norm(values, axis=1) > 0.5):
        return None
    return Rotation.from_quat(values, scalar_first=True)


def _stabilization_notes(recording: Recording) -> list[str]:
    """Return a note where the camera has stabilised the video: gyroscope and video then disagree."""
    if "IORI" not in recording.series:
        return []
    image = _rotations(recording, "IORI", sum(map(len, recording.series["IORI"].blocks)))
    if image is None or len(image) < 2:
        return []
    rotation = float(np.max((image[0].inv() * image).magnitude()))
    if rotation < _STABILISED_RAD:
        return []
    return [
        f"the camera rotated the image by up to {np.degrees(rotation):.2g} degrees (IORI): stabilised in the camera"
    ]
