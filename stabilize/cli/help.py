"""The format of the help: `-h` as well as `--help`, and no value type for flags."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

HELP_NAMES = {"help_option_names": ["-h", "--help"]}


class _PlainFlags:
    """Typer shows `<bool>` after flags in the help, although they take no value; this removes it."""

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
