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


def _problem(step: np.ndarray, loss: str) -> ip.Problem:
    n = len(step) + 1
    terms = tuple(
        ip.Term(d, np.full((d.factor.shape[1], 4), w))
        for d, w in zip(differences(to_complex(step), np.ones(n - 1)), (1.0, 10.0, 100.0), strict=True)
    )
    g = np.array([[-1.0, 0, 0, 0], [1, 0.5, 1, 0], [1, -0.5, -1, 0], [0.5, 1, 0, 1], [0.5, -1, 0, -1]])
    limit = np.tile([-0.8, 1.0, 1.0, 0.55, 0.55], (n, 1))
    start = np.tile([0.85, 0, 0, 0], (n, 1))
    return ip.Problem(terms, np.tile([-0.1, 0, 0, 0], (n, 1)), g, limit, start, loss)  # type: ignore[arg-type]


def _dense(term: ip.Term, n: int) -> np.ndarray:
    columns = [to_real(term.difference(to_complex(e.reshape(n, 4)))).ravel() for e in np.eye(4 * n)]
    return np.array(columns).T


@pytest.mark.parametrize("seed", range(3))
def test_the_optimum_is_that_of_an_independent_solver(seed: int) -> None:
    problem = _problem(shaky_steps(60, seed), "l1")
    n = 60
    A = sp.csc_matrix(np.vstack([_dense(t, n) for t in problem.terms]))
    c = np.concatenate([to_real(t.difference.offset).ravel() for t in problem.terms])
    w = np.concatenate([t.weight.ravel() for t in problem.terms])
    eye, G = sp.eye(len(c)), sp.kron(sp.eye(n), problem.g)
    rows = sp.vstack(
        [sp.hstack([A, -eye]), sp.hstack([-A, -eye]), sp.hstack([G, sp.csr_matrix((G.shape[0], len(c)))])], format="csc"
    )
    bound = np.concatenate([-c, c, problem.limit.ravel()])
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    size = 4 * n + len(c)
    cost = np.concatenate([problem.cost.ravel(), w])
    cones = [clarabel.NonnegativeConeT(len(bound))]
    oracle = clarabel.DefaultSolver(sp.csc_matrix((size, size)), cost, rows, bound, cones, settings).solve()
    best = np.array(oracle.x[: 4 * n]).reshape(n, 4)
    solved = ip.solve(problem, tolerance=1e-7)
    assert ip.objective(problem, solved) == pytest.approx(ip.objective(problem, best), rel=1e-3)


def test_least_squares_without_active_limits_has_the_closed_form() -> None:
    step = shaky_steps(40, 3, shake=0.001)
    problem = _problem(step, "l2")
    wide = ip.Problem(problem.terms, np.zeros((40, 4)), problem.g, problem.limit + 100, problem.start, "l2")
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
