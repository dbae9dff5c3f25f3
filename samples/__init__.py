"""Procedural clips with known motion, lens, shutter and gyro. Shares no code with `stabilize`.

`generate(spec)` gives the frames, `truth(spec)` what is true of them, `sample_log(spec)` the gyro's log,
`write_clip(spec, path)` all as files; `CLIPS` are specifications by name, `MOTIONS` camera motions by name.
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
