"""GoPro's format: the key-length-value tree, the clock of bursts, the axes, and four real cameras."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from gyro.errors import InputError, LogError
from gyro.readers import find_logs, gopro, gpmf, read_log

GYRO_SCALE, RATE_HZ = 939, 200.0


def element(key: str, kind: str, size: int, data: bytes) -> bytes:
    """Written after the format's description: key, type, size of a sample, big-endian count, data to a multiple of
    four."""
    head = key.encode() + (kind.encode() or b"\0") + bytes([size]) + struct.pack(">H", len(data) // size)
    return head + data + b"\0" * (-len(data) % 4)


def nest(key: str, *children: bytes) -> bytes:
    data = b"".join(children)
    assert len(data) < 1 << 16
    return key.encode() + b"\0\1" + struct.pack(">H", len(data)) + data


def gyro_stream(counts: np.ndarray, total: int, *extra: bytes, key: str = "GYRO") -> bytes:
    return nest(
        "STRM",
        element("TSMP", "L", 4, struct.pack(">L", total)),
        *extra,
        element("SIUN", "c", 1, b"rad/s"),
        element("SCAL", "s", 2, struct.pack(">h", GYRO_SCALE)),
        element(key, "s", 6, counts.astype(">i2").tobytes()),
    )


def payload(*streams: bytes, model: bytes = b"HERO9 Black") -> bytes:
    return nest("DEVC", element("DVNM", "c", 1, model), *streams)


def bursts(seconds: int, stamped: bool, skip: int | None = None) -> list[bytes]:
    """Payloads of a 200 Hz sensor that is read late: samples per payload jitter, the sample rate does not.

    Channel 0 holds the true number of the sample. `skip` leaves out one payload.
    """
    ends = (np.arange(1, seconds + 1) * 200 - np.random.default_rng(3).integers(0, 25, seconds)).tolist()
    payloads, start = [], 0
    for i, end in enumerate(ends):
        number = np.arange(start, end)
        counts = np.stack([number, number % 7, -number % 5], axis=1)
        stamp = [element("STMP", "J", 8, struct.pack(">Q", round(5e6 + start / RATE_HZ * 1e6)))] if stamped else []
        if i != skip:
            payloads.append(payload(gyro_stream(counts, end, *stamp)))
        start = end
    return payloads


@pytest.mark.parametrize("stamped", [False, True])
def test_bursts_become_an_even_clock(tmp_path, stamped):
    path = tmp_path / "bursts.raw"
    path.write_bytes(b"".join(bursts(30, stamped)))
    log = read_log(path)
    number = log.gyro_rad_s[:, 0] * GYRO_SCALE
    np.testing.assert_allclose(number, np.arange(len(number)), atol=1e-6)
    nominal = 1 if stamped else gopro.PAYLOAD_S  # without a stamp a payload of a bare file lasts 1.001 s
    np.testing.assert_allclose(np.diff(log.time_s) * RATE_HZ, nominal, rtol=1e-6 if stamped else 5e-3)


def test_a_lost_payload_is_a_gap_of_its_length(tmp_path):
    path = tmp_path / "lost.raw"
    path.write_bytes(b"".join(bursts(20, True, skip=9)))
    log = read_log(path)
    number = log.gyro_rad_s[:, 0] * GYRO_SCALE
    np.testing.assert_allclose(log.time_s - log.time_s[0], (number - number[0]) / RATE_HZ, atol=1e-4)
    assert log.gaps_s.shape == (1, 2)
    assert log.gaps_s[0, 1] - log.gaps_s[0, 0] == pytest.approx(1, abs=0.15)
    assert "no data" in log.damage[0].reason


def test_a_broken_payload_is_reported_and_the_rest_read(tmp_path):
    parts = bursts(10, True)
    inner = bytearray(parts[4])
    inner[inner.index(b"SCAL") + 6] = 255  # a count that runs over the end
    path = tmp_path / "broken.raw"
    path.write_bytes(b"".join([*parts[:4], bytes(inner), *parts[5:]]))
    log = read_log(path)
    assert any("GPMF b'SCAL' says" in d.reason for d in log.damage)
    assert len(log.gaps_s) == 1


@pytest.mark.parametrize(
    "orin, up, left, backward",
    [("ZXY", 0, 1, 2), ("YxZ", 2, -2, 0), ("XYZ", 2, 0, 1), ("zyx", -1, -3, -2)],
)
def test_axes_of_orin(tmp_path, orin, up, left, backward):
    """GoPro labels Z up, X left, Y backward; `up`, `left`, `backward` are the channels that lie so (-1 - k: against
    it)."""
    counts = np.random.default_rng(0).integers(-999, 999, (200, 3))
    path = tmp_path / "axes.raw"
    path.write_bytes(payload(gyro_stream(counts, 200, element("ORIN", "c", 1, orin.encode()))))
    log = read_log(path)
    assert log.R_cam_gyro is not None
    camera = counts @ log.R_cam_gyro.T

    def channel(k: int) -> np.ndarray:
        return counts[:, k] if k >= 0 else -counts[:, -1 - k]

    np.testing.assert_allclose(camera, np.stack([-channel(left), -channel(up), -channel(backward)], axis=1))
    assert log.axes == orin


def test_types_scales_and_strings():
    stream = next(
        gpmf.streams(
            nest(
                "DEVC",
                element("DVNM", "c", 1, b"cam\0x"),
                nest(
                    "STRM",
                    element("SCAL", "l", 4, struct.pack(">ll", 10, 1000)),
                    element(
                        "FIXD", "q", 8, struct.pack(">lHhH", 3, 0, 0, 0)[:0] + struct.pack(">ll", 3 << 16, -1 << 15)
                    ),
                    element("LONG", "j", 16, struct.pack(">qq", -(1 << 40), 5)),
                ),
            )
        )
    )
    assert stream.device == "cam"
    assert gpmf.scaled(stream, "FIXD").tolist() == [[0.3, -0.0005]]
    assert gpmf.numbers(stream.elements["LONG"]).tolist() == [[-(2.0**40), 5]]
    with pytest.raises(LogError, match="no numbers"):
        gpmf.numbers(gpmf.Element("TEXT", "c", 1, 3, b"abc"))


@pytest.mark.parametrize(
    "data, message",
    [
        (payload(), "no gyroscope"),
        (payload(gyro_stream(np.zeros((50, 3)), 50, key="MAGN")), "no gyroscope"),
        (payload(gyro_stream(np.zeros((1, 3)), 1)), "1 samples"),
        (payload(gyro_stream(np.zeros((50, 3)), 50)).replace(struct.pack(">h", GYRO_SCALE), b"\0\0"), "scale"),
        (b"DEVC\0\1\xff\xff" + b"STRM\0\1\xff\xff" * 3, "says"),
        (payload(gyro_stream(np.zeros((9, 3)), 9, element("ORIN", "c", 1, b"XXZ"))), "ORIN 'XXZ'"),
    ],
)
def test_files_that_are_not_recordings_are_refused_with_the_reason(tmp_path, data, message):
    path = tmp_path / "bad.raw"
    path.write_bytes(data)
    with pytest.raises(LogError, match=message):
        read_log(path)


@pytest.mark.parametrize(
    "name, samples, rate_hz, span_s, up_channel",
    [
        ("karma.mp4", 4795, 397.6, 12.06, 0),
        ("hero7_eis.mp4", 2175, 198.4, 10.96, 2),
        ("hero5.raw", 399, 398.6, 0.999, 0),
        ("hero6.raw", 204, 203.8, 0.996, 0),
        ("hero11.raw", 2192, 199.2, 11.0, 0),
    ],
)
def test_real_cameras(recording, name, samples, rate_hz, span_s, up_channel):  # noqa: PLR0917
    """Sample counts are those of gpmf-parser; the camera was held upright, so gravity lies along the channel that is
    up."""
    log = read_log(recording(name))
    assert len(log.time_s) == samples
    assert log.rate_hz == pytest.approx(rate_hz, rel=1e-3)
    assert log.time_s[-1] - log.time_s[0] == pytest.approx(span_s, abs=0.02)
    assert not log.damage and len(log.gaps_s) == 0
    assert log.accel_m_s2 is not None
    mean = log.accel_m_s2.mean(axis=0)
    assert mean[up_channel] == pytest.approx(9.8, abs=0.4)
    if name == "hero6.raw":  # neither the file nor its makers agree on its axes
        assert log.R_cam_gyro is None and log.axes is None
    else:
        assert (log.R_cam_gyro @ mean)[1] < -9  # at rest an accelerometer feels the ground push upwards, y is down


def test_hero7_states_its_readout(recording):
    assert read_log(recording("hero7_eis.mp4")).readout_s == pytest.approx(0.008, abs=1e-4)


def test_stabilisation_in_the_camera_is_noted(recording):
    log = read_log(recording("hero11.raw"))
    assert any("stabilised in the camera" in note for note in log.notes)
    motion = gopro.camera_motion(recording("hero11.raw"))
    assert motion is not None and motion.gravity is not None
    assert motion.cori is not None and motion.iori is not None
    assert motion.gravity.shape == (len(motion.time_s), 3)
    np.testing.assert_allclose(np.linalg.norm(motion.gravity, axis=1), 1, atol=0.01)
    assert len(motion.cori) == len(motion.iori) == len(motion.time_s)


def test_a_cameras_own_orientation_turns_as_its_gyroscope(recording):
    """CORI is the camera's integral of the same gyroscope: rotation angles over each second agree."""
    path = recording("hero11.raw")
    log, motion = read_log(path), gopro.camera_motion(path)
    assert motion is not None and motion.cori is not None
    inside = (motion.time_s > log.time_s[0] + 0.1) & (motion.time_s < log.time_s[-1] - 1.1)
    starts = np.flatnonzero(inside)[::12]
    from scipy.spatial.transform import Rotation

    for i in starts:
        j = int(np.searchsorted(motion.time_s, motion.time_s[i] + 1))
        own = (motion.cori[i].inv() * motion.cori[j]).magnitude()
        part = (log.time_s >= motion.time_s[i]) & (log.time_s < motion.time_s[j])
        steps = Rotation.from_rotvec(log.gyro_rad_s[part] / log.rate_hz)
        total = Rotation.identity()
        for step in steps:
            total = total * step
        assert total.magnitude() == pytest.approx(own, abs=0.02)


@pytest.mark.parametrize("late", [[0], [7], [19], [3, 12, 18]])
def test_late_payloads_do_not_move_the_clock(late):
    """Container times of some payloads are off by seconds, first and last ones too."""
    series = gopro.Series()
    for i in range(20):
        series.add(np.zeros((200, 3)), 200 * i, float("nan"), i * 1.001 + (2.5 if i in late else 0.0))
    times, _ = gopro._times(series, None)
    np.testing.assert_allclose(times, np.arange(4000) * 1.001 / 200, atol=1e-9)


def remux(source: Path, target: Path, payloads: list[bytes]) -> None:
    """An MP4 that holds nothing but a GPMF track: that of `source` with other payloads."""
    import av

    with av.open(str(source)) as inside, av.open(str(target), "w") as outside:
        track = next(s for s in inside.streams if "MET" in s.metadata.get("handler_name", ""))
        copy = outside.add_stream_from_template(track)
        for packet, data in zip(inside.demux(track), payloads, strict=False):
            other = av.Packet(data)
            other.pts = other.dts = packet.pts
            other.duration, other.time_base, other.stream = packet.duration, packet.time_base, copy
            outside.mux(other)


def test_times_of_a_video_are_those_of_its_container(tmp_path, recording):
    """Twelve payloads of 1.001 s with jittering shares: even samples, on the clock of the container."""
    path = tmp_path / "video.mp4"
    remux(recording("karma.mp4"), path, bursts(12, False))
    (log,) = [one.log for one in find_logs(path)]
    assert log is not None and log.format == "gpmf"
    true_s = log.gyro_rad_s[:, 0] * GYRO_SCALE / RATE_HZ * 1.001
    assert np.max(np.abs(log.time_s - true_s)) < 25 / RATE_HZ  # emptied up to 25 samples late
    assert np.ptp(np.diff(log.time_s)) < 1e-9


def test_a_video_without_a_log_has_none():
    clip = Path(__file__).parents[4] / "shared" / "data" / "clips" / "hippo.mp4"
    if not clip.exists():
        pytest.skip(f"{clip} is absent")
    assert list(find_logs(clip)) == []


def test_broken_logs_beside_and_inside_a_video_are_noted_and_the_next_one_is_used(tmp_path, recording):
    remux(recording("karma.mp4"), tmp_path / "sound.mp4", bursts(4, False))
    remux(
        recording("karma.mp4"), tmp_path / "broken.mp4", [p.replace(b"GYRO", b"GYRO"[::-1]) for p in bursts(4, False)]
    )
    remux(
        recording("karma.mp4"), tmp_path / "torn.mp4", [p[:8] + b"STRM\0\1\xff\xff" + p[16:] for p in bursts(4, False)]
    )
    (tmp_path / "sound.csv").write_text("frame,x,y,w,h\n" + "".join(f"{i},{i % 7},3,40,50\n" for i in range(60)))
    beside, inside = find_logs(tmp_path / "sound.mp4")
    assert beside.log is None and "sound.csv" in beside.problem
    assert inside.log is not None and inside.log.format == "gpmf"
    assert list(find_logs(tmp_path / "broken.mp4")) == []  # nothing is broken: there is just no gyroscope in it
    (torn,) = find_logs(tmp_path / "torn.mp4")
    assert torn.log is None and "inside the video was not used: torn.mp4: no gyroscope" in torn.problem


def test_a_file_that_is_not_a_video_is_refused(tmp_path):
    path = tmp_path / "fake.mp4"
    path.write_bytes(b"\0\0\0\x18ftypmp42" + b"\0" * 500)
    with pytest.raises(InputError, match=r"fake\.mp4: not a readable video"):
        read_log(path)
