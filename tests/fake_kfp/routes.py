"""Which request does what; what goes in and out fits the models of kfp-server-api."""

import email.parser
import email.policy
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from tests.fake_kfp.checks import Invalid, check_document
from tests.fake_kfp.listing import page
from tests.fake_kfp.refusals import Refusal
from tests.fake_kfp.store import Document, Store

ID = "([^/:]+)"
KINDS = {
    "experiments": ("experiments", "V2beta1Experiment", "experiment_id"),
    "pipelines": ("pipelines", "V2beta1Pipeline", "pipeline_id"),
    "runs": ("runs", "V2beta1Run", "run_id"),
    "recurringruns": ("recurring_runs", "V2beta1RecurringRun", "recurring_run_id"),
}


@dataclass(frozen=True)
class Request:
    """What a client asked."""

    method: str
    path: str
    query: dict[str, str]
    body: bytes
    content_type: str


@dataclass(frozen=True)
class Route:
    """A request that is known.

    Attributes:
        gives: the model of the answer; "" for an empty one.
        act: gets the store, the request, and the ids in the path.
    """

    method: str
    pattern: str
    gives: str
    act: Callable[..., Document]


def dispatch(store: Store, request: Request) -> Document:
    """Carry a request out."""
    for route in ROUTES:
        found = re.fullmatch(route.pattern, request.path)
        if found and route.method == request.method:
            document = route.act(store, request, *map(unquote, found.groups()))
            check_document(document, route.gives or "object")  # a mistake of the fake itself
            return document
    raise Refusal(404, f"Not Found: {request.method} {request.path}")


def _sent(request: Request, model: str) -> Document:
    """The document of a request; unknown fields are refused, as by JSON of protocol buffers."""
    try:
        document: Document = json.loads(request.body)
        check_document(document, model)
    except (ValueError, Invalid) as error:
        raise Refusal(400, f"proto: {error}") from error
    return document


def _uploaded(request: Request) -> str:
    """The file in a multipart form."""
    head = f"Content-Type: {request.content_type}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + request.body)
    for part in message.iter_parts():
        if part.get_param("name", header="content-disposition") == "uploadfile":
            if not str(part.get_filename()).endswith((".yaml", ".yml")):
                raise Refusal(400, "Failed to read a pipeline spec file", of_upload=True)
            return bytes(part.get_payload(decode=True)).decode()
    raise Refusal(400, "Failed to read pipeline from file", of_upload=True)


def _known(document: Document, model: str) -> Document:
    """Without what the store alone knows: the namespace of a run."""
    return {k: v for k, v in document.items() if k != "namespace" or model != "V2beta1Run"}


def _page(items: list[Document], query: dict[str, str], kind: str, model: str, key: str) -> Document:
    found, token = page(items, query, key)
    listed = "recurringRuns" if kind == "recurring_runs" else kind  # as the proto spells it
    answer = {
        listed: [_known(one, model) for one in found],
        "total_size": len(items),
        "next_page_token": token,
    }
    return {name: value for name, value in answer.items() if value}  # the gateway leaves out what is empty


def _of_kind(path: str) -> list[Route]:
    """List, get and create."""
    kind, model, key = KINDS[path]

    def many(store: Store, request: Request) -> Document:
        return _page(store.listed(kind, request.query), request.query, kind, model, key)

    def one(store: Store, request: Request, identifier: str) -> Document:
        return _known(store.get(kind, identifier), model)

    def create(store: Store, request: Request) -> Document:
        made: Document = getattr(store, f"create_{kind[:-1]}")(_sent(request, model))
        return _known(made, model)

    plural = f"V2beta1List{model.removeprefix('V2beta1')}sResponse"
    return [
        Route("GET", f"/{path}", plural, many),
        Route("GET", f"/{path}/{ID}", model, one),
        Route("POST", f"/{path}", model, create),
    ]


def _health(store: Store, request: Request) -> Document:
    return {"multi_user": bool(store.namespaces)}


def _pipeline_named(store: Store, request: Request, name: str) -> Document:
    return store.pipeline_named(name, request.query.get("namespace", ""))


def _upload(store: Store, request: Request) -> Document:
    return store.upload(request.query, _uploaded(request))


def _upload_version(store: Store, request: Request) -> Document:
    return store.upload_version(request.query, _uploaded(request))


def _versions(store: Store, request: Request, pipeline_id: str) -> Document:
    model, kept = "V2beta1PipelineVersion", store.versions_of(pipeline_id)
    return _page(kept, request.query, "pipeline_versions", model, "pipeline_version_id")


def _version(store: Store, request: Request, pipeline_id: str, identifier: str) -> Document:
    return store.get("versions", identifier)


def _delete(store: Store, request: Request, identifier: str) -> Document:
    store.get("recurring_runs", identifier)
    del store.recurring_runs[identifier]
    return {}


def _switch(store: Store, request: Request, identifier: str, verb: str) -> Document:
    store.switch(identifier, verb.upper())
    return {}


ROUTES = [
    Route("GET", "/healthz", "V2beta1GetHealthzResponse", _health),
    Route("POST", "/pipelines/upload", "V2beta1Pipeline", _upload),
    Route("POST", "/pipelines/upload_version", "V2beta1PipelineVersion", _upload_version),
    Route("GET", f"/pipelines/names/{ID}", "V2beta1Pipeline", _pipeline_named),
    Route("GET", f"/pipelines/{ID}/versions", "V2beta1ListPipelineVersionsResponse", _versions),
    Route("GET", f"/pipelines/{ID}/versions/{ID}", "V2beta1PipelineVersion", _version),
    Route("POST", f"/recurringruns/{ID}:(enable|disable)", "", _switch),
    Route("DELETE", f"/recurringruns/{ID}", "", _delete),
    *(route for path in KINDS for route in _of_kind(path)),
]
