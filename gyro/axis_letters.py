"""Axes as letters: `YxZ` says that three axes lie along Y, against X and along Z of another frame."""

from __future__ import annotations

import numpy as np

from gyro.log import Float


def letters_to_matrix(letters: str) -> Float:
    """Return the (3, 3) matrix with out[i] = in[letter i], negated for a lower-case letter: YxZ gives Y, -X, Z.

    Raises ValueError unless the letters name x, y and z once each.
    """
    if sorted(letters.upper()) != ["X", "Y", "Z"]:
        raise ValueError(f"{letters!r} does not name x, y and z once each")
    matrix = np.zeros((3, 3))
    for row, letter in enumerate(letters):
        matrix[row, "XYZ".index(letter.upper())] = 1.0 if letter.isupper() else -1.0
    return matrix


def matrix_to_letters(matrix: Float) -> str | None:
    """Return the letters of a (3, 3) matrix that only permutes and negates axes; None for any other matrix."""
    if not np.allclose(np.sort(np.abs(matrix), axis=1), [0, 0, 1]) or not np.allclose(np.abs(matrix).sum(axis=0), 1):
        return None
    letters = ["XYZ"[int(np.argmax(np.abs(row)))] for row in matrix]
    return "".join(x if row.sum() > 0 else x.lower() for x, row in zip(letters, matrix, strict=True))
