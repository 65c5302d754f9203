"""Everything that MLflow shows of an experiment and a registered model, without ids and times."""

from typing import Any

from reelflow.settings import Settings
from reelflow.tracking.client import connect
from reelflow.tracking.journal.run import JournalRun

OWN = ("reelflow.", "mlflow.source.git")


def all_of(settings: Settings, model: str) -> dict[str, Any]:
    """Runs with params, points, tags and artifacts; logged models, versions, aliases, and the journal."""
    client, experiment = connect(settings)
    runs = client.search_runs([experiment])
    names = {run.info.run_id: run.info.run_name for run in runs}
    versions = client.search_model_versions(f"name = '{model}'")
    models = client.search_logged_models([experiment])
    registered = client.search_registered_models(f"name = '{model}'")
    return {
        "runs": sorted((_run(client, run, names) for run in runs), key=lambda run: str(run["name"])),
        "models": sorted((one.name, str(one.status), names[one.source_run_id]) for one in models),
        "versions": sorted((int(one.version), one.tags["classifier"]) for one in versions),
        "aliases": [sorted(one.aliases.items()) for one in registered],
        "journal": sorted(key for key in JournalRun(settings).read(model).texts),
    }


def _run(client: Any, run: Any, names: dict[str, str]) -> dict[str, Any]:
    run_id = run.info.run_id
    points = {
        name: [(one.step, one.value) for one in client.get_metric_history(run_id, name)]
        for name in run.data.metrics
    }
    tags = {name: value for name, value in run.data.tags.items() if name.startswith(OWN)}
    return {
        "name": run.info.run_name,
        "parent": names.get(run.data.tags.get("mlflow.parentRunId", ""), ""),
        "status": run.info.status,
        "params": run.data.params,
        "points": points,
        "tags": tags,
        "artifacts": sorted(_files(client, run_id)),
    }


def _files(client: Any, run_id: str, folder: str = "") -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    for one in client.list_artifacts(run_id, folder):
        found += _files(client, run_id, one.path) if one.is_dir else [(one.path, one.file_size)]
    return found
