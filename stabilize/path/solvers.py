"""The path solvers, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from stabilize import spool
from stabilize.core import CameraPath
from stabilize.fields.rotation import CameraRotation
from stabilize.path.measure import SolvedPath
from stabilize.path.solve import solve_path
from stabilize.progress import SolverProgress
from stabilize.settings import PathConfig, SolverName

Solver = Callable[[CameraPath, CameraRotation | None, PathConfig, SolverProgress | None], SolvedPath]
"""From the camera path, and the camera's rotation where there is a gyroscope log or the solver is one of
ROTATION_SOLVERS, to a path inside the crop. Raises SolveError where there is none, UsageError where the solver needs
the rotation and there is none."""


def _l1(
    camera: CameraPath, rotation: CameraRotation | None, config: PathConfig, progress: SolverProgress | None
) -> SolvedPath:
    """The steadiest path of similarities; the camera path already includes what the log says of its rotation."""
    path = solve_path(camera, config, progress)
    return replace(path, notes=(*path.notes, *spool.memory_warning(path.camera.wobble)))


def _rotation(
    camera: CameraPath, rotation: CameraRotation | None, config: PathConfig, progress: SolverProgress | None
) -> SolvedPath:
    """A virtual camera that turns smoothly. Loaded on demand: SciPy's rotations take memory."""
    from stabilize.path.rotation_solver import solve_rotation

    return solve_rotation(camera, rotation, config, progress)


SOLVERS: dict[SolverName, Solver] = {"l1": _l1, "rotation": _rotation}
ROTATION_SOLVERS: tuple[SolverName, ...] = ("rotation",)
"""Those that work on the camera's rotation."""
