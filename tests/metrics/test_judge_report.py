"""The report in a real browser: it loads, plays, steps, asks for nothing, and shows hostile names as text."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from metrics.errors import MetricsError
from metrics.judging import judge
from metrics.model import Judgement
from metrics.report.page import report_page
from tests.metrics import judge_scenes as scenes
from tests.metrics.chromium import EXECUTABLE, Chromium

HOSTILE = "<img src=x onerror=alert(1)></script><script>alert(2)</script> ${title} & 'q' \"d\".mkv"
NAMES = {"light": (1200, "light"), "dark": (1200, "dark"), "phone": (375, "light")}

browser_test = [
    pytest.mark.browser,
    pytest.mark.skipif(EXECUTABLE is None or sys.platform == "win32", reason="needs headless Chromium"),
]


@pytest.fixture(scope="module")
def judged(clips: Path) -> Judgement:
    """4 s, shaken before and half as much after, with an empty border of 4 % at the right."""
    at = scenes.shake(2.0)
    cameras = [at(i / 30) for i in range(121)]
    before = (scenes.view(scenes.similarity(x, y)) for x, y in cameras)
    after = [scenes.view(scenes.similarity(x / 2 + 13, y / 2)) for x, y in cameras]
    for frame in after:
        frame[:, -13:] = 0
    ref = scenes.write(clips / "report_before.mkv", before)
    return judge(scenes.write(clips / "report_after.mkv", after), ref)


@pytest.fixture(scope="module")
def page(judged: Judgement, clips: Path) -> Path:
    path = clips / "report.html"
    path.write_text(report_page(judged), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    started = Chromium()
    yield started
    started.close()


def test_the_report_contains_no_external_addresses(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    addresses = [a for a in re.findall(r"(?:src|href)=\"([^\"]{0,40})", text) if not a.startswith("data:")]
    assert addresses == []


def test_text_from_files_is_escaped(judged: Judgement) -> None:
    hostile = replace(judged, notes=(HOSTILE,))
    text = report_page(hostile)
    assert "<img src=x" not in text and "alert(2)</script>" not in text
    assert text.count("</script>") == 2


def test_only_robust_has_a_report(judged: Judgement) -> None:
    with pytest.raises(MetricsError, match="robust"):
        report_page(replace(judged, mode="dvs"))


@pytest.mark.parametrize("look", NAMES)
@pytest.mark.usefixtures("page")
class TestInChromium:
    pytestmark = browser_test

    def open(self, browser: Chromium, page: Path, look: str) -> None:
        width, scheme = NAMES[look]
        browser.events.clear()
        browser.open(page, width, 900, scheme)
        browser.wait("[...document.querySelectorAll('video')].every((v) => v.readyState >= 2)")

    def test_it_loads_and_draws(self, look: str, browser: Chromium, page: Path) -> None:
        self.open(browser, page, look)
        assert browser.run("document.querySelectorAll('video').length") == 2
        assert browser.run("document.querySelectorAll('.plot path.line').length") == 4 * 2 + 2 + 4
        assert browser.run("document.querySelectorAll('.maps rect').length") == 2 * 40
        assert browser.run("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
        assert browser.errors() == []
        assert browser.requests() == [page.as_uri()]

    def test_it_plays_in_step(self, look: str, browser: Chromium, page: Path) -> None:
        self.open(browser, page, look)
        browser.run("document.body.focus()")
        browser.key(" ", "Space", 32, " ")
        browser.wait("document.getElementById('video-out').currentTime > 0.6")
        now = browser.run("['in', 'out'].map((key) => document.getElementById(`video-${key}`).currentTime)")
        assert abs(now[0] - now[1]) < 0.3
        assert browser.run("document.getElementById('play').textContent") == "Pause"
        browser.key(" ", "Space", 32, " ")
        browser.wait("document.getElementById('video-in').paused && document.getElementById('video-out').paused")
        assert browser.errors() == []

    def test_keys_step_and_moments_jump(self, look: str, browser: Chromium, page: Path) -> None:
        self.open(browser, page, look)
        browser.key("ArrowRight", "ArrowRight", 39)
        browser.key("ArrowRight", "ArrowRight", 39)
        time = "Number(document.getElementById('seek').value)"
        assert browser.run(time) == pytest.approx(2 / 30, abs=0.005)
        moment = float(browser.run("document.querySelector('.moment').dataset.t"))
        browser.run("document.querySelector('.moment').click()")
        assert browser.run(time) == pytest.approx(moment, abs=0.005)
        browser.wait("[...document.querySelectorAll('video')].every((v) => !v.seeking)")
        shown = browser.run("document.getElementById('video-in').currentTime")
        assert shown == pytest.approx(moment + 1 / 60, abs=0.02)
        assert browser.errors() == []


@pytest.mark.browser
@pytest.mark.skipif(EXECUTABLE is None, reason="needs headless Chromium")
def test_hostile_text_is_not_executed(judged: Judgement, browser: Chromium, clips: Path) -> None:
    page = clips / "hostile.html"
    info = replace(judged.out, path=judged.out.path)
    page.write_text(report_page(replace(judged, out=info, notes=(HOSTILE, "\u2028\x00 end"))), encoding="utf-8")
    browser.events.clear()
    browser.open(page)
    assert browser.run("document.querySelectorAll('img[src=x]').length") == 0
    assert HOSTILE in browser.run("document.querySelector('.says').textContent")
    assert browser.errors() == []


@pytest.mark.browser
@pytest.mark.skipif(EXECUTABLE is None, reason="needs headless Chromium")
def test_a_video_judged_alone_has_a_report_too(browser: Chromium, clips: Path) -> None:
    flat = scenes.write(clips / "flat_alone.mkv", (np.full((96, 160), 90, np.uint8) for _ in range(40)))
    page = clips / "alone.html"
    page.write_text(report_page(judge(flat)), encoding="utf-8")
    browser.events.clear()
    browser.open(page)
    browser.wait("document.querySelector('video').readyState >= 2")
    assert browser.run("document.querySelectorAll('video').length") == 1
    assert browser.errors() == []
    assert browser.requests() == [page.as_uri()]
