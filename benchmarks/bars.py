"""What `benchmarks.quality` asks of our results (issue 10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .measured import Score

ACCEL_RATIO, JITTER_RATIO, ROLL_RATIO = 0.35, 0.75, 0.8  # to vid.stab's, in the median
FOV_GAIN = 0.02  # over vid.stab's, share of the input's area
BREATHING_FLOOR, BREATHING_RATIO = 0.3, 1.2  # %, and times the input's
SLOW_BREATHING_GAIN = 1.0  # % over the input's
WORSE = 0.02  # by which a figure may be above the input's, or by what a plain transcode changes
STILL, STILL_PX = "static_box", 0.1  # on a tripod: the output must not move
ROVER_RATIO = 0.55  # of the input's acceleration


@dataclass(frozen=True, slots=True)
class Compared:
    """A clip in four versions: the input, vid.stab's, ours, a plain transcode."""

    clip: str
    before: Score
    peer: Score
    mine: Score
    plain: Score

    def ratio(self, name: str) -> float:
        """Ours to vid.stab's."""
        return float(getattr(self.mine, name) / max(getattr(self.peer, name), 1e-9))

    def worse(self, name: str) -> bool:
        """Whether ours is above the input's by more than 2 % and by more than what a transcode changes."""
        before, plain, mine = (float(getattr(s, name)) for s in (self.before, self.plain, self.mine))
        return mine > before + max(WORSE * before, abs(plain - before))

    @property
    def breathing(self) -> float:
        """Ours to what is allowed."""
        return self.mine.breathing / max(BREATHING_FLOOR, BREATHING_RATIO * self.before.breathing)


@dataclass(frozen=True, slots=True)
class Bar:
    """One demand."""

    text: str
    figure: str
    passed: bool


def verdicts(clips: Sequence[Compared], failed: Sequence[str]) -> list[Bar]:
    """All bars over the clips that ours finished; `failed` are the others."""
    if not clips:
        return [Bar("every clip finished with all its frames", ", ".join(failed), passed=False)]
    return [
        *(_most(f"{name} / vid.stab's", [c.ratio(name) for c in clips], most) for name, most in _RATIOS),
        _fov(clips),
        _most("breathing / max(.3 %, 1.2 input's)", [c.breathing for c in clips], 1.0),
        _most(
            "breathing about 2 s - input's, %",
            [c.mine.slow_breathing - c.before.slow_breathing for c in clips],
            SLOW_BREATHING_GAIN,
        ),
        *(
            _nowhere(f"{name} above the input's", [c.clip for c in clips if c.worse(name)])
            for name in ("accel", "jitter")
        ),
        _nowhere(
            "accel above vid.stab's, where that is below the input's at no smaller fov",
            [c.clip for c in clips if _behind(c)],
        ),
        _nowhere("a clip without all its frames", failed),
        *_single(clips),
    ]


_RATIOS = (("accel", ACCEL_RATIO), ("jitter", JITTER_RATIO), ("roll", ROLL_RATIO))


def _most(text: str, values: Sequence[float], most: float) -> Bar:
    middle, worst = float(np.median(values)), float(np.max(values))
    return Bar(f"median {text} <= {most}", f"{middle:.3f} (highest {worst:.2f})", middle <= most)


def _fov(clips: Sequence[Compared]) -> Bar:
    mine, peer = ([s.fov for s in part] for part in ([c.mine for c in clips], [c.peer for c in clips]))
    gain = float(np.median(mine) - np.median(peer))
    paired = float(np.median(np.subtract(mine, peer)))
    return Bar(f"median fov - vid.stab's >= {FOV_GAIN}", f"{gain:+.3f} (clip by clip {paired:+.3f})", gain >= FOV_GAIN)


def _nowhere(text: str, clips: Sequence[str]) -> Bar:
    return Bar(f"nowhere {text}", ", ".join(clips) or "nowhere", not clips)


def _behind(c: Compared) -> bool:
    steadied = c.peer.accel < c.before.accel and c.peer.fov >= c.mine.fov
    return steadied and c.mine.accel > c.peer.accel


def _single(clips: Sequence[Compared]) -> list[Bar]:
    """Of single clips."""
    named, out = {c.clip: c for c in clips}, []
    if STILL in named:
        wander = named[STILL].mine.wander
        out.append(Bar(f"{STILL}: output path RMS < {STILL_PX} px", f"{wander:.3f} px", wander < STILL_PX))
    if "rover" in named:
        share = named["rover"].mine.accel / named["rover"].before.accel
        out.append(Bar(f"rover: accel / input's <= {ROVER_RATIO}", f"{share:.2f}", share <= ROVER_RATIO))
    if "snowboard" in named:
        ratio = named["snowboard"].ratio("accel")
        out.append(Bar("snowboard: accel below vid.stab's", f"{ratio:.2f} of it", ratio < 1))
    return out
