"""Wobble: what each node of a grid moves beyond its own smooth path, accumulated from the motion of pairs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stabilize import spool
from stabilize.core import Float16, Float32
from stabilize.fields.smoothing import KERNEL_SIGMAS, gaussian_mean

LOCAL_UNITS_MAX = 20.0  # of a pair, far above what `limit_wobble` leaves; float16 holds its sum over the longest window


def neighbourhoods(fields: Float32 | Float16, reach: int) -> Iterator[tuple[slice, slice, Float32 | Float16]]:
    """Parts of an array that may be changed one after the other.

    Yields where each lies in the array, where it lies in its neighbourhood, and the neighbourhood: `reach` further on
    both sides, with the values before any change.
    """
    before = fields[:0].copy()
    size = max(spool.CHUNK_FRAMES, reach)
    for part in spool.chunks(len(fields), fields, size=size):
        near = np.concatenate([before, fields[part.start : part.stop + reach]])
        inner = slice(len(before), len(before) + part.stop - part.start)
        before = fields[max(part.stop - reach, part.start) : part.stop].copy()
        yield part, inner, near


def accumulate_wobble(wobble: Float16, sigma: float) -> None:
    """Turn, in place, one shot's local motion of each pair (at its later frame) into the wobble of each frame.

    This is the path of each node (the vertex profiles of MeshFlow, Liu et al. 2016) less its Gaussian mean over `sigma`
    frames. It depends on neighbouring frames only, so a long shot is done in chunks that overlap.
    """
    if sigma <= 0:
        wobble[:] = 0
        return
    wobble[0] = 0
    for part, inner, local in neighbourhoods(wobble, int(KERNEL_SIGMAS * sigma) + 2):
        profile = np.cumsum(local, axis=0, dtype=np.float64)
        profile -= gaussian_mean(profile, sigma)
        wobble[part] = profile[inner]


def limit_wobble(wobble: Float16, limit: float) -> None:
    """Scale down, in place, the wobble of every frame in which a node moves beyond a limit in units.

    A frame is scaled as a whole, so that it does not fold.
    """
    if limit <= 0:
        wobble[:] = 0
        return
    for part in spool.chunks(len(wobble), wobble):
        largest = np.abs(wobble[part]).max(axis=(1, 2, 3)).astype(np.float64)
        wobble[part] *= np.minimum(1, limit / np.maximum(largest, 1e-9)).astype(np.float16)[:, None, None, None]
