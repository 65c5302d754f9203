"""The objects of a team, against Trainer's own schemas and Kubernetes's."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from components.training.trainjob.manifest import addresses, train_job, training_runtime
from tests.fake_worker_pods import OWNER, worker_pods
from tests.infra.kubernetes.manifests import Pods
from tests.infra.kubernetes.policies import (
    gains_no_privileges,
    has_no_capabilities,
    has_seccomp,
    mounts_no_token,
    root_is_read_only,
    runs_as_numbered_user,
)

FOLDER = Path(__file__).parent
MINIMAL = {"secrets": (), "node_selector": {}, "tolerations": (), "claims": {}}


def schema_of(kind: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{kind}.schema.json").read_text())


@pytest.mark.parametrize("changes", [{}, MINIMAL], ids=["all", "minimal"])
def test_trainer_and_kubernetes_accept_them(changes):
    pods = worker_pods(**changes)
    job, runtime = train_job(pods, OWNER, 2), training_runtime(pods, OWNER)
    jsonschema.validate(plain(job), schema_of("trainjob"))
    jsonschema.validate(plain(runtime), schema_of("trainingruntime"))
    (node,) = runtime["spec"]["template"]["spec"]["replicatedJobs"]
    batch = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x"}, **node["template"]}
    kubernetes_validate.validate(plain({**batch, "metadata": {"name": "x"}}), "1.31", strict=True)


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("trainjob", ("spec", "trainer", "numNodes"), "2"),
        ("trainjob", ("spec", "trainer", "nodes"), 2),
        ("trainjob", ("spec", "runtimeRef", "name"), ""),
        ("trainingruntime", ("spec", "mlPolicy", "numNode"), 1),
        ("trainingruntime", ("spec", "template", "spec", "failurePolicy", "maxRestarts"), "0"),
    ],
)
def test_the_schemas_notice_what_is_wrong(kind, path, value):
    pods = worker_pods()
    made = plain(train_job(pods, OWNER, 2) if kind == "trainjob" else training_runtime(pods, OWNER))
    place = made
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(made, schema_of(kind))


def test_they_are_what_was_looked_at():
    pods = worker_pods()
    made = [plain(training_runtime(pods, OWNER)), plain(train_job(pods, OWNER, 2))]
    assert made == list(yaml.safe_load_all((FOLDER / "team.golden.yaml").read_text()))


def test_the_workers_pods_keep_to_the_policies_of_all_pods():
    runtime = training_runtime(worker_pods(), OWNER)
    (node,) = runtime["spec"]["template"]["spec"]["replicatedJobs"]
    template = node["template"]["spec"]["template"]
    job = {"kind": "Job", "metadata": {"name": "x"}, "spec": {"template": template}}
    assert Pods("x", "", template["metadata"]["labels"], template["spec"])
    for policy in (
        gains_no_privileges,
        has_no_capabilities,
        has_seccomp,
        mounts_no_token,
        root_is_read_only,
        runs_as_numbered_user,
    ):
        assert not list(policy([job]))


def test_workers_are_called_by_the_names_of_a_job_set():
    """<trainJob>-node-0-<index>.<trainJob>: pkg/runtime/framework/plugins/jobset of Trainer."""
    assert addresses("team", 2) == ["team-node-0-0.team:2222", "team-node-0-1.team:2222"]


def plain(made: Any) -> Any:
    """As it is after the wire."""
    return json.loads(json.dumps(made))
