"""What every command line shares: errors become one message and an exit code, never a traceback."""

import sys
from collections.abc import Callable
from typing import Any, NoReturn

import typer

from reelflow.errors import ReelflowError


def run_command(command: Callable[..., Any] | typer.Typer) -> NoReturn:
    """Run a typer command, or a plain function as one; exit codes stand in `reelflow.errors`."""
    try:
        if isinstance(command, typer.Typer):
            command(standalone_mode=True)
        else:
            typer.run(command)
    except ReelflowError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("stopped; the same command goes on where it was", file=sys.stderr)  # noqa: T201
        sys.exit(130)
    sys.exit(0)
