"""A small receiver of reports: `POST /report`, with a shared secret, into a store."""

import base64
import binascii
import hmac

import pydantic
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from pipelines.fleet.store import MOST_BYTES, FleetStore
from reelflow.edge.update.agent.report import DeviceReport
from reelflow.errors import StorageError


def make_receiver(fleet: FleetStore, secret: str) -> Starlette:
    """The web application.

    Args:
        fleet: where reports go.
        secret: that every request shows, as a bearer token or as the password of any user.
    """

    async def receive(request: Request) -> Response:
        if not _is_right(request.headers.get("authorization", ""), secret):
            return PlainTextResponse("the token is missing or wrong\n", 401)
        if (body := await _body(request)) is None:
            return PlainTextResponse(f"a report has at most {MOST_BYTES} bytes\n", 413)
        try:
            report = DeviceReport.model_validate_json(body)
        except pydantic.ValidationError:
            return PlainTextResponse("this is not a report of this version of reelflow\n", 422)
        try:
            await run_in_threadpool(fleet.put, report)
        except StorageError:
            return PlainTextResponse("the store refuses; try again later\n", 503)
        return Response(status_code=204)

    async def health(_request: Request) -> Response:
        return PlainTextResponse("ready\n")

    routes = [Route("/report", receive, methods=["POST"]), Route("/healthz", health)]
    return Starlette(routes=routes)


async def _body(request: Request) -> bytes | None:
    """The content; None if there is too much of it."""
    content = bytearray()
    try:
        async for chunk in request.stream():
            content += chunk
            if len(content) > MOST_BYTES:
                return None
    except ClientDisconnect:
        return None
    return bytes(content)


def _is_right(shown: str, secret: str) -> bool:
    form, _, value = shown.partition(" ")
    if form.lower() == "basic":
        try:
            value = base64.b64decode(value, validate=True).decode(errors="replace").partition(":")[2]
        except binascii.Error:
            return False
    elif form.lower() != "bearer":
        return False
    return hmac.compare_digest(value.strip().encode(errors="replace"), secret.encode())
