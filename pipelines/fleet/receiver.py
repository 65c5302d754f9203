"""A small receiver of reports: `POST /report`, with a token, into a store."""

import pydantic
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from pipelines.fleet.access import Access, credentials_of
from pipelines.fleet.store import MOST_BYTES, FleetStore
from reelflow.edge.update.agent.report import DeviceReport
from reelflow.errors import StorageError


def make_receiver(fleet: FleetStore, access: Access) -> Starlette:
    """The web application.

    Args:
        fleet: where reports go.
        access: who may tell what, by the token that every request shows.
    """

    async def receive(request: Request) -> Response:
        shown = credentials_of(request.headers.get("authorization", ""))
        if shown is None or not await run_in_threadpool(access.is_right, shown):
            return PlainTextResponse("the token is missing or wrong\n", 401)
        if (body := await _body(request)) is None:
            return PlainTextResponse(f"a report has at most {MOST_BYTES} bytes\n", 413)
        try:
            report = DeviceReport.model_validate_json(body)
        except pydantic.ValidationError:
            return PlainTextResponse("this is not a report of this version of reelflow\n", 422)
        if not access.may_tell(shown, report.device):
            return PlainTextResponse("the token is that of another device\n", 403)
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
    """The content; None if it is too large."""
    content = bytearray()
    try:
        async for chunk in request.stream():
            content += chunk
            if len(content) > MOST_BYTES:
                return None
    except ClientDisconnect:
        return None
    return bytes(content)
