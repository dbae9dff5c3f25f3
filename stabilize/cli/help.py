"""How help is shown: `-h` as well as `--help`, and no value where an option takes none."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

HELP_NAMES = {"help_option_names": ["-h", "--help"]}


class _PlainFlags:
    """For a command of Typer: flags are shown without the type of a value that nobody may give."""

    def get_params(self, ctx: Any) -> list[Any]:
        params: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for param in params:
            if getattr(param, "is_flag", False):
                param.metavar = ""
        return params


class Command(_PlainFlags, TyperCommand):
    """A command of `stabilize`."""


class Group(_PlainFlags, TyperGroup):
    """A group of such commands."""
