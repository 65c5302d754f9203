"""A group of the commands of `python -m pipelines`, run in this process."""

from click.testing import Result
from typer.testing import CliRunner

from pipelines.__main__ import app
from reelflow.errors import ReelflowError


class CommandGroup:
    """Runs the commands of one group.

    Attributes:
        group: its name.
    """

    group: str

    def run(self, *arguments: object) -> Result:
        return CliRunner().invoke(app, [self.group, *map(str, arguments)])

    def done(self, *arguments: object) -> str:
        """What a command prints that succeeds."""
        result = self.run(*arguments)
        assert result.exit_code == 0, (result.output, result.exception)
        return result.output

    def error(self, *arguments: object) -> ReelflowError:
        """Why a command fails."""
        failed = self.run(*arguments).exception
        assert isinstance(failed, ReelflowError), failed
        return failed
