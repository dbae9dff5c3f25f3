"""The HTML page: escaped text, JSON data that cannot end its script element, and no network requests."""

from __future__ import annotations

import base64
import hashlib
import json
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

import numpy as np

from localfiles.text import clean
from metrics.errors import UsageError
from metrics.model import Judgement, Score, Series
from metrics.report.media import Embedded, embed, mime_data
from metrics.report.moments import Moment, worst_moments
from metrics.report.words import MEANINGS
from metrics.tables import ARROWS, number

MAX_PLOT_POINTS = 3000  # per line; longer ones are subsampled


def report_page(judgement: Judgement) -> str:
    """Return an HTML document for a `robust` judgement. Reads the judged videos again to embed small copies."""
    if judgement.mode != "robust":
        raise UsageError(f"reports support the mode robust only, not {judgement.mode}")
    moments = worst_moments(judgement)
    out = embed(judgement.out, tuple(m.t_s for m in moments))
    ref = embed(judgement.ref) if judgement.ref else None
    style, script, page = (_asset(f) for f in ("style.css", "app.js", "template.html"))
    return Template(page).substitute(
        title=_escaped(judgement.out.path.name),
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
        lead=_lead(judgement),
        says=_notes(judgement, out),
        players=_players(judgement, out, ref),
        scores="\n".join(_score_row(score) for score in judgement.scores),
        moments=_moments(moments, out),
        without_ref="" if judgement.ref else "hidden",
        data=_json(_data(judgement)),
    )


def _escaped(text: str) -> str:
    """Escape untrusted text for HTML: markup and control characters become visible."""
    return escape(clean(text))


def _asset(file: str) -> str:
    return files("metrics.report").joinpath(file).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _json(value: Any) -> str:
    """Return JSON without `<`, `>` and `&`, so that it cannot end its HTML element."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _lead(judgement: Judgement) -> str:
    out, ref = judgement.out, judgement.ref
    text = f"{out.size[0]}×{out.size[1]}, {out.fps:.3g} fps, {out.duration_s:.1f} s"
    if ref is None:
        return _escaped(f"{text}; judged without its input")
    return _escaped(f"{text}; against {ref.path.name} ({ref.size[0]}×{ref.size[1]}, {ref.fps:.3g} fps)")


def _notes(judgement: Judgement, out: Embedded) -> str:
    notes = list(judgement.notes)
    if judgement.out.duration_s > out.seconds + 1:
        notes.append(f"the players show the first {out.seconds:.0f} s; the scores are of the whole video")
    return "".join(f"<li>{_escaped(text)}</li>" for text in notes)


def _players(judgement: Judgement, out: Embedded, ref: Embedded | None) -> str:
    players = [_player("in", f"Input · {judgement.ref.path.name}", ref)] if ref and judgement.ref else []
    players.append(_player("out", f"Output · {judgement.out.path.name}", out))
    return "\n".join(players)


def _player(key: str, title: str, video: Embedded) -> str:
    return (
        f'<figure><figcaption><span class="key {key}"></span>{_escaped(title)}</figcaption>'
        f'<video id="video-{key}" muted playsinline preload="auto" aria-label="{_escaped(title)}"'
        f' src="{mime_data("video/mp4", video.mp4)}"></video></figure>'
    )


def _score_row(score: Score) -> str:
    note = f'<span class="note">{_escaped(score.note)}</span>' if score.note else ""
    failed = f"{score.failures}/{score.total}"
    cells = [
        f'<th scope="row">{_escaped(score.name)} <span class="better">{ARROWS[score.better]}</span></th>',
        f'<td class="figure">{number(score.value, score.unit)}</td>',
        f'<td class="figure">{number(score.input, score.unit)}</td>',
        f"<td>{_escaped(score.unit)}</td>",
        f'<td class="figure{" failed" if score.failures else ""}">{failed}</td>',
        f'<td class="meaning">{_escaped(MEANINGS[score.name])} {note}</td>',
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _moments(moments: tuple[Moment, ...], out: Embedded) -> str:
    if not moments:
        return "<p>No notable moments.</p>"
    return "".join(_moment(m, thumb, out.seconds) for m, thumb in zip(moments, out.thumbs, strict=True))


def _moment(moment: Moment, thumb: bytes | None, embedded_s: float) -> str:
    picture = f'<img alt="" src="{mime_data("image/jpeg", thumb)}">' if thumb else ""
    beyond = "" if moment.t_s <= embedded_s + 0.5 else " disabled"
    text = f"{moment.t_s:.2f} s: {moment.what}" + (" (after the end of the embedded video)" if beyond else "")
    return f'<button class="moment" data-t="{moment.t_s:.4f}"{beyond}>{picture}<span>{_escaped(text)}</span></button>'


def _data(judgement: Judgement) -> dict[str, Any]:
    step = max(1, -(-len(judgement.frames["t_s"]) // MAX_PLOT_POINTS))
    fps = judgement.out.fps
    return {
        "fps": fps if fps > 0 else 30,
        "frames": {key: _values(column[::step]) for key, column in judgement.frames.items()},
        "extra": {key: _values(value) for key, value in judgement.extra.items() if value.ndim == 1},
        "wobble": {
            key: [_values(row) for row in judgement.extra[f"wobble_{key}"]]
            for key in ("out", "in")
            if judgement.extra[f"wobble_{key}"].size > 1
        },
    }


def _values(values: Series) -> list[float | None]:
    return [float(f"{v:.5g}") if np.isfinite(v) else None for v in values]
