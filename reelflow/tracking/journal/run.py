"""Where a journal is stored: the params of an MLflow run of its own, which the registered model names.

MLflow has nothing for this. Tags of a model can be changed by anybody, are limited to 5000 characters in
the database, and setting one overwrites what another process wrote (`set_registered_model_tag` merges, in
mlflow.store.model_registry.sqlalchemy_store). A param of a run is written once: the key and the run are the
primary key of its table, another value is refused ("Changing param values is not allowed", `log_param` in
mlflow.store.tracking.sqlalchemy_store), the same one is accepted again, so that a repeated request does no
harm. That makes an entry's number a thing that only one process can take: compare-and-set.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from reelflow.errors import TrackingError
from reelflow.files import locked
from reelflow.settings import Settings
from reelflow.tracking.answers.away import UNKNOWN
from reelflow.tracking.client import JOURNALS, connect, exclusive, tracking_errors
from reelflow.tracking.journal.entry import MAX_CHARS
from reelflow.tracking.journal.store import StoredJournal
from reelflow.tracking.sqlite import SQLITE, sqlite_file

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

RUN_TAG, HEAD_TAG = "reelflow.journal", "reelflow.journal.head"
"""Tags of the registered model: the run of its journal, and number and hash of the newest entry."""
GONE = "RESOURCE_DOES_NOT_EXIST"


class JournalRun:
    """The journal of each registered model at the tracking URI.

    Raises:
        TrackingError: from every method, where MLflow refuses or is not reachable.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._uri = settings.tracking_uri

    @property
    def _own(self) -> Settings:
        """With an experiment of its own: a journal is not among the runs that people compare."""
        name = f"{self._settings.experiment}{JOURNALS}"
        return self._settings.model_copy(update={"experiment": name, "experiment_id": ""})

    @property
    def _client(self) -> "MlflowClient":
        return connect(self._settings)[0]

    def read(self, model_name: str) -> StoredJournal:
        """Everything that is stored; empty for a model without a journal."""
        with tracking_errors(self._uri):
            tags = self._tags(model_name)
            if RUN_TAG not in tags:
                return StoredJournal({})
            head, run = tags.get(HEAD_TAG, ""), self._run(tags[RUN_TAG])
            if run is None:
                return StoredJournal({}, head, f"the run {tags[RUN_TAG]} that holds it is gone for good")
            trouble = ""
            if run.info.lifecycle_stage != "active":
                trouble = f"the run that holds it was deleted: mlflow runs restore --run-id {run.info.run_id}"
            return StoredJournal(dict(run.data.params), head, trouble)

    def add(self, model_name: str, key: str, text: str) -> bool:
        """Store a text under a key that is still free.

        Returns:
            Whether this text is stored there now; false if another process was faster.
        """
        from mlflow.exceptions import MlflowException

        if len(text) > MAX_CHARS:
            raise TrackingError(
                f"an entry of {len(text)} characters: MLflow keeps {MAX_CHARS}; give less reason"
            )
        connect(self._settings)  # takes the same lock
        connect(self._own)
        with tracking_errors(self._uri), exclusive(self._uri):
            run_id = self._journal(model_name)
            try:
                self._client.log_param(run_id, key, text)
            except MlflowException:
                found = self._client.get_run(run_id).data.params.get(key)
                if found is None:
                    raise
                return bool(found == text)
            return True

    def set_head(self, model_name: str, head: str) -> None:
        """Keep the number and hash of the newest entry apart from the entries."""
        with tracking_errors(self._uri), exclusive(self._uri):
            self._client.set_registered_model_tag(model_name, HEAD_TAG, head)

    def alone(self) -> AbstractContextManager[None]:
        """Lock a file beside the sqlite file: other commands wait for the end of this one's move."""
        if not self._uri.startswith(SQLITE):
            return nullcontext()
        file = sqlite_file(self._uri)
        return locked(file.with_name(f"{file.name}.promotion.lock"))

    def _tags(self, model_name: str) -> dict[str, str]:
        from mlflow.exceptions import MlflowException

        try:
            return dict(self._client.get_registered_model(model_name).tags)
        except MlflowException as error:
            if error.error_code == GONE:
                return {}
            raise

    def _run(self, run_id: str) -> "Run | None":
        from mlflow.exceptions import MlflowException

        try:
            return self._client.get_run(run_id)
        except MlflowException as error:
            if error.error_code in UNKNOWN:  # a person may have put something else in the place of an id
                return None
            raise

    def _journal(self, model_name: str) -> str:
        """The run of a model's journal; of several processes that make one at once, all get the same."""
        known = self._tags(model_name).get(RUN_TAG)
        if known:
            return known
        key = f"{RUN_TAG}.{model_name}"
        first = self._first_run(model_name)
        claimed = self._client.get_run(first).data.params.get(key) or self._claim(first, key, model_name)
        self._client.set_registered_model_tag(model_name, RUN_TAG, claimed)
        return claimed

    def _claim(self, first: str, key: str, model_name: str) -> str:
        """Make a run, and name it in a param of the first version's run: only one can be named there."""
        from mlflow.exceptions import MlflowException

        experiment = connect(self._own)[1]
        made: Any = self._client.create_run(
            experiment, tags={RUN_TAG: model_name}, run_name=f"promotions of {model_name}"
        )
        run_id = str(made.info.run_id)
        self._client.set_terminated(run_id)
        try:
            self._client.log_param(first, key, run_id)
        except MlflowException:
            winner = self._client.get_run(first).data.params.get(key)
            if winner is None:
                raise
            self._client.delete_run(run_id)
            return str(winner)
        return run_id

    def _first_run(self, model_name: str) -> str:
        """The run of the oldest version that still has one: all processes find the same."""
        found = self._client.search_model_versions(f"name = '{model_name}'", order_by=["version_number ASC"])
        for run_id in (one.run_id for one in found if one.run_id):
            run = self._run(run_id)
            if run and run.info.lifecycle_stage == "active":
                return str(run_id)
        raise TrackingError(
            f"no version of {model_name} belongs to a run: register one by the release step first"
        )
