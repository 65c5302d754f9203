"""Finds runs of MLflow by their name, tags and params, or makes them: each of them once."""

from collections.abc import Mapping
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from reelflow.tracking.client import exclusive, tracking_errors
from reelflow.tracking.runs.values import params_of
from reelflow.tracking.sqlite import SQLITE

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

MAX_RUNS = 1000
KNOWN: "WeakKeyDictionary[MlflowClient, dict[tuple[object, ...], str]]" = WeakKeyDictionary()
"""Ids of runs that were found or made through a client, by experiment, name, tags and params."""


class ExperimentRuns:
    """The runs of an experiment.

    Args:
        client: of MLflow.
        uri: of the server or file that it asks.
        experiment: its id.
    """

    def __init__(self, client: "MlflowClient", uri: str, experiment: str) -> None:
        self._client, self._uri, self._experiment = client, uri, experiment

    def get_or_create(
        self, name: str, tags: dict[str, str], params: Mapping[str, str], started_ms: int | None
    ) -> str:
        """A run with these params; one that was made without some of them gets them."""
        known = KNOWN.setdefault(self._client, {})
        asked = (self._experiment, name, *sorted({**tags, **params}.items()))
        if asked not in known:
            with tracking_errors(self._uri), exclusive(self._uri):
                run_id, lacking = self._found(name, tags, params)
                if not run_id:
                    known.clear()  # the new one is newer than those of its name
                    run_id = self.create(name, tags, started_ms)
                for values in params_of(lacking):
                    self._client.log_batch(run_id, params=values)
            known[asked] = run_id
        return known[asked]

    def _found(
        self, name: str, tags: dict[str, str], params: Mapping[str, str]
    ) -> tuple[str, dict[str, str]]:
        """The newest run with no other params, empty if there is none, and the params that it lacks."""
        for run in self.search(tags):
            told = run.data.params
            if run.info.run_name == name and all(told.get(key, text) == text for key, text in params.items()):
                return str(run.info.run_id), {key: text for key, text in params.items() if key not in told}
        return "", dict(params)

    def create(self, name: str, tags: dict[str, str], started_ms: int | None) -> str:
        """A new run; one that MLflow has made twice, by repeating a request, is removed.

        `http_request` (mlflow.utils.rest_utils) retries every method, and each of its tries has the same tags
        and the same start, which the client sets. All who see them keep the same one.
        """
        info = self._client.create_run(self._experiment, started_ms, tags, name).info
        if self._uri.startswith(SQLITE):
            return str(info.run_id)
        twins = [
            str(run.info.run_id)
            for run in self.search(tags)
            if (run.info.run_name, run.info.start_time) == (name, info.start_time)
        ]
        kept, *others = sorted(twins or [str(info.run_id)])
        for other in others:
            self._client.delete_run(other)
        return kept

    def search(self, tags: Mapping[str, str]) -> "list[Run]":
        """Runs with these tags, newest first."""
        text = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
        order = ["attributes.start_time DESC"]
        found: list[Run] = []
        token: str | None = ""
        while token is not None:
            page = self._client.search_runs(
                [self._experiment], text, max_results=MAX_RUNS, order_by=order, page_token=token or None
            )
            found += page
            token = page.token or None
        return found


def quotable(text: str) -> str:
    """A tag value without quotes, for MLflow's search."""
    return text.replace("'", "_").replace('"', "_")
