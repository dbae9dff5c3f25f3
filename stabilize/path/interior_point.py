"""A primal-dual interior-point solver: banded differences in Huber's norm under per-frame linear constraints.

    minimise   sum_k sum_i h(r_k[i]; weight_k[i], knee_k[i])  +  cost . B
    subject to g B_t <= limit_t  for every frame t

with h(r) = weight r^2 / (2 knee) where |r| <= knee, weight (|r| - knee / 2) beyond (Huber 1964); a knee of 0 gives L1.

General solvers carry 30 unknowns per frame, as every absolute value has its slack (clarabel: 1.4 ms per frame, and
memory to match). Here slacks are eliminated by hand: each Newton step is one banded Cholesky factorisation of 4
unknowns per frame, and time and memory are linear in the number of frames. Steps follow Mehrotra's predictor-corrector
(SIAM J. Optim. 2(4), 1992).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_solve_banded, cholesky_banded

from stabilize.core import Float
from stabilize.errors import SolveError
from stabilize.fields.similarity import to_complex, to_real
from stabilize.path.differences import Difference

ITERATIONS_MAX = 60
ACCEPTED_GAP_MAX = 1e-2  # mean complementarity against the objective, after the last iteration
DUAL_RESIDUAL_MAX = 0.05  # share of the cost, at convergence
STEP_SHARE = 0.9  # share of the way to the nearest boundary
NOT_CONVERGED = "the path solver did not converge: try another --smoothness, and report the clip"


@dataclass(frozen=True, slots=True)
class Term:
    """A weighted norm of a difference."""

    difference: Difference
    """Of m rows."""
    weight: Float
    """(m, 4) for (a, b, x, y), all positive: the slope of the norm beyond the knee."""
    knee: float = 0.0
    """Residual up to which the norm is quadratic."""

    @property
    def compliance(self) -> Float:
        """(m, 4) residual per force in the quadratic part."""
        return self.knee / self.weight


@dataclass(frozen=True, slots=True)
class Problem:
    """An objective over n poses, and its constraints."""

    terms: tuple[Term, ...]
    """Norms of the objective."""
    cost: Float
    """(n, 4) linear part of the objective."""
    g: Float
    """(c, 4) constraint rows, the same for all frames."""
    limit: Float
    """(n, c) upper bounds of g B_t."""
    start: Float
    """(n, 4) poses strictly inside the constraints."""


@dataclass(frozen=True, slots=True)
class _State:
    """An iterate: primal and dual variables, all but `pose` and `y` positive."""

    pose: Float
    """(n, 4)."""
    u: list[Float]
    """(m, 4) of each term: the positive part of the residual beyond the knee, r = u - v + compliance y."""
    v: list[Float]
    """(m, 4) of each term: its negative part."""
    y: list[Float]
    """(m, 4) of each term: the force, dual of the residual, within the term's weight either way."""
    slack: Float
    """(n, c) of each constraint."""
    multiplier: Float
    """(n, c) of each constraint."""


@dataclass(frozen=True, slots=True)
class _Direction:
    """A step of each variable of a `_State`."""

    pose: Float
    u: list[Float]
    v: list[Float]
    y: list[Float]
    slack: Float
    multiplier: Float


def _linear(term: Term, pose: Float) -> Float:
    return to_real(term.difference(to_complex(pose)))


def _residual(term: Term, pose: Float) -> Float:
    return to_real(term.difference(to_complex(pose)) + term.difference.offset)


def _adjoint(term: Term, rows: Float, n: int) -> Float:
    return to_real(term.difference.adjoint(to_complex(rows), n))


def _add_pair(band: Float, term: Term, d: Float, j: int, k: int) -> None:
    """Add the block of frames (t + j, t + k), j <= k, of A' diag(d) A to the lower band."""
    p, q = term.difference.factor[j].real, term.difference.factor[j].imag
    r, s = term.difference.factor[k].real, term.difference.factor[k].imag
    m = len(p)
    pr, qs, ps, qr = p * r, q * s, p * s, q * r
    for base in (0, 2):
        d0, d1 = d[:, base], d[:, base + 1]
        blocks = {
            (0, 0): d0 * pr + d1 * qs,
            (0, 1): d1 * qr - d0 * ps,
            (1, 0): d1 * ps - d0 * qr,
            (1, 1): d0 * qs + d1 * pr,
        }
        for (column, row), value in blocks.items():
            below = 4 * (k - j) + row - column
            if below >= 0:
                first = 4 * j + base + column
                band[below, first : first + 4 * m : 4] += value


def _normal_band(problem: Problem, d: list[Float], barrier: Float, n: int) -> Float:
    """Lower band (16, 4 n) of A' D A + G' diag(barrier) G."""
    band = np.zeros((16, 4 * n))
    for term, weight in zip(problem.terms, d, strict=True):
        span = len(term.difference.factor)
        for j in range(span):
            for k in range(j, span):
                _add_pair(band, term, weight, j, k)
    products = np.einsum("ci,ck->cik", problem.g, problem.g).reshape(len(problem.g), 16)
    block = (barrier @ products).reshape(n, 4, 4)
    for column in range(4):
        for row in range(column, 4):
            band[row - column, column::4] += block[:, row, column]
    return band


def _factorise(band: Float) -> Float:
    # 1e-12 of the diagonal keeps the last, ill-conditioned iterations factorisable without moving the answer.
    band[0] *= 1 + 1e-12
    try:
        return np.asarray(cholesky_banded(band, lower=True, overwrite_ab=True, check_finite=False))
    except LinAlgError as error:
        raise SolveError(NOT_CONVERGED) from error


def _initial_state(problem: Problem) -> _State:
    """The start, with multipliers that balance the cost: far from dual feasible it would need thirty steps more."""
    residuals = [_residual(term, problem.start) for term in problem.terms]
    slack = problem.limit - problem.start @ problem.g.T
    if slack.min() <= 0:
        raise SolveError("the crop leaves no room: raise --max-crop")
    floors = [float(np.abs(r).mean()) + 1e-9 for r in residuals]
    load = float(np.abs(problem.cost).sum(axis=1).mean()) / float(np.abs(problem.g[:, 0]).sum())
    return _State(
        pose=problem.start.copy(),
        u=[np.maximum(r, 0) + floor for r, floor in zip(residuals, floors, strict=True)],
        v=[np.maximum(-r, 0) + floor for r, floor in zip(residuals, floors, strict=True)],
        y=[np.zeros_like(r) for r in residuals],
        slack=slack,
        multiplier=np.full_like(slack, max(load, 1e-3)),
    )


def _mean_complementarity(problem: Problem, s: _State) -> float:
    total = float(np.sum(s.slack * s.multiplier))
    count = s.slack.size
    for term, u, v, y in zip(problem.terms, s.u, s.v, s.y, strict=True):
        total += float(np.sum(u * (term.weight - y)) + np.sum(v * (term.weight + y)))
        count += 2 * u.size
    return total / count


def _difference_weights(problem: Problem, s: _State) -> list[Float]:
    """The diagonal D that stands for the eliminated u, v."""
    return [
        1 / (u / (t.weight - y) + v / (t.weight + y) + t.compliance)
        for t, u, v, y in zip(problem.terms, s.u, s.v, s.y, strict=True)
    ]


def _direction(  # noqa: PLR0917
    problem: Problem, s: _State, factor: Float, d: list[Float], target: float, affine: _Direction | None
) -> _Direction:
    """Newton step towards complementarity `target`, with Mehrotra's second-order term where `affine` is given."""
    n = len(s.pose)
    rhs = -problem.cost - s.multiplier @ problem.g
    shift: list[Float] = []
    for k, term in enumerate(problem.terms):
        up, down = term.weight - s.y[k], term.weight + s.y[k]
        second_u, second_v = _second_order(affine, k)
        b = _residual(term, s.pose) - (target - second_u) / up + (target - second_v) / down - term.compliance * s.y[k]
        rhs -= _adjoint(term, s.y[k] + d[k] * b, n)
        shift.append(b)
    second = affine.slack * affine.multiplier if affine else 0.0
    gap = s.pose @ problem.g.T + s.slack - problem.limit
    centre = (target - second) / s.slack - s.multiplier
    barrier = s.multiplier / s.slack
    rhs -= (centre + barrier * gap) @ problem.g
    pose = cho_solve_banded((factor, True), rhs.ravel(), check_finite=False).reshape(n, 4)
    toward = pose @ problem.g.T
    du, dv, dy = [], [], []
    for k, term in enumerate(problem.terms):
        step_y = d[k] * (_linear(term, pose) + shift[k])
        up, down = term.weight - s.y[k], term.weight + s.y[k]
        second_u, second_v = _second_order(affine, k)
        dy.append(step_y)
        du.append((target - second_u + s.u[k] * step_y) / up - s.u[k])
        dv.append((target - second_v - s.v[k] * step_y) / down - s.v[k])
    return _Direction(pose, du, dv, dy, -toward - gap, centre + barrier * (toward + gap))


def _second_order(affine: _Direction | None, k: int) -> tuple[Float | float, Float | float]:
    """Mehrotra's second-order terms of the complementarity of u and v, for one term."""
    return (-affine.u[k] * affine.y[k], affine.v[k] * affine.y[k]) if affine else (0.0, 0.0)


def _step_limit(value: Float, step: Float) -> float:
    """The largest step length that keeps `value` positive."""
    falling = step < 0
    return float(np.min(value[falling] / -step[falling], initial=np.inf)) if falling.any() else np.inf


def _dual_residual(problem: Problem, s: _State) -> float:
    """Largest component of the dual residual, as a share of the largest cost."""
    n, size = len(s.pose), float(np.abs(problem.cost).max())
    if size == 0:
        return 0.0
    rest = problem.cost + s.multiplier @ problem.g
    for k, term in enumerate(problem.terms):
        rest += _adjoint(term, s.y[k], n)
    return float(np.abs(rest).max()) / size


def _step_lengths(problem: Problem, s: _State, d: _Direction) -> tuple[float, float]:
    """Primal and dual step lengths that stay inside."""
    primal, dual = _step_limit(s.slack, d.slack), _step_limit(s.multiplier, d.multiplier)
    for k, term in enumerate(problem.terms):
        primal = min(primal, _step_limit(s.u[k], d.u[k]), _step_limit(s.v[k], d.v[k]))
        dual = min(dual, _step_limit(term.weight - s.y[k], -d.y[k]), _step_limit(term.weight + s.y[k], d.y[k]))
    return min(1.0, STEP_SHARE * primal), min(1.0, STEP_SHARE * dual)


def _advance(s: _State, d: _Direction, primal: float, dual: float) -> _State:
    return _State(
        pose=s.pose + primal * d.pose,
        u=[u + primal * du for u, du in zip(s.u, d.u, strict=True)],
        v=[v + primal * dv for v, dv in zip(s.v, d.v, strict=True)],
        y=[y + dual * dy for y, dy in zip(s.y, d.y, strict=True)],
        slack=s.slack + primal * d.slack,
        multiplier=s.multiplier + dual * d.multiplier,
    )


def objective(problem: Problem, pose: Float) -> float:
    """Value of the objective at pose (n, 4)."""
    total = float(np.sum(problem.cost * pose))
    for term in problem.terms:
        r = _residual(term, pose)
        total += float(np.sum(term.weight * _huber(np.abs(r), term.knee)))
    return total


def _huber(size: Float, knee: float) -> Float:
    """Huber's norm of absolute residuals, with slope 1 beyond the knee."""
    if knee == 0:
        return size
    return np.asarray(np.where(size <= knee, size**2 / (2 * knee), size - knee / 2))


def solve(problem: Problem, tolerance: float = 1e-5) -> Float:
    """Optimal poses (n, 4), strictly inside the constraints.

    `tolerance` is on the mean complementarity against the mean objective per frame.

    Raises SolveError where the start is not inside, or no convergence is reached.
    """
    with np.errstate(all="ignore"):  # what overflows does not converge, and raises SolveError
        return _solve(problem, tolerance)


def _solve(problem: Problem, tolerance: float) -> Float:
    state = _initial_state(problem)
    n = len(problem.start)
    for _ in range(ITERATIONS_MAX):
        mu = _mean_complementarity(problem, state)
        scale = max(abs(objective(problem, state.pose)) / (n * 4), 1e-9)
        if not (np.isfinite(mu + scale) and np.isfinite(state.pose).all()):
            raise SolveError(NOT_CONVERGED)
        if mu < tolerance * scale and _dual_residual(problem, state) < DUAL_RESIDUAL_MAX:
            break
        d = _difference_weights(problem, state)
        factor = _factorise(_normal_band(problem, d, state.multiplier / state.slack, n))
        affine = _direction(problem, state, factor, d, 0.0, None)
        trial = _advance(state, affine, *_step_lengths(problem, state, affine))
        target = mu * (_mean_complementarity(problem, trial) / mu) ** 3
        step = _direction(problem, state, factor, d, max(target, 1e-3 * tolerance * scale), affine)
        state = _advance(state, step, *_step_lengths(problem, state, step))
    else:
        # Every iterate lies inside the crop; one that is near the optimum is accepted.
        if mu > ACCEPTED_GAP_MAX * scale or not np.isfinite(state.pose).all():
            raise SolveError(NOT_CONVERGED)
    return state.pose
