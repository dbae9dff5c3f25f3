"""The group of similarities, against 3x3 matrices."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stabilize.fields.similarity import compose, inverse, to_complex, to_real

_SIMILARITY = st.tuples(st.floats(0.5, 2), st.floats(-3, 3), st.floats(-2, 2), st.floats(-2, 2))


def _real(parts: tuple[float, float, float, float]) -> np.ndarray:
    scale, angle, x, y = parts
    return np.array([[scale * np.cos(angle), scale * np.sin(angle), x, y]])


def _matrix(pose: np.ndarray) -> np.ndarray:
    a, b, x, y = pose[0]
    return np.array([[a, -b, x], [b, a, y], [0, 0, 1.0]])


@given(_SIMILARITY, _SIMILARITY)
def test_composition_is_that_of_matrices(outer: tuple[float, ...], inner: tuple[float, ...]) -> None:
    a, b = _real(outer), _real(inner)  # type: ignore[arg-type]
    product = to_real(compose(to_complex(a), to_complex(b)))
    np.testing.assert_allclose(_matrix(product), _matrix(a) @ _matrix(b), atol=1e-12)


@given(_SIMILARITY)
def test_the_inverse_is_that_of_the_matrix(parts: tuple[float, ...]) -> None:
    pose = _real(parts)  # type: ignore[arg-type]
    np.testing.assert_allclose(_matrix(to_real(inverse(to_complex(pose)))), np.linalg.inv(_matrix(pose)), atol=1e-12)
    single = to_complex(pose)[0]
    np.testing.assert_allclose(compose(inverse(single), single), [1, 0], atol=1e-12)
    np.testing.assert_array_equal(to_real(to_complex(pose)), pose)
