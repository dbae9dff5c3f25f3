"""The verdict of a run, from synthetic evidence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stabilize.cli.verdict import verdict
from stabilize.path.measure import Evidence, Shake

FRAMES = 301
EVIDENCE = Evidence(
    unmeasured=0,
    gyro_used=False,
    crop_kept=0.883,
    least_crop_kept=0.7,
    shake_before=Shake(3.05, 0.5),
    shake_after=Shake(0.5, 0.1),
    crop_breathing=0.2,
    crop_limit=0.2,
    at_crop_limit=0.1,
)


def of(**changes: Any) -> str:
    return verdict(replace(EVIDENCE, **changes), FRAMES)


def test_a_steadied_clip() -> None:
    assert of() == "6.1x steadier, 88 % of the picture kept, zoom steady"


@pytest.mark.parametrize(
    "after, text",
    [
        (0.0, "more than 100x steadier"),
        (0.0304, "more than 100x steadier"),
        (0.0306, "100x steadier"),
        (0.2, "15x steadier"),
        (2.5, "1.2x steadier"),
        (2.91, "hardly steadier"),
        (3.2, "hardly steadier"),
        (3.21, "shakier than it was"),
    ],
)
def test_how_much_steadier(after: float, text: str) -> None:
    assert of(shake_after=Shake(after, 0.1)) == f"{text}, 88 % of the picture kept, zoom steady"


def test_a_camera_that_only_rolls_is_judged_by_its_roll() -> None:
    assert of(shake_before=Shake(0.09, 2.0), shake_after=Shake(0.09, 0.5)).startswith("4.0x steadier")


def test_hardly_any_shake() -> None:
    tripod = {"shake_before": Shake(0.09, 0.04), "shake_after": Shake(0, 0)}
    assert of(**tripod) == "was steady already, 88 % of the picture kept"
    assert of(**tripod, crop_breathing=0.9, at_crop_limit=1.0) == of(**tripod)  # nothing to win by any option
    assert "already" not in of(shake_before=Shake(0.11, 0.0)) + of(shake_before=Shake(0.0, 0.06))


def test_a_crop_that_breathes() -> None:
    assert of(crop_breathing=1.21).endswith(", zoom varies by 1.2 % (--zoom static keeps it constant)")
    assert of(crop_breathing=0.49).endswith(", zoom steady")


@pytest.mark.parametrize(
    "limit, share, text",
    [
        (0.2, 0.61, "the crop limit of 20 % is reached in 61 % of the frames: --max-crop 0.3 would be steadier"),
        (0.5, 1.0, "the crop limit of 50 % is reached in all frames: --max-crop 0.6 would be steadier"),
        (0.0, 1.0, "the crop limit of 0 % is reached in all frames: --max-crop 0.1 would be steadier"),
    ],
)
def test_the_crop_limit_to_try_next(limit: float, share: float, text: str) -> None:
    assert of(crop_limit=limit, at_crop_limit=share).endswith(f"zoom steady; {text}")


def test_no_advice_where_few_frames_are_at_the_limit_or_it_is_the_largest() -> None:
    assert "--max-crop" not in of(at_crop_limit=0.49) + of(crop_limit=0.6, at_crop_limit=1.0)


def test_a_clip_without_motion() -> None:
    dark = {"shake_before": Shake(0, 0), "shake_after": Shake(0, 0), "crop_kept": 1.0}
    expected = "no motion could be measured in 90 % of the frames, 100 % of the picture kept"
    assert of(unmeasured=270, **dark) == expected
    assert of(unmeasured=149).startswith("6.1x steadier")
