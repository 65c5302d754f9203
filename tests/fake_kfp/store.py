"""What the server holds, and how it answers."""

import base64
import email
import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote, unquote_plus

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineSpec

Document = dict[str, Any]
NEVER = "1970-01-01T00:00:00Z"  # 12, 25
START = datetime(2026, 11, 26, tzinfo=UTC)
GRPC_CODES = {400: 3, 403: 7, 404: 5, 409: 6, 500: 13}  # 34, -, 10, 13, 24
UPLOAD = "Failed to create a pipeline version"
NO_VERSION = (
    "Failed to create a new run: InternalServerError: Failed to create a run due to error fetching manifest: "
    "Failed to fetch a template due to error retrieving pipeline version: Failed to fetch a pipeline version "
    "and its manifest from pipeline version {0}: Failed to get a pipeline version with id {0}: "
    "ResourceNotFoundError: PipelineVersion {0} not found"
)
CRON = "Schedule cron is not a supported format(https://godoc.org/github.com/robfig/cron). Error: "
MISMATCH = "page token does not match the supplied sort by and/or filtering criteria"
DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 20, 200  # list/list.go


class Refusal(Exception):
    """An answer that is an error: 10, 13, 18, 34, 40; 24 where the message does not end with the reason."""

    def __init__(self, status: int, reason: str, prefix: str = "", message: str = "") -> None:
        self.status = status
        code = GRPC_CODES.get(status, 2)
        details = [{"@type": "type.googleapis.com/google.rpc.Status", "code": code, "message": reason}]
        self.document: Document = {"code": code, "message": message or prefix + reason, "details": details}


class UploadRefusal(Refusal):
    """An error of an upload: 16, 21, 22."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.document = {"error_message": reason, "error_details": reason}


@dataclass(frozen=True)
class Request:
    """What a client asked."""

    method: str
    path: str
    query: dict[str, str]
    body: bytes
    content_type: str

    def file(self) -> str:
        """The file of a multipart form."""
        form = email.message_from_bytes(f"Content-Type: {self.content_type}\n\n".encode() + self.body)
        return form.get_payload(0).get_payload(decode=True).decode()


class Store:
    """Everything on the server; tests may look and change.

    Attributes:
        namespaces: of profiles; empty for a single-user installation.
        on_run: what happens to a new run, in place of pods.
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

    def answer(self, request: Request) -> Document:
        """Carry a request out."""
        for pattern, act in ROUTES:
            found = re.fullmatch(pattern, f"{request.method} {request.path}")
            if found:
                return act(self, request, *map(unquote, found.groups()))
        raise Refusal(404, "Not Found")  # grpc-gateway

    def health(self, request: Request) -> Document:
        return {"multi_user": bool(self.namespaces), "tag_name": "2.17.0"}  # 01

    def list_experiments(self, request: Request) -> Document:
        return _page(request.query, "experiments", self._within(request.query, self.experiments))

    def create_experiment(self, request: Request) -> Document:
        body = json.loads(request.body)
        namespace, name = self._namespace(body), body["display_name"]
        if any((e["display_name"], e["namespace"]) == (name, namespace) for e in self.experiments.values()):
            prefix = "Failed to create a experiment: Already exist error: "
            reason = f"Failed to create a new experiment. The name {name} already exists. "
            raise Refusal(409, f"{reason}Please specify a new name", prefix)  # 13
        defaults = {"storage_state": "AVAILABLE", "last_run_created_at": NEVER, "namespace": namespace}
        return self._keep(self.experiments, "experiment_id", body | defaults)  # 12

    def create_pipeline(self, request: Request) -> Document:
        body = json.loads(request.body)
        namespace, name = self._namespace(body), body["name"]
        if any((p["name"], p["namespace"]) == (name, namespace) for p in self.pipelines.values()):
            reason = f"Failed to create a new pipeline. The name {name} already exists. "
            raise Refusal(409, f"{reason}Please specify a new name")  # storage/pipeline_store.go
        return self._keep(self.pipelines, "pipeline_id", body | {"namespace": namespace})  # 19

    def get_pipeline_by_name(self, request: Request, name: str) -> Document:
        namespace = self._namespace(request.query)
        for pipeline in self.pipelines.values():
            if (pipeline["name"], pipeline["namespace"]) == (name, namespace):
                return _filled(pipeline)  # 17
        where = f"with name {name} and namespace {namespace}. Check error stack.: "
        prefix = (
            f"Failed to get a pipeline {where}Failed to get a pipeline named {name} in namespace {namespace}"
        )
        reason = f"Namespace/Pipeline {namespace}/{name} not found"
        raise Refusal(404, reason, f"{prefix}: ResourceNotFoundError: ")  # 18

    def list_versions(self, request: Request, pipeline_id: str) -> Document:
        versions = [one for one in self.versions.values() if one["pipeline_id"] == pipeline_id]
        return _page(request.query, "pipeline_versions", versions)  # 23

    def upload_version(self, request: Request) -> Document:
        pipeline_id, name = request.query["pipelineid"], request.query["name"]
        spec = _pipeline_spec(request.file())
        if pipeline_id not in self.pipelines:
            raise UploadRefusal(400, UPLOAD)  # 22
        if any((v["pipeline_id"], v["name"]) == (pipeline_id, name) for v in self.versions.values()):
            raise UploadRefusal(409, UPLOAD)  # 21
        version = {"pipeline_id": pipeline_id, "name": name, "display_name": name, "pipeline_spec": spec}
        version["description"] = request.query.get("description", "")
        return self._keep(self.versions, "pipeline_version_id", version)  # 20

    def list_runs(self, request: Request) -> Document:
        experiment_id = request.query["experiment_id"]
        runs = [one for one in self.runs.values() if one["experiment_id"] == experiment_id]
        return _page(request.query, "runs", runs)

    def get_run(self, request: Request, run_id: str) -> Document:
        return _found(
            self.runs, run_id, f"Run {run_id}", f"Failed to get a run: Failed to fetch run {run_id}: "
        )

    def create_run(self, request: Request) -> Document:
        body = json.loads(request.body)
        self._namespace(self.experiments[body["experiment_id"]])
        version_id = body["pipeline_version_reference"]["pipeline_version_id"]
        if version_id not in self.versions:
            raise Refusal(500, "Internal Server Error", message=NO_VERSION.format(version_id))  # 24
        times = {"scheduled_at": self._now(), "finished_at": NEVER}
        run = {**body, **times, "state": "PENDING", "storage_state": "AVAILABLE"}
        made = self._keep(self.runs, "run_id", run)  # 25
        self.on_run(self.runs[made["run_id"]])
        return made

    def list_recurring_runs(self, request: Request) -> Document:
        return _page(request.query, "recurringRuns", self._within(request.query, self.recurring_runs))  # 35

    def get_recurring_run(self, request: Request, identifier: str) -> Document:
        prefix = "Failed to fetch a recurring run: "
        return _found(self.recurring_runs, identifier, f"Job {identifier}", prefix)  # 40

    def create_recurring_run(self, request: Request) -> Document:
        body = json.loads(request.body)
        cron = body["trigger"]["cron_schedule"]["cron"]
        if len(cron.split()) not in (5, 6):  # 33: five are taken, and mean something else
            reason = f"{CRON}Expected 5 to 6 fields, found {len(cron.split())}: {cron}"
            prefix = "Failed to create a recurring run due to conversion error: Invalid input error: "
            raise Refusal(400, reason, prefix)  # 34
        namespace = self._namespace(self.experiments[body["experiment_id"]]) or "kubeflow"  # 30
        made = {"namespace": namespace, "status": f"{body['mode']}D", "updated_at": self._now()}
        return self._keep(
            self.recurring_runs, "recurring_run_id", body | made
        )  # 30, 31; 32: without a version

    def switch_recurring_run(self, request: Request, identifier: str, verb: str) -> Document:
        run = self.get_recurring_run(request, identifier)  # resource/resource_manager.go ChangeJobMode
        mode = verb.upper()
        self.recurring_runs[identifier] = run | {"mode": mode, "status": f"{mode}D"}  # 37
        return {}  # 36, 38

    def delete_recurring_run(self, request: Request, identifier: str) -> Document:
        self.get_recurring_run(request, identifier)  # resource/resource_manager.go DeleteJob
        del self.recurring_runs[identifier]
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

    def _within(self, query: dict[str, str], kept: dict[str, Document]) -> list[Document]:
        namespace = self._namespace(query)
        return [one for one in kept.values() if not namespace or one["namespace"] == namespace]

    def _now(self) -> str:
        return f"{START + timedelta(seconds=self._made):%Y-%m-%dT%H:%M:%SZ}"

    def _keep(self, kept: dict[str, Document], key: str, body: Document) -> Document:
        self._made += 1
        identifier = str(uuid.UUID(int=self._made, version=4))
        kept[identifier] = {**body, key: identifier, "created_at": self._now()}
        return _filled(kept[identifier])


def _filled(document: Document) -> Document:
    """Empty values are left out: 12 has no namespace, 30 no runtime_config."""
    return {key: value for key, value in document.items() if value and value != {"parameters": {}}}


def _found(kept: dict[str, Document], identifier: str, what: str, prefix: str) -> Document:
    if identifier not in kept:
        raise Refusal(404, f"{what} not found", f"{prefix}ResourceNotFoundError: ")  # 10, 40
    return _filled(kept[identifier])


def _page(query: dict[str, str], key: str, items: list[Document]) -> Document:
    """One page: 08 and 09 have a token, the last page (11) has none."""
    wanted = [query.get("filter") or "", query.get("sort_by") or ""]
    start, asked = json.loads(base64.b64decode(query.get("page_token") or "") or json.dumps([0, wanted]))
    if asked != wanted:
        raise Refusal(400, MISMATCH)  # server/list_request_util.go
    found = sorted(filter(_predicate(wanted[0]), items), key=lambda one: str(one["created_at"]))
    if wanted[1].endswith(" desc"):
        found.reverse()
    end = start + min(int(query.get("page_size") or DEFAULT_PAGE_SIZE), MAX_PAGE_SIZE)
    token = base64.b64encode(json.dumps([end, wanted]).encode()).decode() if end < len(found) else ""
    answer = {key: [*map(_filled, found[start:end])], "total_size": len(found), "next_page_token": token}
    return _filled(answer)


def _predicate(text: str) -> Callable[[Document], bool]:
    """The filter; decoded twice, by HTTP and by server/list_request_util.go."""
    predicates = json.loads(unquote_plus(text))["predicates"] if text else []
    assert all(p["operation"] in ("EQUALS", 1) for p in predicates), "the fake knows no other operation"
    return lambda one: all(one[p["key"]] == p["stringValue"] for p in predicates)


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
    ("GET /healthz", Store.health),
    ("GET /experiments", Store.list_experiments),
    ("POST /experiments", Store.create_experiment),
    ("POST /pipelines", Store.create_pipeline),
    ("POST /pipelines/upload_version", Store.upload_version),
    (f"GET /pipelines/names/{ID}", Store.get_pipeline_by_name),
    (f"GET /pipelines/{ID}/versions", Store.list_versions),
    ("GET /runs", Store.list_runs),
    ("POST /runs", Store.create_run),
    (f"GET /runs/{ID}", Store.get_run),
    ("GET /recurringruns", Store.list_recurring_runs),
    ("POST /recurringruns", Store.create_recurring_run),
    (f"GET /recurringruns/{ID}", Store.get_recurring_run),
    (f"DELETE /recurringruns/{ID}", Store.delete_recurring_run),
    (f"POST /recurringruns/{ID}:(enable|disable)", Store.switch_recurring_run),
]
