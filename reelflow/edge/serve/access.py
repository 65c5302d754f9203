"""Who may ask: without a token programs and pages of this machine, else who shows the token.

A page of another site may send requests to `127.0.0.1` from the browser of whoever looks at it:

- it may make its own name lead to 127.0.0.1 (DNS rebinding) and read the answers: without a token, the Host
  header must name this machine;
- it may post without reading: what a browser calls cross-site is refused, by the rule of Go's
  `http.CrossOriginProtection`.

A browser shows the token once, in a form, and then a cookie that is made from it: no secret is in an address,
which histories and logs keep.
"""

import hashlib
import hmac
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from reelflow.edge.watch.service import given
from reelflow.errors import ParamsError

SHORTEST, LONGEST = 16, 512
MOST_LOGIN_BYTES = 4096
COOKIE_DAYS = 30
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
PUBLIC = ("/login", "/page/")
PROBLEM = "<!-- problem -->"
WRONG = '<p role="alert" class="problem">This is not the token of this device.</p>'
ADVICE = "name env:NAME or file:PATH, with a secret such as `openssl rand -hex 32` prints"


def read_token(where: str) -> str:
    """The token that an option names.

    Args:
        where: `env:NAME` or `file:PATH`; a secret on the command line could be seen by every user.

    Raises:
        ParamsError: it names none, or one that is too short.
    """
    form, _, name = where.partition(":")
    if form == "env":
        token = given(where)
    elif form == "file":
        token = _read(Path(name))
    else:
        raise ParamsError(f"--token does not take the secret itself, which every user could see: {ADVICE}")
    token = token.strip()
    if not (token.isascii() and token.isprintable() and SHORTEST <= len(token) <= LONGEST):
        raise ParamsError(
            f"--token {where} holds {len(token)} characters, expected {SHORTEST} to {LONGEST} of printable "
            f"ASCII: {ADVICE}"
        )
    return token


def _read(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(2 * LONGEST)
    except OSError as error:
        raise ParamsError(f"--token file:{path} cannot be read ({error.strerror}): {ADVICE}") from error


class Token:
    """The secret, compared in constant time, and the cookie that is made from it."""

    def __init__(self, secret: str, port: int) -> None:
        """The cookie's name holds the port: browsers tell no ports of one host apart."""
        self._secret = secret.encode()
        self.cookie = f"reelflow-{port}"
        self._value = hmac.new(self._secret, b"reelflow page", hashlib.sha256).hexdigest()

    def is_shown(self, headers: Mapping[str, str]) -> bool:
        """Whether a request shows the token or the cookie."""
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self.is_right(shown.strip())
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return False
        return cookie is not None and hmac.compare_digest(cookie.value.encode(), self._value.encode())

    def is_right(self, shown: str) -> bool:
        """Whether this is the token."""
        return hmac.compare_digest(shown.encode(errors="replace"), self._secret)

    def set_cookie(self, response: Response, *, secure: bool) -> None:
        """Let a browser show the cookie from now on."""
        response.set_cookie(
            self.cookie,
            self._value,
            max_age=COOKIE_DAYS * 86400,
            httponly=True,
            samesite="lax",
            secure=secure,
        )


class AccessGate:
    """Lets requests through that may ask."""

    def __init__(self, app: ASGIApp, token: Token | None) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on."""
        refused = self._refusal(scope)
        await (refused or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if scope["method"] not in SAFE_METHODS and is_cross_site(headers):
            return JSONResponse({"error": "requests from pages of other sites are refused"}, 403)
        if self._token is None or scope["path"].startswith(PUBLIC) or self._token.is_shown(headers):
            return None
        if scope["path"] == "/" and "text/html" in headers.get("accept", ""):
            return RedirectResponse("login", 303)
        told = "send the token: Authorization: Bearer TOKEN"
        return JSONResponse({"error": told}, 401, {"WWW-Authenticate": 'Bearer realm="reelflow"'})


def is_cross_site(headers: Mapping[str, str]) -> bool:
    """Whether a browser says that a page of another site asks."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site not in ("same-origin", "none")
    try:
        return origin is not None and urlsplit(origin).netloc != headers.get("host")
    except ValueError:  # it is no address
        return True


class Login:
    """The form in which a browser shows the token."""

    def __init__(self, token: Token, page: str) -> None:
        """Take the page with the form."""
        self._token, self._page = token, page

    async def show(self, request: Request) -> Response:  # noqa: ARG002
        """The form."""
        return HTMLResponse(self._page)

    async def take(self, request: Request) -> Response:
        """Take the token of a form."""
        body = b""
        try:
            async for part in request.stream():
                body += part
                if len(body) > MOST_LOGIN_BYTES:
                    return JSONResponse({"error": "this is no token"}, 413)
        except ClientDisconnect:
            return Response(status_code=400)
        shown = parse_qs(body.decode(errors="replace")).get("token", [""])[0].strip()
        if not self._token.is_right(shown):
            return HTMLResponse(self._page.replace(PROBLEM, WRONG), 401)
        response = RedirectResponse(".", 303)
        self._token.set_cookie(response, secure=request.url.scheme == "https")
        return response
