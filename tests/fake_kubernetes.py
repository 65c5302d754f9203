"""The part of the Kubernetes API that a training task uses, with TrainJobs as Kubeflow Trainer has them.

Answers are those of the API server: `Status` objects for errors, 201 for what is created, 409 for what is
there. Trainer's webhook refuses a TrainJob without its runtime (pkg/runtime/core/trainingruntime.go:
ValidateObjects).
"""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import jsonschema

SCHEMAS = Path(__file__).parent / "components" / "training" / "trainjob"
KINDS = {"trainjobs": "trainjob", "trainingruntimes": "trainingruntime"}
TOKEN = "token-of-the-service-account"
FAILED = ("FailedJobs", "jobset failed due to one or more job failures")  # pkg/constants of JobSet
COMPLETED = ("AllJobsCompleted", "jobset completed successfully")
RANK = "batch.kubernetes.io/job-completion-index"
JOB_SET = "jobset.sigs.k8s.io/jobset-name"

Object = dict[str, Any]


class FakeKubernetes:
    """The server; a context manager.

    Attributes:
        objects: by kind and name.
        requests: as `POST trainjobs`.
        faults: what the next requests answer instead: a status, or "reset" for a closed connection.
        pods: by rank.
        states: what each further look at the TrainJob brings about; the last one stays.
        created: called with a new TrainJob.
    """

    def __init__(self, folder: Path) -> None:
        self.objects: dict[str, dict[str, Object]] = {kind: {} for kind in KINDS}
        self.requests: list[str] = []
        self.faults: list[int | str] = []
        self.pods: dict[int, Object] = {}
        self.states: list[Callable[[], None]] = []
        self.created: Callable[[Object], None] = lambda job: None
        self.account = folder / "account"
        self.account.mkdir(parents=True)
        (self.account / "token").write_text(TOKEN)
        handler = type("Handler", (_KubernetesHandler,), {"fake": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.host = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def end(self, kind: str, reason: tuple[str, str]) -> None:
        """Give the TrainJob a condition, as `setTrainJobStatus` copies that of the JobSet."""
        (job,) = self.objects["trainjobs"].values()
        condition = {"type": kind, "status": "True", "reason": reason[0], "message": reason[1]}
        job["status"] = {"conditions": [condition]}

    def set_pod(self, rank: int, phase: str, **status: Any) -> None:
        self.pods[rank] = {
            "metadata": {"name": f"pod-{rank}", "labels": {RANK: str(rank)}},
            "status": {"phase": phase, **status},
        }

    def answer(self, method: str, path: str, token: str, body: bytes) -> tuple[int, Object]:
        place, _, query = path.partition("?")
        parts = place.strip("/").split("/")
        if token != f"Bearer {TOKEN}":
            return _status(401, "Unauthorized")
        if parts[:3] == ["api", "v1", "namespaces"] and parts[4:] == ["pods"]:
            assert query.startswith(f"labelSelector={JOB_SET}="), query
            return 200, {"kind": "PodList", "items": list(self.pods.values())}
        assert parts[:3] == ["apis", "trainer.kubeflow.org", "v1alpha1"], path
        kind, name = parts[5], parts[6] if len(parts) > 6 else ""
        known = self.objects[kind]
        if method == "POST":
            return self._create(kind, json.loads(body))
        if name not in known:
            return _status(404, f'{kind}.trainer.kubeflow.org "{name}" not found')
        if method == "DELETE":
            del known[name]
            return 200, {"kind": "Status", "status": "Success"}
        if kind == "trainjobs" and self.states:
            (self.states.pop(0) if len(self.states) > 1 else self.states[0])()
        return (200, known[name]) if name in known else _status(404, "not found")

    def _create(self, kind: str, found: Object) -> tuple[int, Object]:
        schema = json.loads((SCHEMAS / f"{KINDS[kind]}.schema.json").read_text())
        try:
            jsonschema.validate(found, schema)
        except jsonschema.ValidationError as error:
            return _status(422, error.message)
        name = found["metadata"]["name"]
        if name in self.objects[kind]:
            return _status(409, f"{name} already exists")
        if (
            kind == "trainjobs"
            and found["spec"]["runtimeRef"]["name"] not in self.objects["trainingruntimes"]
        ):
            return _status(403, "specified trainingRuntime must be created before the TrainJob is created")
        self.objects[kind][name] = found
        if kind == "trainjobs":
            self.created(found)
        return 201, found


def _status(code: int, message: str) -> tuple[int, Object]:
    return code, {"kind": "Status", "status": "Failure", "code": code, "message": message}


class _KubernetesHandler(BaseHTTPRequestHandler):
    fake: FakeKubernetes

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.fake.requests.append(f"{self.command} {self.path.partition('?')[0].split('/namespaces/')[1]}")
        fault = self.fake.faults.pop(0) if self.fake.faults else None
        if fault == "reset":
            self.close_connection = True
            return
        token = self.headers.get("Authorization", "")
        code, found = (
            self.fake.answer(self.command, self.path, token, body)
            if fault in (None, "lost")
            else _status(int(fault), "ordered by a test")
        )
        if fault == "lost":
            self.close_connection = True
            return
        content = json.dumps(found).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = _serve

    def log_message(self, *values: object) -> None:
        """Nothing."""
