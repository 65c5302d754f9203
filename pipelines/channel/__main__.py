"""`python -m pipelines.channel refresh`: the channel's commands alone, for an image that has little else."""

from pipelines.channel.commands import commands
from reelflow.commandline import run_command

if __name__ == "__main__":
    run_command(commands)
