"""`python -m pipelines`: build, run and compare pipelines."""

import signal
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from pipelines.channel.commands import commands as channel_commands
from pipelines.cluster.commands import commands as cluster_commands
from pipelines.compare.commands import commands as compare_commands
from pipelines.console import wide_console
from pipelines.data.commands import commands as data_commands
from pipelines.drift.commands import commands as drift_commands
from pipelines.fleet.commands import commands as fleet_commands
from pipelines.given import path_option, text_option
from pipelines.inbox.commands import commands as inbox_commands
from pipelines.overrides import (
    absolute_path,
    absolute_source,
    names_in,
    override,
    protocol_in,
    with_model_name,
)
from pipelines.promotion.commands import commands as promotion_commands
from pipelines.studies.commands import commands as study_commands
from pipelines.track.commands import commands as track_commands
from reelflow.commandline import run_command
from reelflow.params import LabelFolder, load_params
from reelflow.settings import Settings

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)
app.add_typer(cluster_commands)
app.add_typer(study_commands)
app.add_typer(data_commands, name="data")
app.add_typer(fleet_commands, name="fleet")
app.add_typer(drift_commands)
app.add_typer(compare_commands)
app.add_typer(inbox_commands, name="inbox")
app.add_typer(promotion_commands)
app.add_typer(channel_commands, name="channel")
app.add_typer(track_commands, name="track")

ParamsFile = Annotated[Path, path_option("The params file.")]


@app.command()
def run(
    data: Annotated[
        str | None, text_option("Clips: DIR (DIR/<class>/<clip>), git+https:// or s3://.")
    ] = None,
    weights: Annotated[Path | None, path_option("Folder of weight files.")] = None,
    out: Annotated[Path, path_option("Where the results go.")] = Path("out"),
    backbones: Annotated[str | None, text_option("Comma-separated backbones.")] = None,
    heads: Annotated[str | None, text_option("Comma-separated heads.")] = None,
    protocol: Annotated[str | None, text_option("How clips are held out, as group_kfold(5).")] = None,
    model: Annotated[str | None, text_option("Name in the registry; else after the clips' folder.")] = None,
    params: Annotated[
        Path | None, path_option("The params file; else params.small.yaml for few clips of your own.")
    ] = None,
    drop_small_classes: Annotated[
        bool, typer.Option("--drop-small-classes", help="Drop classes too small to split.")
    ] = False,
    label_folder: Annotated[
        LabelFolder | None, typer.Option(help="Which folder is the class, where there are several levels.")
    ] = None,
    runner: Annotated[
        Literal["subprocess", "docker"], typer.Option(help="Steps as processes, or in their images.")
    ] = "subprocess",
) -> None:
    """Run the training pipeline on this machine, without a server."""
    from pipelines.local.defaults import Default, default_for
    from pipelines.local.driver import run_local
    from pipelines.local.summary import print_summary

    console = Console(file=sys.stdout)  # kfp's own output is redirected while it runs
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    source, settings, held_out = absolute_source(data), Settings(), protocol_in(protocol)
    default = (
        Default(params)
        if params
        else default_for(
            source,
            out,
            settings,
            names_in(heads),
            held_out,
            drop_small_classes=drop_small_classes,
            label_folder=label_folder or "only",
        )
    )
    if default.reason:
        console.print(default.reason, highlight=False, markup=False, soft_wrap=True)
    chosen = override(
        load_params(default.params),
        source=source,
        weights=absolute_path(weights),
        backbones=names_in(backbones),
        heads=names_in(heads),
        protocol=held_out or default.protocol,
        drop_small_classes=drop_small_classes,
        label_folder=label_folder,
        note=default.reason,
    )
    chosen = with_model_name(chosen, data, model)
    print_summary(run_local(chosen, out, console, settings, runner), out, console)


@app.command(name="compile")
def compile_(
    output: Annotated[Path, typer.Option(help="Where the IR YAML goes.")] = Path("build/training.yaml"),
    params: ParamsFile = Path("params.yaml"),
    cluster: Annotated[
        Path | None, typer.Option(help="Cluster file: adds images, resources, secrets, an exit handler.")
    ] = None,
) -> None:
    """Write the pipeline's IR YAML, which a Kubeflow cluster takes."""
    from pipelines.cluster.config import load_cluster
    from pipelines.cluster.package import compile_to

    compile_to(load_params(params), output, load_cluster(cluster) if cluster else None)
    Console().print(f"wrote {output}")


@app.command()
def sweep(
    data: Annotated[
        str | None, text_option("Clips: DIR (DIR/<class>/<clip>), git+https:// or s3://.")
    ] = None,
    weights: Annotated[Path | None, path_option("Folder of weight files.")] = None,
    out: Annotated[Path, path_option("Where the results go.")] = Path("out/sweep"),
    space: Annotated[Path, path_option("What to choose from.")] = Path("sweep.yaml"),
    trials: Annotated[int | None, typer.Option(min=1, max=1000, help="Trials of each study.")] = None,
    protocol: Annotated[str | None, text_option("How clips are held out from the search.")] = None,
    backbones: Annotated[str | None, text_option("Comma-separated backbones.")] = None,
    params: ParamsFile = Path("params.yaml"),
) -> None:
    """Search for the best head and values; the accuracy reported is of clips that the search never saw."""
    from pipelines.sweep.driver import run_sweep
    from pipelines.sweep.view import print_report
    from pipelines.trials.space import load_space

    console = Console()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    chosen = override(
        load_params(params),
        source=absolute_source(data),
        weights=absolute_path(weights),
        backbones=names_in(backbones),
        protocol=protocol_in(protocol),
    )
    found = load_space(space, chosen, trials)
    print_report(run_sweep(chosen, found, out, console, Settings()), out, console)


@app.command()
def lineage(
    target: Annotated[
        str, typer.Argument(help="A bundle or run folder, models:/NAME@ALIAS or models:/NAME/3.")
    ],
    clips: Annotated[bool, typer.Option("--clips", help="List each clip: sha256 and path.")] = False,
    output: Annotated[Path | None, typer.Option(help="CSV file for the clips.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
) -> None:
    """Show what a model was made from: release, conversion, training, features, frames, every clip."""
    from pipelines.lineage.view import show

    show(target, Settings(), wide_console(), clips=clips, output=output, as_json=as_json)


if __name__ == "__main__":
    run_command(app)
