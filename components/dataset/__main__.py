"""Command line of the dataset step."""

from pathlib import Path
from typing import Annotated

import typer

from components.dataset.lists.inputs import list_inputs
from components.dataset.step import run
from reelflow.commandline import run_command
from reelflow.params import LabelFolder, load_params
from reelflow.sources.fetch import fetched
from reelflow.steps import perform


def main(
    dataset: Annotated[Path, typer.Option(help="Folder to write.")],
    source: Annotated[
        str | None,
        typer.Option(help="Folder, recipe (.yaml), git+https:// or s3:// of clips; else dataset.source."),
    ] = None,
    params: Annotated[Path, typer.Option(help="Params file.")] = Path("params.yaml"),
    drop_small_classes: Annotated[
        bool, typer.Option("--drop-small-classes", help="Drop classes too small for the split.")
    ] = False,
    label_folder: Annotated[
        LabelFolder | None, typer.Option(help="Which folder is the class, where there are several levels.")
    ] = None,
) -> None:
    """Probe every clip, set aside what cannot be used, and split the rest."""
    changes = {} if source is None else {"source": source}
    flags: dict[str, object] = {"drop_small_classes": True} if drop_small_classes else {}
    flags |= {"label_folder": label_folder} if label_folder else {}
    section = load_params(params).with_values(dataset={**changes, **flags}).dataset
    perform(
        run,
        section,
        inputs=list_inputs(section.split_lists),
        passing=lambda settings: fetched(section.source, settings),
        output={"dataset": dataset},
    )


if __name__ == "__main__":
    run_command(main)
