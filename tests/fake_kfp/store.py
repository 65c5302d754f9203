"""What the server holds, and its rules."""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fake_kfp.checks import Invalid, check_cron, read_package
from tests.fake_kfp.refusals import Refusal

Document = dict[str, Any]
NEVER = "1970-01-01T00:00:00Z"
EPOCH = datetime(2026, 11, 21, tzinfo=UTC)
EXISTS = "Failed to create a new {kind}. The name {name} already exist. Please specify a new name"


class Store:
    """Namespaces are those of profiles; none make a single-user installation.

    Attributes:
        on_run: what else happens to a new run, in place of pods.
    """

    def __init__(self, namespaces: tuple[str, ...] = ()) -> None:
        self.namespaces = namespaces
        self.experiments: dict[str, Document] = {}
        self.pipelines: dict[str, Document] = {}
        self.versions: dict[str, Document] = {}
        self.runs: dict[str, Document] = {}
        self.recurring_runs: dict[str, Document] = {}
        self.on_run: Callable[[Document], None] = lambda run: None
        self._made = 0

    def within(self, namespace: str) -> str:
        """The namespace that a request names, once it is found to be permitted."""
        if not self.namespaces and namespace:
            raise Refusal(400, "Invalid input error: In single-user mode, cannot filter by namespace.")
        if self.namespaces and not namespace:
            raise Refusal(400, "Invalid input error: A namespace is required in multi-user mode.")
        if self.namespaces and namespace not in self.namespaces:
            raise Refusal(403, f"User 'u' is not authorized with reason: cannot list in {namespace}")
        return namespace

    def get(self, kind: str, identifier: str) -> Document:
        kept: dict[str, Document] = getattr(self, kind)
        if identifier not in kept:
            raise Refusal(404, f"ResourceNotFoundError: {kind[:-1]} {identifier} not found.")
        return kept[identifier]

    def listed(self, kind: str, query: dict[str, str]) -> list[Document]:
        kept: dict[str, Document] = getattr(self, kind)
        experiment = query.get("experiment_id", "")
        if experiment:
            self.get("experiments", experiment)
            return [one for one in kept.values() if one.get("experiment_id") == experiment]
        namespace = self.within(query.get("namespace", ""))
        return [one for one in kept.values() if one.get("namespace", "") == namespace]

    def create_experiment(self, body: Document) -> Document:
        namespace = self.within(body.get("namespace", ""))
        self._require_new("experiment", body.get("display_name", ""), namespace, self.experiments)
        return self._keep(
            self.experiments,
            "experiment_id",
            {**body, "namespace": namespace, "storage_state": "AVAILABLE", "last_run_created_at": NEVER},
        )

    def create_pipeline(self, body: Document) -> Document:
        namespace = self.within(body.get("namespace", ""))
        name = body.get("name") or body.get("display_name", "")
        self._require_new("pipeline", name, namespace, self.pipelines)
        body = {**body, "name": name, "display_name": body.get("display_name") or name}
        return self._keep(self.pipelines, "pipeline_id", {**body, "namespace": namespace})

    def pipeline_named(self, name: str, namespace: str) -> Document:
        namespace = self.within(namespace)
        found = [p for p in self.pipelines.values() if (p["name"], p["namespace"]) == (name, namespace)]
        if not found:
            raise Refusal(404, f"ResourceNotFoundError: Pipeline {name} not found.")
        return found[0]

    def upload(self, query: dict[str, str], text: str) -> Document:
        """Makes a pipeline and its first version, both under one name."""
        self._read(text)
        name = query.get("name") or "pipeline.yaml"
        try:
            made = self.create_pipeline(
                {
                    "name": name,
                    "description": query.get("description", ""),
                    "namespace": query.get("namespace", ""),
                }
            )
        except Refusal as refusal:
            if refusal.status == 409:
                raise Refusal(
                    409, "Failed to create a pipeline and a pipeline version", of_upload=True
                ) from None
            raise
        self.upload_version({**query, "pipelineid": made["pipeline_id"], "name": name}, text)
        return made

    def upload_version(self, query: dict[str, str], text: str) -> Document:
        package = self._read(text)
        pipeline_id, name = query.get("pipelineid", ""), query.get("name") or "pipeline.yaml"
        if pipeline_id not in self.pipelines:
            raise Refusal(400, "Failed to create a pipeline version", of_upload=True)
        if any(v["name"] == name for v in self.versions_of(pipeline_id)):
            raise Refusal(409, "Failed to create a pipeline version", of_upload=True)
        body = {"pipeline_id": pipeline_id, "name": name, "display_name": name, "pipeline_spec": package}
        return self._keep(
            self.versions, "pipeline_version_id", {**body, "description": query.get("description", "")}
        )

    def versions_of(self, pipeline_id: str) -> list[Document]:
        return [one for one in self.versions.values() if one["pipeline_id"] == pipeline_id]

    def create_run(self, body: Document) -> Document:
        self._check_run(body)
        body = {**body, "experiment_id": self._experiment_of(body), "storage_state": "AVAILABLE"}
        made = self._keep(self.runs, "run_id", {**body, "state": "PENDING", "finished_at": NEVER})
        made["namespace"] = self.experiments[made["experiment_id"]]["namespace"]
        self.on_run(made)
        return made

    def create_recurring_run(self, body: Document) -> Document:
        self._check_run(body)
        if not 1 <= int(body.get("max_concurrency", 0)) <= 10:
            raise Refusal(400, "The max concurrency of the recurring run is out of range. Support 1-10.")
        if body.get("mode") not in ("ENABLE", "DISABLE"):
            raise Refusal(400, "Recurring run's mode is invalid")
        trigger = body.get("trigger") or {}
        if "cron_schedule" in trigger:
            check_cron(trigger["cron_schedule"]["cron"])
        elif "periodic_schedule" not in trigger:
            raise Refusal(400, "a trigger is missing")
        experiment_id = self._experiment_of(body)
        namespace = self.experiments[experiment_id]["namespace"]
        if body.get("namespace", namespace) != namespace:
            raise Refusal(400, "the namespace is not that of the experiment")
        body = {**body, "experiment_id": experiment_id, "max_concurrency": str(body["max_concurrency"])}
        body |= {"status": f"{body['mode']}D", "namespace": namespace}
        return self._keep(self.recurring_runs, "recurring_run_id", body)

    def switch(self, identifier: str, mode: str) -> None:
        self.get("recurring_runs", identifier).update(mode=mode, status=f"{mode}D")

    def _check_run(self, body: Document) -> None:
        if not body.get("display_name"):
            raise Refusal(400, "The name of a run cannot be empty")
        reference, inline = body.get("pipeline_version_reference"), body.get("pipeline_spec")
        if bool(reference) == bool(inline):
            raise Refusal(400, "exactly one of a pipeline spec and a pipeline version is needed")
        if reference:
            version = self.get("versions", reference.get("pipeline_version_id", ""))
            if version["pipeline_id"] != reference.get("pipeline_id"):
                raise Refusal(400, "the version is of another pipeline")
            package = version["pipeline_spec"]
        else:
            package = self._read(json.dumps((inline or {}).get("pipeline_spec", inline)))
        parameters = (body.get("runtime_config") or {}).get("parameters") or {}
        known = package["pipeline_spec"]["root"].get("inputDefinitions", {}).get("parameters", {})
        if not set(parameters) <= set(known):
            raise Refusal(400, f"parameter {sorted(set(parameters) - set(known))[0]} is not in the pipeline")

    def _experiment_of(self, body: Document) -> str:
        experiment_id: str = body.get("experiment_id", "")
        if not experiment_id:
            raise Refusal(400, "The experiment is missing")
        self.within(self.get("experiments", experiment_id)["namespace"])
        return experiment_id

    def _read(self, text: str) -> Document:
        try:
            return read_package(text)
        except Invalid as error:
            raise Refusal(400, f"Failed to read a pipeline spec file: {error}", of_upload=True) from error

    def _require_new(self, kind: str, name: str, namespace: str, kept: dict[str, Document]) -> None:
        if not name:
            raise Refusal(400, f"The name of a {kind} cannot be empty")
        names = {(one.get("name") or one["display_name"], one["namespace"]) for one in kept.values()}
        if (name, namespace) in names:
            raise Refusal(409, f"Already exist error: {EXISTS.format(kind=kind, name=name)}")

    def _keep(self, kept: dict[str, Document], key: str, body: Document) -> Document:
        self._made += 1
        created = EPOCH + timedelta(seconds=self._made)
        identifier = str(uuid.UUID(int=self._made, version=4))
        kept[identifier] = {**body, key: identifier, "created_at": created.isoformat().replace("+00:00", "Z")}
        return kept[identifier]
