"""The interior-point solver and its differences, against an independent solver and against mathematics."""

from __future__ import annotations

import clarabel
import numpy as np
import pytest
import scipy.sparse as sp

from stabilize.fields.similarity import compose, inverse, to_complex, to_real
from stabilize.path import interior_point as ip
from stabilize.path.differences import differences
from tests.stabilize.path.shaking_camera import shaky_steps


def _problem(step: np.ndarray, knee: float) -> ip.Problem:
    n = len(step) + 1
    terms = tuple(
        ip.Term(d, np.full((d.factor.shape[1], 4), w), knee)
        for d, w in zip(differences(to_complex(step), np.ones(n - 1)), (1.0, 10.0, 100.0), strict=True)
    )
    g = np.array([[-1.0, 0, 0, 0], [1, 0.5, 1, 0], [1, -0.5, -1, 0], [0.5, 1, 0, 1], [0.5, -1, 0, -1]])
    limit = np.tile([-0.8, 1.0, 1.0, 0.55, 0.55], (n, 1))
    start = np.tile([0.85, 0, 0, 0], (n, 1))
    return ip.Problem(terms, np.tile([-0.1, 0, 0, 0], (n, 1)), g, limit, start)


def _dense(term: ip.Term, n: int) -> np.ndarray:
    columns = [to_real(term.difference(to_complex(e.reshape(n, 4)))).ravel() for e in np.eye(4 * n)]
    return np.array(columns).T


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("knee", [0.0, 0.003, 0.05, 10.0])
def test_the_optimum_is_that_of_an_independent_solver(seed: int, knee: float) -> None:
    """Huber's norm as a quadratic programme: each residual is a part s and a rest, weighed s^2 and |rest|."""
    n = 60
    problem = _problem(shaky_steps(n, seed), knee)
    A = sp.csc_matrix(np.vstack([_dense(t, n) for t in problem.terms]))
    c = np.concatenate([to_real(t.difference.offset).ravel() for t in problem.terms])
    w = np.concatenate([t.weight.ravel() for t in problem.terms])
    eye, none = sp.eye(len(c)), sp.csr_matrix((len(c), len(c)))
    G = sp.hstack([sp.kron(sp.eye(n), problem.g), sp.csr_matrix((n * len(problem.g), 2 * len(c)))])
    # Unknowns: poses, bounds of |rest|, parts s. With a knee of 0 the parts are 0.
    fixed = [sp.hstack([sp.csr_matrix((len(c), 4 * n)), none, sign * eye]) for sign in (1, -1)] if knee == 0 else []
    rows = sp.vstack([sp.hstack([A, -eye, -eye]), sp.hstack([-A, -eye, eye]), G, *fixed], format="csc")
    bound = np.concatenate([-c, c, problem.limit.ravel(), np.zeros(sum(f.shape[0] for f in fixed))])
    curvature = np.concatenate([np.zeros(4 * n + len(c)), w / knee if knee else np.zeros(len(c))])
    cost = np.concatenate([problem.cost.ravel(), w, np.zeros(len(c))])
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    cones = [clarabel.NonnegativeConeT(len(bound))]
    oracle = clarabel.DefaultSolver(sp.diags(curvature, format="csc"), cost, rows, bound, cones, settings).solve()
    best = np.array(oracle.x[: 4 * n]).reshape(n, 4)
    solved = ip.solve(problem, tolerance=1e-7)
    assert ip.objective(problem, solved) == pytest.approx(ip.objective(problem, best), rel=1e-3, abs=1e-6)


def test_least_squares_without_active_limits_has_the_closed_form() -> None:
    problem = _problem(shaky_steps(40, 3, shake=0.001), knee=1e3)
    wide = ip.Problem(problem.terms, np.zeros((40, 4)), problem.g, problem.limit + 100, problem.start)
    solved = ip.solve(wide, tolerance=1e-10)
    for term in wide.terms:  # a path that undoes the camera has no difference of any order
        assert np.abs(to_real(term.difference(to_complex(solved)) + term.difference.offset)).max() < 1e-4


def test_the_adjoint_is_the_transpose() -> None:
    rng = np.random.default_rng(0)
    for d in differences(to_complex(shaky_steps(20)), rng.uniform(0.5, 2, 19)):
        poses, rows = rng.normal(size=(20, 4)), rng.normal(size=(d.factor.shape[1], 4))
        left = np.sum(to_real(d(to_complex(poses))) * rows)
        right = np.sum(poses * to_real(d.adjoint(to_complex(rows), 20)))
        assert left == pytest.approx(right)


def test_similarities_form_a_group() -> None:
    a, b, c = (to_complex(shaky_steps(8, s, 0.1, 0.3)) for s in range(3))
    one = np.tile(np.array([1, 0], complex), (7, 1))
    np.testing.assert_allclose(compose(a, inverse(a)), one, atol=1e-12)
    np.testing.assert_allclose(compose(inverse(a), a), one, atol=1e-12)
    np.testing.assert_allclose(compose(compose(a, b), c), compose(a, compose(b, c)), atol=1e-12)


def test_differences_vanish_where_the_crop_undoes_the_camera() -> None:
    step = to_complex(shaky_steps(30, 5, 0.05, 0.05))
    pose = np.zeros((30, 2), complex)
    pose[0, 0] = 1
    for t, s in enumerate(step):
        pose[t + 1] = compose(s, pose[t])
    for d in differences(step, np.ones(29)):
        np.testing.assert_allclose(d(pose) + d.offset, 0, atol=1e-10)
