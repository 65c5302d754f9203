"""What the server holds, and how it answers."""

import functools
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineSpec

from tests.fake_kfp.paging import found, page, without_empty
from tests.fake_kfp.request import Document, Refusal, Request, UploadRefusal

Documents = dict[str, Document]
NEVER = "1970-01-01T00:00:00Z"  # 12, 25
START = datetime(2026, 11, 26, tzinfo=UTC)
CRON = "Schedule cron is not a supported format(https://godoc.org/github.com/robfig/cron). Error: "
ENDED = ("SUCCEEDED", "FAILED", "SKIPPED", "CANCELED")  # model/run.go
CAN_END = ("PENDING", "RUNNING", "PAUSED")  # storage/run_store.go TerminateRun


class FakeStore:
    """Everything on the server; tests may look and change.

    Attributes:
        namespaces: of profiles; empty for a single-user installation.
        on_run: what happens to a new run, in place of pods.
        killed: runs whose workflow was deleted while they were at work.
    """

    def __init__(self, namespaces: tuple[str, ...] = ()) -> None:
        self.namespaces = namespaces
        self.experiments: Documents = {}
        self.pipelines: Documents = {}
        self.versions: Documents = {}
        self.runs: Documents = {}
        self.recurring_runs: Documents = {}
        self.on_run: Callable[[Document], None] = lambda run: None
        self.killed: list[str] = []
        self._made = 0

    def answer(self, request: Request) -> Document:
        """Carry a request out."""
        for pattern, act in ROUTES:
            asked = re.fullmatch(pattern, f"{request.method} {request.path}")
            if asked:
                return without_empty(act(self, request, *map(unquote, asked.groups())))
        raise Refusal(404, "Not Found")  # grpc-gateway

    def health(self, request: Request) -> Document:
        return {"multi_user": bool(self.namespaces), "tag_name": "2.17.0"}  # 01

    def list_experiments(self, request: Request) -> Document:
        return page(request.query, "experiments", self._within(request.query, self.experiments))

    def create_experiment(self, request: Request) -> Document:
        body = request.document()
        self._require_new("experiment", "display_name", body, self.experiments)  # 13
        made = {"storage_state": "AVAILABLE", "last_run_created_at": NEVER}  # 12
        return self._keep(self.experiments, "experiment_id", body | made)

    def create_pipeline(self, request: Request) -> Document:
        body = request.document()
        self._require_new("pipeline", "name", body, self.pipelines)  # storage/pipeline_store.go
        return self._keep(self.pipelines, "pipeline_id", body)  # 14

    def get_pipeline_by_name(self, request: Request, name: str) -> Document:
        namespace = self._namespace(request.query)
        for pipeline in self.pipelines.values():
            if (pipeline["name"], pipeline["namespace"]) == (name, namespace):
                return pipeline  # 17
        raise Refusal(404, f"Namespace/Pipeline {namespace}/{name} not found")  # 18

    def list_versions(self, request: Request, pipeline_id: str) -> Document:
        versions = [one for one in self.versions.values() if one["pipeline_id"] == pipeline_id]
        return page(request.query, "pipeline_versions", versions)  # 23

    def get_version(self, request: Request, pipeline_id: str, version_id: str) -> Document:
        # as 20 and 23; the words are those of 24
        return found(self.versions, version_id, f"PipelineVersion {version_id} not found")

    def newest_version(self, pipeline_id: str) -> Document:
        """What a recurring run starts: storage/pipeline_store.go GetLatestPipelineVersion."""
        versions = [one for one in self.versions.values() if one["pipeline_id"] == pipeline_id]
        if not versions:
            raise Refusal(404, f"PipelineVersion {pipeline_id} not found")
        return max(versions, key=lambda one: str(one["created_at"]))

    def upload_version(self, request: Request) -> Document:
        pipeline_id, name = request.query["pipelineid"], request.query["name"]
        spec = _pipeline_spec(request.file())
        if pipeline_id not in self.pipelines:
            raise UploadRefusal(400, "Failed to create a pipeline version")  # 22
        if any((v["pipeline_id"], v["name"]) == (pipeline_id, name) for v in self.versions.values()):
            raise UploadRefusal(409, "Failed to create a pipeline version")  # 21
        version = {"pipeline_id": pipeline_id, "name": name, "display_name": name, "pipeline_spec": spec}
        version["description"] = request.query.get("description", "")
        return self._keep(self.versions, "pipeline_version_id", version)  # 20

    def list_runs(self, request: Request) -> Document:
        """Filters of runs: runAPIToModelFieldMap in model/run.go, with recurring_run_id and state."""
        experiment_id = request.query.get("experiment_id")
        if experiment_id:
            runs = [one for one in self.runs.values() if one["experiment_id"] == experiment_id]
        else:  # server/run_server.go listRuns
            namespace = self._namespace(request.query)
            runs = [one for one in self.runs.values() if self._namespace_of(one) == namespace]
        return page(request.query, "runs", runs)

    def get_run(self, request: Request, run_id: str) -> Document:
        return found(self.runs, run_id, f"Run {run_id} not found")  # 26, 10

    def create_run(self, request: Request) -> Document:
        body = request.document()
        self._namespace(self.experiments[body["experiment_id"]])
        if body["pipeline_version_reference"]["pipeline_version_id"] not in self.versions:
            raise Refusal(500, "Internal Server Error")  # 24
        made = {"scheduled_at": self._now(), "finished_at": NEVER, "storage_state": "AVAILABLE"}
        run = self._keep(self.runs, "run_id", body | made | {"state": "PENDING"})  # 25
        self.on_run(run)
        return run

    def terminate_run(self, request: Request, run_id: str) -> Document:
        run = self.get_run(request, run_id)
        if run["state"] not in CAN_END:
            raise Refusal(400, f"Failed to terminate a run {run_id}. Row not found")  # 29
        run["state"] = "CANCELING"  # 28, and 07, where nobody makes more of it
        if run_id in self.killed:
            raise Refusal(500, "Internal Server Error")  # README of the recordings, at 07
        return {}  # 27

    def start_scheduled(self, identifier: str) -> Document:
        """What the scheduler does in time: 08; ../crd/controller/scheduledworkflow/controller.go."""
        recurring = self.recurring_runs[identifier]
        reference = recurring["pipeline_version_reference"]
        newest = self.newest_version(reference["pipeline_id"])["pipeline_version_id"]
        version = {"pipeline_version_id": newest} | reference
        made = {"finished_at": NEVER, "storage_state": "AVAILABLE", "state": "RUNNING"}
        named = {"display_name": f"{recurring['display_name']}-1", "recurring_run_id": identifier}
        taken = {key: recurring[key] for key in ("experiment_id", "service_account")}
        return self._keep(self.runs, "run_id", taken | named | made | {"pipeline_version_reference": version})

    def list_recurring_runs(self, request: Request) -> Document:
        return page(request.query, "recurringRuns", self._within(request.query, self.recurring_runs))  # 35

    def get_recurring_run(self, request: Request, identifier: str) -> Document:
        return found(self.recurring_runs, identifier, f"Job {identifier} not found")  # 37, 40

    def create_recurring_run(self, request: Request) -> Document:
        body = request.document()
        cron = body["trigger"]["cron_schedule"]["cron"]
        fields = len(cron.split())
        if fields not in (5, 6):  # 33: five are taken, and mean something else
            raise Refusal(400, f"{CRON}Expected 5 to 6 fields, found {fields}: {cron}")  # 34
        self.newest_version(body["pipeline_version_reference"]["pipeline_id"])  # resource/... CreateJob
        namespace = self._namespace(self.experiments[body["experiment_id"]]) or "kubeflow"  # 30
        made = {"namespace": namespace, "status": f"{body['mode']}D", "updated_at": self._now()}
        return self._keep(self.recurring_runs, "recurring_run_id", body | made)  # 31; 32: without a version

    def switch_recurring_run(self, request: Request, identifier: str, verb: str) -> Document:
        run = self.get_recurring_run(request, identifier)  # resource/resource_manager.go ChangeJobMode
        run.update(mode=verb.upper(), status=f"{verb.upper()}D")  # 37
        return {}  # 36, 38

    def delete_recurring_run(self, request: Request, identifier: str) -> Document:
        self.get_recurring_run(request, identifier)  # resource/resource_manager.go DeleteJob
        del self.recurring_runs[identifier]
        for run_id, run in self.runs.items():  # its workflows go too; nobody tells the run: 07 and README
            if run.get("recurring_run_id") == identifier and run["state"] not in ENDED:
                self.killed.append(run_id)
        return {}  # 39

    def _namespace(self, holder: dict[str, str]) -> str:
        """The namespace that a document or a query names, if the user may use it."""
        namespace = holder.get("namespace", "")
        if not self.namespaces:
            return ""  # resource/resource_manager.go ReplaceNamespace
        if not namespace:  # server/experiment_server.go
            raise Refusal(400, "An experiment cannot have an empty namespace in multi-user mode")
        if namespace not in self.namespaces:  # resource/resource_manager.go IsAuthorized
            raise Refusal(403, f"User 'u' is not authorized with reason:  (request: Namespace:{namespace})")
        return namespace

    def _namespace_of(self, run: Document) -> str:
        return str(self.experiments[run["experiment_id"]].get("namespace", ""))

    def _within(self, query: dict[str, str], kept: Documents) -> list[Document]:
        namespace = self._namespace(query)
        return [one for one in kept.values() if not namespace or one["namespace"] == namespace]

    def _require_new(self, kind: str, key: str, body: Document, kept: Documents) -> None:
        body["namespace"] = self._namespace(body)
        if any(all(one[k] == body[k] for k in (key, "namespace")) for one in kept.values()):
            reason = f"Failed to create a new {kind}. The name {body[key]} already exists. "
            raise Refusal(409, f"{reason}Please specify a new name")

    def _now(self) -> str:
        return f"{START + timedelta(seconds=self._made):%Y-%m-%dT%H:%M:%SZ}"

    def _keep(self, kept: Documents, key: str, body: Document) -> Document:
        self._made += 1
        identifier = str(uuid.UUID(int=self._made, version=4))
        kept[identifier] = {**body, key: identifier, "created_at": self._now()}
        return kept[identifier]


@functools.cache
def _pipeline_spec(text: str) -> Document:
    """A package, as server/api_util.go YamlStringToPipelineSpecStruct returns it."""
    try:
        spec, *platform = yaml.safe_load_all(text)
        json_format.ParseDict(spec, PipelineSpec())
    except (yaml.YAMLError, json_format.ParseError, ValueError) as error:
        raise UploadRefusal(400, "unknown template format") from error  # 16
    return {"pipeline_spec": spec, "platform_spec": platform[0]} if platform else dict(spec)


ID = "([^/:]+)"
ROUTES: list[tuple[str, Callable[..., Document]]] = [
    ("GET /healthz", FakeStore.health),
    ("GET /experiments", FakeStore.list_experiments),
    ("POST /experiments", FakeStore.create_experiment),
    ("POST /pipelines", FakeStore.create_pipeline),
    ("POST /pipelines/upload_version", FakeStore.upload_version),
    (f"GET /pipelines/names/{ID}", FakeStore.get_pipeline_by_name),
    (f"GET /pipelines/{ID}/versions", FakeStore.list_versions),
    (f"GET /pipelines/{ID}/versions/{ID}", FakeStore.get_version),
    ("GET /runs", FakeStore.list_runs),
    ("POST /runs", FakeStore.create_run),
    (f"GET /runs/{ID}", FakeStore.get_run),
    (f"POST /runs/{ID}:terminate", FakeStore.terminate_run),
    ("GET /recurringruns", FakeStore.list_recurring_runs),
    ("POST /recurringruns", FakeStore.create_recurring_run),
    (f"GET /recurringruns/{ID}", FakeStore.get_recurring_run),
    (f"DELETE /recurringruns/{ID}", FakeStore.delete_recurring_run),
    (f"POST /recurringruns/{ID}:(enable|disable)", FakeStore.switch_recurring_run),
]
