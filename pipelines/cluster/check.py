"""KFP component of a run's first task."""

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("dataset"), install_kfp_package=False)
def check(
    source: str,
    weights: str,
    teachers: list,  # type: ignore[type-arg]
    work: str,
    mlflow_ui: str,
    always: bool,
    run: dsl.Output[dsl.Markdown],
) -> str:
    """Start a run in MLflow and return the data's version; empty if an earlier run has done the same work."""
    from pathlib import Path

    from reelflow.settings import Settings
    from reelflow.tracking.lifecycle import begin

    version, page = begin(Settings(), source, work, always=always, weights=weights, teachers=teachers)
    said = "This run in MLflow" if version else "Nothing has changed since this run"
    Path(run.path).write_text(f"[{said}]({mlflow_ui}/{page})\n", encoding="utf-8")
    return version
