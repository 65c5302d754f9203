"""What every command for a cluster needs: its options, the connection, and where it prints."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.console import wide_console
from reelflow.settings import Settings

if TYPE_CHECKING:
    from pipelines.cluster.api.client import KubeflowClient
    from pipelines.cluster.config import ClusterConfig

ClusterFile = Annotated[Path, typer.Option(help="The cluster file.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until the run ends; exit code 8 if it failed.")]
Every = Annotated[float, typer.Option(min=0.1, help="Seconds between two polls with --wait.")]
DEFAULT_CLUSTER = Path("infra/cluster.yaml")


def connected(cluster: Path) -> "tuple[ClusterConfig, KubeflowClient]":
    """The cluster file, and the API that it or the environment names.

    Raises:
        ParamsError: the file cannot be used.
        ClusterError: the API cannot be used.
    """
    from pipelines.cluster.api.client import connect
    from pipelines.cluster.config import load_cluster

    config = load_cluster(cluster)
    return config, connect(config.kfp, Settings())


def mlflow_of_runs(config: "ClusterConfig") -> Settings:
    """Settings for the MLflow of the cluster's runs, as it is reached from here."""
    return Settings().model_copy(update={"tracking_uri": config.mlflow.ui})


def say(text: str) -> None:
    """Print a line as it is."""
    wide_console().print(text, highlight=False, markup=False, soft_wrap=True)
