"""The command line application. Commands of other packages are imported only when they are called."""

from __future__ import annotations

import os
import shlex
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from typing import Annotated, Any

import typer

from stabilize import __version__
from stabilize.cli import commands
from stabilize.cli.help import HELP_NAMES, Command, Group

LAZY = {  # command -> (module, name in it, short help)
    "metrics": ("metrics.cli", "metrics_command", "Score a stabilised video, alone or against its input."),
    "score": ("metrics.cli", "score_command", "Score many clips and several methods."),
    "gyro": ("stabilize.cli.gyroscope", "app", "Inspect, synchronise and export gyroscope logs."),
    "calibrate": ("gyro.cli", "calibrate", "Calibrate a lens from views of a chessboard."),
}
SYNONYMS = {"stabilize": "run", "stabilise": "run", "analysis": "analyse", "judge": "metrics", "probe": "info"}
EPILOG = (
    "Exit codes: 0 success; 1 error in a gyroscope log; 2 invalid usage or settings; 3 the input cannot be read; "
    "4 the output cannot be written; 5 no usable motion, or the motion of another video; 6 no path fits the crop; "
    "70 internal error; 129, 130, 143 stopped by SIGHUP, Ctrl-C, SIGTERM."
)
EXAMPLES = {
    "run": (
        "stabilize run walk.mp4",
        "stabilize run walk.mp4 -o steady.mkv --preset walk --codec hevc --crf 20",
        "stabilize run lecture.mov --tripod --strength roll=0",
        "stabilize run clip.mp4 --set path.zoom=static --config mine.toml",
    ),
    "analyse": ("stabilize analyse clip.mp4 -o clip.npz", "stabilize analyse night.mp4 --flow dis"),
    "solve": (
        "stabilize solve clip_motion.npz",
        "stabilize solve clip_motion.npz --video clip.mp4 --gyro clip.gcsv --smoothness 2 -o smooth.npz",
    ),
    "render": (
        "stabilize render clip.mp4 --path clip_path.npz",
        "stabilize render clip.mp4 --motion clip.npz --smoothness 2",
        "stabilize render clip.mp4 --motion clip.npz --zoom static -o static.mp4",
    ),
    "info": (
        "stabilize info clip.mov",
        "stabilize info clip.mov -o clip.mp4 --codec h264",
        "stabilize info clip.mov --json",
    ),
}


class LazyGroup(Group):
    """A group whose `LAZY` commands are listed without importing them."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*self.commands, *(name for name in LAZY if _exists(name))]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in LAZY and _exists(cmd_name):
            return Command(cmd_name, help=LAZY[cmd_name][2])
        return super().get_command(ctx, cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] in LAZY and _exists(args[0]):
            return args[0], _load(args[0]), args[1:]
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            ctx.fail(f"no such command: {args[0]}{_suggestion(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


def _suggestion(word: str, names: list[str]) -> str:
    """For an unknown command: a similar one, or `run` if it is the name of a file."""
    if os.path.isfile(word) or os.path.splitext(word)[1]:
        return f"; to stabilise a video: stabilize run {shlex.quote(word)}"
    similar = get_close_matches(word.lower(), [*names, *SYNONYMS], n=1)
    return f"; did you mean: stabilize {SYNONYMS.get(similar[0], similar[0])}" if similar else ""


def _exists(name: str) -> bool:
    return find_spec(LAZY[name][0].split(".")[0]) is not None


@cache
def _load(name: str) -> Any:
    from importlib import import_module

    module, attribute, _ = LAZY[name]
    target = getattr(import_module(module), attribute)
    if isinstance(target, typer.Typer):
        return typer.main.get_group(target)
    app = typer.Typer(add_completion=False)
    app.command(name, cls=Command, context_settings=HELP_NAMES)(target)
    return typer.main.get_command(app)


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"stabilize {__version__}")
        raise typer.Exit()


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Print the traceback of an error; allowed anywhere on the command line.")
    ] = False,
) -> None:
    """Stabilise shaky video."""


@cache
def command() -> Any:
    """Build the application; returns the click command."""
    app = typer.Typer(
        cls=LazyGroup,
        no_args_is_help=True,
        epilog=EPILOG,
        pretty_exceptions_enable=False,
        context_settings=HELP_NAMES,
    )
    app.callback()(_root)
    for name, examples in EXAMPLES.items():
        epilog = "\n\n".join(["Examples:", *(f"  {line}" for line in examples)])
        app.command(name, cls=Command, epilog=epilog, context_settings=HELP_NAMES)(getattr(commands, name))
    return typer.main.get_command(app)
