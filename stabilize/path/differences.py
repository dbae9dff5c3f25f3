"""Differences of a path of similarities, as linear operators on the crop poses.

Poses are pairs of complex numbers (`fields.similarity`). With the camera's pose C_t and the crop's pose B_t the
output's path is P_t = C_t B_t, and with F_t the map from frame t + 1 back to frame t, P_{t+1} - P_t = C_t (F_t B_{t+1}
- B_t): linear in B, exact, and free of the drift of C (Grundmann et al. 2011, eq. 5, with the higher orders carried
through F as well instead of dropped).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from stabilize.core import Float
from stabilize.fields.similarity import Complex, inverse


@dataclass(frozen=True, slots=True)
class Difference:
    """One order of difference of n poses, complex, for z and w alike: r_t = sum_j factor[j, t] B_{t+j} + offset_t.

    It has m = n - order rows.
    """

    factor: Complex
    """(order + 1, m)."""
    offset: Complex
    """(m, 2)."""

    def __call__(self, poses: Complex) -> Complex:
        """Linear part on poses (n, 2): (m, 2)."""
        m = self.factor.shape[1]
        return sum((k[:, None] * poses[j : j + m] for j, k in enumerate(self.factor)), np.zeros((m, 2), complex))

    def adjoint(self, rows: Complex, n: int) -> Complex:
        """Transposed linear part on rows (m, 2): (n, 2)."""
        out = np.zeros((n, 2), complex)
        m = self.factor.shape[1]
        for j, k in enumerate(self.factor):
            out[j : j + m] += k.conj()[:, None] * rows
        return out


def _complex(quotient: ArrayLike) -> Complex:
    """A complex array divided by a real one, which numpy's stubs call real."""
    return np.asarray(quotient, np.complex128)


def differences(steps: Complex, interval: Float, orders: int = 3) -> list[Difference]:
    """Operators of orders 1 to `orders` for steps (n-1, 2) from each frame to the next.

    `interval` (n-1,) is the time between frames in units of the median interval, so that frames at uneven times do not
    look like shake.
    """
    back = inverse(steps)
    ones = np.ones(len(back), complex)
    factor = _complex(np.stack([-ones, back[:, 0]]) / interval)
    offset = _complex(np.stack([np.zeros_like(ones), back[:, 1]], axis=1) / interval[:, None])
    result = [Difference(factor, offset)]
    span = interval
    for _ in range(orders - 1):
        if factor.shape[1] < 2:
            break
        span = (span[1:] + span[:-1]) / 2
        carry = back[: factor.shape[1] - 1, 0]
        grown = np.zeros((len(factor) + 1, factor.shape[1] - 1), complex)
        grown[1:] += carry * factor[:, 1:]
        grown[:-1] -= factor[:, :-1]
        offset = _complex((carry[:, None] * offset[1:] - offset[:-1]) / span[:, None])
        factor = _complex(grown / span)
        result.append(Difference(factor, offset))
    return result
