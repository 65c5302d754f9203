"""`python -m pipelines`: build, run and compare pipelines."""

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from reelflow.commandline import run_command
from reelflow.params import Params, load_params

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)

ParamsFile = Annotated[Path, typer.Option(help="The params file.")]
DEFAULT_WEIGHTS_BACKBONE = "mobilenet_v2_quant"


@app.command()
def run(
    data: Annotated[Path | None, typer.Option(help="Folder of clips: DIR/<class>/<clip>.")] = None,
    weights: Annotated[Path | None, typer.Option(help="Folder of weight files.")] = None,
    out: Annotated[Path, typer.Option(help="Where the results go.")] = Path("out"),
    backbones: Annotated[str, typer.Option(help="Comma-separated backbones.")] = "",
    heads: Annotated[str, typer.Option(help="Comma-separated heads.")] = "",
    params: ParamsFile = Path("params.yaml"),
    drop_small_classes: Annotated[
        bool, typer.Option("--drop-small-classes", help="Drop classes too small to split.")
    ] = False,
) -> None:
    """Run the training pipeline on this machine, without Docker or a server."""
    from pipelines.local import run_local
    from pipelines.summary import print_summary

    console = Console(file=sys.stdout)  # kfp's own output is redirected while it runs
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    chosen = choose(load_params(params), data, weights, backbones, heads, drop_small_classes)
    print_summary(run_local(chosen, out, console), out, console)


@app.command(name="compile")
def compile_(
    output: Annotated[Path, typer.Option(help="Where the IR YAML goes.")] = Path("build/training.yaml"),
    params: ParamsFile = Path("params.yaml"),
) -> None:
    """Write the pipeline's IR YAML, which a Kubeflow cluster takes."""
    from pipelines.training import compile_to

    output.parent.mkdir(parents=True, exist_ok=True)
    compile_to(load_params(params), str(output))
    Console().print(f"wrote {output}")


def choose(
    params: Params,
    data: Path | None,
    weights: Path | None,
    backbones: str,
    heads: str,
    drop_small_classes: bool,
) -> Params:
    """The params with what the command line says in their place.

    Raises:
        ParamsError: a value cannot be used.
    """
    dataset: dict[str, object] = {"source": str(data.absolute())} if data else {}
    if drop_small_classes:
        dataset["drop_small_classes"] = True
    features: dict[str, object] = {"weights": str(weights.absolute())} if weights else {}
    if backbones or weights:
        features["backbones"] = _names(backbones) or [DEFAULT_WEIGHTS_BACKBONE]
    training = {"heads": _names(heads)} if heads else {}
    return params.with_values(dataset=dataset, features=features, training=training)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


if __name__ == "__main__":
    run_command(app)
