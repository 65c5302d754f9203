"""Documents are checked by the openapi models, packages by the protocol buffers, as a real server would."""

import json
from types import SimpleNamespace
from typing import Any

import kfp_server_api as api
import yaml
from google.protobuf import json_format
from kfp.kubernetes.kubernetes_executor_config_pb2 import KubernetesExecutorConfig
from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineDeploymentConfig, PipelineSpec, PlatformSpec

from tests.fake_kfp.refusals import Refusal

CLIENT = api.ApiClient(api.Configuration())
INT64 = {"max_concurrency", "interval_second"}  # JSON of protocol buffers takes numbers and strings
PRIMITIVES: dict[str, Any] = {"str": str, "int": int, "float": (int, float), "bool": bool, "datetime": str}


class Invalid(Exception):
    """A document that the models do not know."""


def check_document(document: Any, model: str) -> None:
    """Unknown fields, wrong types and wrong enum values raise `Invalid`."""
    _check(document, model, model)
    response = SimpleNamespace(data=json.dumps(document))
    try:
        CLIENT.deserialize(response, model)
    except (ValueError, TypeError, api.ApiException) as error:
        raise Invalid(f"{model}: {error}") from error


def _check(value: Any, kind: str, where: str) -> None:
    if kind in PRIMITIVES:
        allowed = (str, int) if where.split(".")[-1] in INT64 else PRIMITIVES[kind]
        if not isinstance(value, allowed) or (isinstance(value, bool) and kind != "bool"):
            raise Invalid(f"{where}: {value!r} is no {kind}")
    elif kind.startswith(("list[", "dict(")):
        _check_members(value, kind, where)
    elif kind != "object":
        _check_model(value, getattr(api, kind), where)


def _check_members(value: Any, kind: str, where: str) -> None:
    is_list = kind.startswith("list[")
    if not isinstance(value, list if is_list else dict):
        raise Invalid(f"{where}: {value!r} is no {kind}")
    member = kind[5:-1] if is_list else kind.split(", ", 1)[1][:-1]
    for one in value if is_list else value.values():
        _check(one, member, where)


def _check_model(value: Any, model: Any, where: str) -> None:
    enum = getattr(model, "allowable_values", None)
    if enum:
        if value not in enum:
            raise Invalid(f"{where}: {value!r} is none of {enum}")
        return
    if not isinstance(value, dict):
        raise Invalid(f"{where}: {value!r} is no {model.__name__}")
    kinds = {model.attribute_map[name]: kind for name, kind in model.openapi_types.items()}
    unknown = sorted(set(value) - set(kinds))
    if unknown and model.openapi_types:
        raise Invalid(f'{where}: unknown field "{unknown[0]}"')
    for name, member in value.items():
        if member is not None and name in kinds:
            _check(member, kinds[name], f"{where}.{name}")


def read_package(text: str) -> dict[str, Any]:
    """The pipeline spec, as the server keeps it; raises `Invalid`."""
    try:
        documents = list(yaml.safe_load_all(text))
        spec = json_format.ParseDict(documents[0], PipelineSpec())
        platform = json_format.ParseDict(documents[1] if len(documents) > 1 else {}, PlatformSpec())
        deployment = json_format.ParseDict(
            json_format.MessageToDict(spec.deployment_spec), PipelineDeploymentConfig()
        )
        _check_platform(platform, set(deployment.executors))
    except (yaml.YAMLError, json_format.ParseError, IndexError, TypeError, AttributeError) as error:
        raise Invalid(f"no pipeline package: {error}") from error
    if len(documents) > 2 or not spec.pipeline_info.name or not spec.root.dag.tasks:
        raise Invalid("no pipeline package: a name, tasks, and one platform document at most are needed")
    _check_components(spec, set(deployment.executors))
    kept: dict[str, Any] = {"pipeline_spec": documents[0]}
    return kept | ({"platform_spec": documents[1]} if len(documents) > 1 else {})


def _check_platform(platform: PlatformSpec, executors: set[str]) -> None:
    for name, config in platform.platforms["kubernetes"].deployment_spec.executors.items():
        json_format.ParseDict(json_format.MessageToDict(config), KubernetesExecutorConfig())
        if name not in executors:
            raise Invalid(f"the platform spec names {name}, which is no executor")


def _check_components(spec: PipelineSpec, executors: set[str]) -> None:
    for name, component in spec.components.items():
        if component.executor_label and component.executor_label not in executors:
            raise Invalid(f"component {name} names {component.executor_label}, which is no executor")
    dags = [spec.root.dag, *(one.dag for one in spec.components.values())]
    for dag in dags:
        for name, task in dag.tasks.items():
            if task.component_ref.name not in spec.components:
                raise Invalid(f"task {name} names {task.component_ref.name}, which is no component")


def check_cron(text: str) -> None:
    """Six fields of what Go's robfig/cron knows; names are not looked at."""
    if len(text.split()) != 6:
        raise Refusal(400, f"Schedule cron is not a supported format. Error: Expected 6 fields, found {text}")
