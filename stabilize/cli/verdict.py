"""A run in one sentence: how much steadier the video is, what that cost, and which option would help."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stabilize.path.measure import Evidence
    from stabilize.pipeline import Report

STEADY_SHIFT_PERCENT, STEADY_ROLL_DEG = 0.1, 0.05  # shake of a camera on a tripod, as `metrics` measures it
STEADIER_RATIO_MIN = 1.05  # below, nobody sees a difference
STEADIER_RATIO_MAX = 100.0  # above, the ratio says no more than that the output stands still
BREATHING_PERCENT = 0.5  # zoom that varies by less is not seen
AT_LIMIT_MIN = 0.5  # share of the frames at the crop limit, from which a larger crop is worth a word
UNMEASURED_MIN = 0.5  # share of the pairs without motion, from which there is nothing to say of shake
MAX_CROP_FACTOR, MAX_CROP_LEAST, MAX_CROP_MOST = 1.5, 0.1, 0.6  # of the next crop limit to try


def verdict(figures: Report | Evidence, frames: int) -> str:
    """What a viewer of `frames` frames will see, for example "6.1x steadier, 88 % of the picture kept, zoom steady"."""
    facts = [_steadiness(figures, frames), f"{figures.crop_kept:.0%} of the picture kept".replace("%", " %")]
    if not _was_steady(figures):
        facts.append(_zoom(figures.crop_breathing))
    return "; ".join([", ".join(facts), *_advice(figures)])


def _was_steady(figures: Report | Evidence) -> bool:
    before = figures.shake_before
    return before.shift_percent < STEADY_SHIFT_PERCENT and before.roll_deg < STEADY_ROLL_DEG


def _steadiness(figures: Report | Evidence, frames: int) -> str:
    unmeasured = figures.unmeasured / max(frames - 1, 1)
    if unmeasured >= UNMEASURED_MIN:
        return f"no motion could be measured in {100 * unmeasured:.0f} % of the frames"
    if _was_steady(figures):
        return "was steady already"
    ratio = _steadier_ratio(figures)
    if ratio < STEADIER_RATIO_MIN:
        return "hardly steadier" if ratio > 1 / STEADIER_RATIO_MIN else "shakier than it was"
    if ratio > STEADIER_RATIO_MAX:
        return f"more than {STEADIER_RATIO_MAX:.0f}x steadier"
    return f"{ratio:.{1 if ratio < 10 else 0}f}x steadier"


def _steadier_ratio(figures: Report | Evidence) -> float:
    """Shake of the input over that of the output; of the roll, where the camera only rolled."""
    before, after = figures.shake_before, figures.shake_after
    if before.shift_percent >= STEADY_SHIFT_PERCENT:
        return before.shift_percent / max(after.shift_percent, 1e-9)
    return before.roll_deg / max(after.roll_deg, 1e-9)


def _zoom(breathing: float) -> str:
    if breathing < BREATHING_PERCENT:
        return "zoom steady"
    return f"zoom varies by {breathing:.1f} % (--zoom static keeps it constant)"


def _advice(figures: Report | Evidence) -> list[str]:
    """The crop limit to try next, where most of the frames are at the present one."""
    limit, share = figures.crop_limit, figures.at_crop_limit
    if _was_steady(figures) or share < AT_LIMIT_MIN or limit >= MAX_CROP_MOST:
        return []
    more = min(max(MAX_CROP_FACTOR * limit, MAX_CROP_LEAST), MAX_CROP_MOST)
    where = "all frames" if share > 0.995 else f"{100 * share:.0f} % of the frames"
    return [f"the crop limit of {100 * limit:.0f} % is reached in {where}: --max-crop {more:.2g} would be steadier"]
