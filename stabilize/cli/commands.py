"""`run`, `analyse`, `render`: each takes its options, calls the library and shows the result."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stabilize.cli.options import Choices, with_settings_options
from stabilize.errors import UsageError

Input = Annotated[Path | None, typer.Argument(metavar="IN", help="The video.", show_default=False)]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="OUT", help="The result (<stem>_stabilized.<ext>).", show_default=False),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", "-y", help="Replace the result where it exists.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no table; warnings and errors stay.")]
Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON instead of a table; no progress.")]


def needed(source: Path | None) -> Path:
    """The input: an argument that only --print-config can do without."""
    if source is None:
        raise UsageError("the name of the video is missing (IN)")
    return source


@with_settings_options("motion", "fuse", "path", "warp", "encode")
def run(
    source: Input = None,
    *,
    choices: Choices,
    output: Output = None,
    gyro: Annotated[
        Path | None, typer.Option("--gyro", metavar="LOG", help="Gyroscope log of the clip.", show_default=False)
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Make a shaky video steady; everything else of the file is kept."""
    source, config = needed(source), choices.resolve()
    from stabilize.cli.names import default_output
    from stabilize.cli.progress import progress
    from stabilize.cli.summary import show_report
    from stabilize.pipeline import stabilize_video

    target = output or default_output(source, config.encode.codec)
    with progress(not (quiet or as_json)) as step:
        report = stabilize_video(source, target, config, step, **_gyro(gyro))
    show_report(report, quiet, as_json)


def _gyro(log: Path | None) -> dict[str, Any]:
    """The argument for the log, where the pipeline takes one."""
    import inspect

    from stabilize.pipeline import stabilize_video

    if log is None:
        return {}
    if "gyro" not in inspect.signature(stabilize_video).parameters:
        raise UsageError("--gyro is not wired to the pipeline yet")
    return {"gyro": log}
