"""Small sound files of every kind that the program reads: what the mutants are made from."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

from tests.stabilize.video import clipmaker

MILLI = Fraction(1, 1000)
SOUND = [{"title": "sound", "language": "deu"}]
VIDEOS: dict[str, dict[str, Any]] = {
    "a.mp4": {"audio": SOUND, "options": {"bf": "2"}},
    "b.mov": {"codec": "mpeg4", "audio": SOUND},
    "c.mkv": {"time_base": MILLI, "audio": SOUND, "subtitle": "subrip"},
    "d.webm": {"codec": "libvpx", "time_base": MILLI},
    "e.avi": {"codec": "mpeg4", "time_base": Fraction(1, 25), "options": {"bf": "0"}},
    "f.ts": {"format": "mpegts", "time_base": Fraction(1, 90000), "audio": SOUND},
    "g.flv": {"time_base": MILLI, "options": {"bf": "0"}},
    "h.nut": {"codec": "mjpeg", "pix_fmt": "yuvj420p", "format": "nut", "time_base": Fraction(1, 25)},
}
SETTINGS = """\
[path]
smoothness_s = 1.5
max_crop = 0.25
zoom = "static"
[path.strength]
x = 0.5
roll = 1.0
[motion]
long_side = 320
mesh = false
[encode]
codec = "h264"
crf = 30.0
preset = "ultrafast"
[gyro]
use = "off"
"""


def make(folder: Path) -> dict[str, Path]:
    """All seeds but the motion, by name. The same bytes every time, but for identifiers that muxers draw."""
    folder.mkdir()
    for name, changes in VIDEOS.items():
        clipmaker.write(folder / name, frames=12, setup=_titled, **changes)
    (folder / "log.csv").write_text(_table())
    (folder / "log.gcsv").write_text(_gcsv())
    (folder / "phone.csv").write_text(_phone())
    (folder / "log.raw").write_bytes(_gpmf())
    (folder / "settings.toml").write_text(SETTINGS)
    return {path.name: path for path in sorted(folder.iterdir())}


def _titled(out: Any, _: Any) -> None:
    out.metadata.update(title="a title", comment="a comment")


def _rates(count: int = 150) -> list[tuple[float, ...]]:
    return [(i / 100, *(0.3 * math.sin(i / 7 + axis) for axis in range(3)), 0.1, 9.8, 0.2) for i in range(count)]


def _table() -> str:
    return "t_s,gx,gy,gz,ax,ay,az\n" + "".join(",".join(f"{v:.5f}" for v in row) + "\n" for row in _rates())


def _gcsv() -> str:
    head = "GYROFLOW IMU LOG\nversion,1.3\nid,fuzz\norientation,XYZ\ntscale,0.001\ngscale,0.001\nascale,0.001\n"
    rows = (f"{round(t * 1000)}," + ",".join(str(round(v * 1000)) for v in rest) for t, *rest in _rates())
    return head + "t,gx,gy,gz,ax,ay,az\n" + "\n".join(rows) + "\n"


def _phone() -> str:
    """As the app Sensor Logger writes."""
    rows = (f"{round(t * 1e9)},{t:.3f},{z:.5f},{y:.5f},{x:.5f}\n" for t, x, y, z, *_ in _rates())
    return "time,seconds_elapsed,z,y,x\n" + "".join(rows)


def _element(key: str, kind: str, size: int, data: bytes) -> bytes:
    repeat = len(data) // size
    head = key.encode() + (kind.encode() if kind else b"\0") + bytes([size]) + repeat.to_bytes(2, "big")
    return head + data + bytes(-len(data) % 4)


def _gpmf(payloads: int = 3) -> bytes:
    """What a GoPro writes of its gyroscope in as many seconds."""
    out = b""
    for second in range(payloads):
        samples = b"".join(
            b"".join(
                round(2000 * math.sin(second + i / 30 + axis)).to_bytes(2, "big", signed=True) for axis in range(3)
            )
            for i in range(100)
        )
        stream = _element("STNM", "c", 1, b"Gyroscope (z,x,y)") + _element("SIUN", "c", 5, b"rad/s")
        stream += _element("SCAL", "s", 2, (3755).to_bytes(2, "big")) + _element("GYRO", "s", 6, samples)
        device = _element("DVID", "L", 4, bytes([0, 0, 0, 1])) + _element("DVNM", "c", 1, b"Camera")
        out += _element("DEVC", "", 1, device + _element("STRM", "", 1, stream))
    return out
