"""What is served: the page and its data, health, metrics, and the classification of a clip."""

import asyncio
from collections.abc import Callable, Sequence
from importlib import resources

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reelflow.edge.serve.access import AccessGate, Login, Token
from reelflow.edge.serve.board import Board
from reelflow.edge.serve.clips import ClipDesk
from reelflow.edge.serve.live import LiveCamera
from reelflow.edge.serve.metrics import CONTENT_TYPE, WatchMetrics
from reelflow.edge.serve.telling import health, page_state
from reelflow.edge.watch.stages import StageClock

THIS_MACHINE = ("localhost", "127.0.0.1", "[::1]")
FILES = {
    "index.html": "text/html",
    "login.html": "text/html",
    "page.css": "text/css",
    "page.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class PageEndpoints:
    """Answers requests from the board of the source."""

    def __init__(self, board: Board, stages: StageClock) -> None:
        """Read the files of the page."""
        self._board, self._live = board, LiveCamera(board)
        self._metrics = WatchMetrics(board.snapshot, stages)
        folder = resources.files("reelflow.edge.serve") / "page"
        self.files = {name: (folder / name).read_text(encoding="utf-8") for name in FILES}

    async def index(self, request: Request) -> Response:  # noqa: ARG002
        """The page."""
        return Response(self.files["index.html"], media_type=FILES["index.html"])

    async def file(self, request: Request) -> Response:
        """A file of the page."""
        name = request.path_params["name"]
        if name not in self.files:
            raise HTTPException(404)
        return Response(self.files[name], media_type=FILES[name])

    async def picture(self, request: Request) -> Response:
        """The newest picture and its age; 204 before the first, 304 for one that the client has."""
        newest = await asyncio.to_thread(self._live.newest)
        if newest is None:
            return Response(status_code=204)
        headers = {"etag": newest.tag, "reelflow-age-s": f"{newest.age_s:.3f}"}
        if request.headers.get("if-none-match") == newest.tag:
            return Response(status_code=304, headers=headers)
        return Response(newest.jpeg, headers=headers, media_type="image/jpeg")

    async def state(self, request: Request) -> Response:  # noqa: ARG002
        """What the page shows beside the picture."""
        return JSONResponse(page_state(self._board.snapshot()))

    async def healthz(self, request: Request) -> Response:  # noqa: ARG002
        """Whether the source is watched: 200, or 503."""
        found = health(self._board.snapshot())
        return JSONResponse(found.model_dump(mode="json"), 200 if found.status == "ok" else 503)

    async def metrics(self, request: Request) -> Response:  # noqa: ARG002
        """Figures for Prometheus."""
        return Response(self._metrics.text(), headers={"content-type": CONTENT_TYPE})


def make_app(
    board: Board,
    stages: StageClock,
    desk: ClipDesk,
    token: Token | None,
    hosts: Sequence[str] = THIS_MACHINE,
    say: Callable[[str], object] = lambda _: None,
) -> Starlette:
    """The application.

    Args:
        board: what is known of the source.
        stages: where the watcher's time goes.
        desk: classifies clips.
        token: that every request must show, if any.
        hosts: what this machine is called by those who may ask without a token.
        say: told what failed for reasons that lie here, in one line.
    """
    ends = PageEndpoints(board, stages)
    routes = [
        Route("/", ends.index),
        Route("/page/{name}", ends.file),
        Route("/picture", ends.picture),
        Route("/state", ends.state),
        Route("/healthz", ends.healthz),
        Route("/metrics", ends.metrics),
        Route("/classify", desk.classify, methods=["POST"]),
    ]
    if token:
        login = Login(token, ends.files["login.html"])
        routes += [Route("/login", login.show), Route("/login", login.take, methods=["POST"])]
        middleware = [Middleware(_Headers), Middleware(AccessGate, token=token)]
    else:
        known = Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)
        middleware = [Middleware(_Headers), known, Middleware(AccessGate, token=None)]

    async def refused(request: Request, error: Exception) -> Response:  # noqa: ARG001
        assert isinstance(error, HTTPException)
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)

    async def failed(request: Request, error: Exception) -> Response:
        say(f"{request.method} {request.url.path} failed: {error!r}")
        return JSONResponse({"error": "the request failed; the log of the service says why"}, 500)

    return Starlette(
        routes=routes, middleware=middleware, exception_handlers={HTTPException: refused, Exception: failed}
    )


class _Headers:
    """Adds to every answer what a browser may do with it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)
