"""Procedural clips with known camera motion, lens, shutter and gyroscope. Independent of `stabilize`.

`generate(spec)` yields the frames, `truth(spec)` returns the ground truth, `sample_log(spec)` the gyroscope log, and
`write_clip(spec, path)` writes them all to files. `CLIPS` are specifications by name, `MOTIONS` camera motions by name.
"""

from .catalogue import CLIPS
from .encode import write_clip
from .gyrolog import sample_log, write_dvs, write_log
from .motion import MOTIONS
from .render import generate
from .spec import CameraMotion, ClipSpec, Gyro, Lens, MovingCard, Ois, Shutter
from .truth import Truth, truth

__all__ = [
    "CLIPS",
    "MOTIONS",
    "CameraMotion",
    "ClipSpec",
    "Gyro",
    "Lens",
    "MovingCard",
    "Ois",
    "Shutter",
    "Truth",
    "generate",
    "sample_log",
    "truth",
    "write_clip",
    "write_dvs",
    "write_log",
]
