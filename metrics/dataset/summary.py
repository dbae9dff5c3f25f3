"""Tables of a scored dataset: per clip, per category, per method, and win rates between methods."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from metrics.dataset.run import Outcome
from metrics.dataset.statistics import MIN_CLIPS, Mean, bootstrap, duel
from metrics.model import Better
from metrics.tables import Table, number

TABLE_SCORES = {
    "robust": ("stability", "shake", "breathing", "visible", "empty", "distortion", "wobble", "sharpness", "itf"),
    "dvs": ("stability", "distortion", "field_of_view", "correlation"),
    "difrint": ("stability", "cropping", "distortion"),
    "difrint-v0": ("stability", "cropping", "distortion"),
    "nndvs": ("stability", "cropping", "distortion"),
}
INPUT_ROW = "(input)"
MEANS_NOTES = (
    "mean over clips [95 % BCa bootstrap interval]; (input): the same score of the unstabilised clips",
    f"a mean without an interval: fewer than {MIN_CLIPS} clips, or all of the same value",
)


def summary_tables(outcomes: Sequence[Outcome], mode: str) -> dict[str, Table]:
    """Return the tables of clips, categories, methods and win rates by name; headers only without outcomes."""
    names = TABLE_SCORES[mode]
    return {
        "clips": clip_table(outcomes, names, mode),
        "categories": group_table(f"By method and category · {mode}", outcomes, names, ("method", "category")),
        "methods": group_table(f"By method · {mode}", outcomes, names, ("method",)),
        "wins": duel_table(outcomes, names, mode),
    }


def informative_tables(tables: dict[str, Table]) -> tuple[Table, ...]:
    """Return the tables that are not empty and do not repeat another."""
    one_category = len(tables["categories"].rows) == len(tables["methods"].rows)
    return tuple(table for name, table in tables.items() if table.rows and not (name == "categories" and one_category))


def clip_table(outcomes: Sequence[Outcome], names: Sequence[str], mode: str) -> Table:
    """Return one row per clip and method; the row of a failed clip has the reason."""
    rows = []
    for o in outcomes:
        values = [number(o.value(name), _unit(outcomes, name)) for name in names]
        rows.append((o.job.method, o.job.category, o.job.clip, *values, o.error or _failures(o)))
    return Table(f"Clips · {mode}", ("method", "category", "clip", *names, "failures"), tuple(rows), keys=3)


def _failures(outcome: Outcome) -> str:
    """Return the worst failed/total of any score; empty if no measurement failed."""
    scores = (outcome.judgement or {}).get("scores", {}).values()
    worst = max(((s["failures"], s["total"]) for s in scores if s["total"]), key=lambda f: f[0] / f[1], default=(0, 1))
    return f"{worst[0]}/{worst[1]}" if worst[0] else ""


def group_table(title: str, outcomes: Sequence[Outcome], names: Sequence[str], fields: tuple[str, ...]) -> Table:
    """Return means with 95 % bootstrap intervals over the clips of each group, and the same scores of the inputs.

    Clips whose jobs agree in `fields` are a group.
    """
    groups: dict[tuple[str, ...], list[Outcome]] = {}
    for o in outcomes:
        groups.setdefault(tuple(getattr(o.job, field) for field in fields), []).append(o)
    rows = [_group_row(group, groups[group], names) for group in sorted(groups)]
    by_input = {(o.job.category, o.job.clip): o for o in outcomes if o.judgement}.values()
    of_inputs = [_means(by_input, name, "input") for name in names]
    rows.append(_row((INPUT_ROW, *[""] * (len(fields) - 1)), of_inputs, names, by_input))
    return Table(title, (*fields, "clips", *names), tuple(rows), MEANS_NOTES, keys=len(fields))


def _group_row(group: tuple[str, ...], members: Sequence[Outcome], names: Sequence[str]) -> tuple[str, ...]:
    return _row(group, [_means(members, name, "value") for name in names], names, members)


def _row(group: tuple[str, ...], means: list[Mean], names: Sequence[str], members: Any) -> tuple[str, ...]:
    judged = sum(1 for o in members if o.judgement)
    cells = [_interval(mean, _unit(members, name)) for mean, name in zip(means, names, strict=True)]
    return (*group, f"{judged}/{len(members)}", *cells)


def _means(outcomes: Any, name: str, which: str) -> Mean:
    return bootstrap([o.judgement["scores"].get(name, {}).get(which) if o.judgement else None for o in outcomes])


def _interval(mean: Mean, unit: str) -> str:
    if mean.low is None:
        return number(mean.value, unit)
    return f"{number(mean.value, unit)} [{number(mean.low, unit)}, {number(mean.high, unit)}]"


def _first(outcomes: Any, name: str, field: str) -> str:
    values = (o.judgement["scores"][name][field] for o in outcomes if o.judgement and name in o.judgement["scores"])
    return str(next(values, ""))


def _unit(outcomes: Any, name: str) -> str:
    return _first(outcomes, name, "unit") or "share"


def duel_table(outcomes: Sequence[Outcome], names: Sequence[str], mode: str) -> Table:
    """Return the win rate of each method over each later one, clip by clip; ties count half."""
    by_method: dict[str, dict[tuple[str, str], Outcome]] = {}
    for o in outcomes:
        by_method.setdefault(o.job.method, {})[o.job.category, o.job.clip] = o
    rows = []
    for a, b in itertools.combinations(sorted(by_method), 2):
        common = sorted(by_method[a].keys() & by_method[b].keys())
        rates = []
        for name in names:
            better: Better = "lower" if _first(outcomes, name, "better") == "lower" else "higher"
            pairs = [(by_method[a][key].value(name), by_method[b][key].value(name)) for key in common]
            rate = duel(a, b, pairs, better).rate
            rates.append("–" if rate is None else f"{100 * rate:.0f} %")
        rows.append((a, b, str(len(common)), *rates))
    return Table(f"Win rates · {mode}", ("method", "over", "clips", *names), tuple(rows), ("ties count half",), keys=2)


def as_dict(outcomes: Sequence[Outcome], mode: str) -> dict[str, Any]:
    """Return everything for JSON: each outcome with its full judgement, and the means with their intervals."""
    methods = sorted({o.job.method for o in outcomes})
    return {
        "mode": mode,
        "outcomes": [
            {
                "method": o.job.method,
                "category": o.job.category,
                "clip": o.job.clip,
                "input": str(o.job.ref),
                "output": str(o.job.out),
                "error": o.error or None,
                "judgement": o.judgement,
            }
            for o in outcomes
        ],
        "methods": {
            method: {
                name: vars(_means([o for o in outcomes if o.job.method == method], name, "value"))
                for name in TABLE_SCORES[mode]
            }
            for method in methods
        },
    }
