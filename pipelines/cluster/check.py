"""KFP component of a run's first task."""

from typing import NamedTuple

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("dataset"), install_kfp_package=False)
def check(
    source: str,
    weights: str,
    teachers: list,  # type: ignore[type-arg]
    split_lists: list,  # type: ignore[type-arg]
    inflate: str,
    work: str,
    mlflow_ui: str,
    always: bool,
    run: dsl.Output[dsl.Markdown],
) -> NamedTuple("Versions", Output=str, weights=str, teachers=str):  # type: ignore[valid-type]
    """Start a run in MLflow; returns the versions of its inputs, empty if an earlier run did the same work.

    The first, of the data, is called `Output`: kfp's local runner knows no other name in a condition.
    """
    from pathlib import Path

    from reelflow.settings import Settings
    from reelflow.tracking.lifecycle import begin

    versions, page = begin(
        Settings(),
        source,
        work,
        always=always,
        weights=weights,
        teachers=teachers,
        split_lists=split_lists,
        inflate=inflate,
    )
    said = "This run in MLflow" if versions.data else "Nothing has changed since this run"
    Path(run.path).write_text(f"[{said}]({mlflow_ui}/{page})\n", encoding="utf-8")
    return tuple(versions)
