"""Who may ask: the token, the cookie, and the pages of other sites."""

from pathlib import Path

import pytest

from reelflow.edge.serve.access import Token, read_token
from reelflow.edge.serve.app import make_app
from reelflow.edge.serve.clips import ClipDesk
from reelflow.edge.watch.stages import StageClock
from reelflow.errors import ParamsError
from tests.reelflow.edge.serve.asgi_client import BREAKS_OFF, a_board, ask

SECRET = "0123456789abcdef-secret"


def an_app(token: Token | None):
    return make_app(a_board(), StageClock(), ClipDesk(Path("no-bundle")), token)


@pytest.fixture
def guarded():
    return an_app(Token(SECRET, 8080))


@pytest.mark.parametrize("path", ["/", "/picture", "/state", "/healthz", "/metrics", "/nothing"])
def test_nothing_is_told_without_the_token(guarded, path):
    refused = ask(guarded, path=path)
    assert refused.status == 401
    assert refused.headers["www-authenticate"].startswith("Bearer")
    assert ask(guarded, path=path, authorization=f"Bearer {SECRET}x").status == 401
    assert ask(guarded, path=path, authorization=f"Basic {SECRET}").status == 401
    assert ask(guarded, path=path, authorization=f"Bearer {SECRET}").status not in (401, 403)


def test_no_clip_is_taken_without_the_token(guarded):
    assert ask(guarded, "POST", "/classify", b"clip").status == 401


def test_a_browser_signs_in_once(guarded):
    led = ask(guarded, accept="text/html,*/*")
    assert (led.status, led.headers["location"]) == (303, "login")
    assert b'type="password"' in ask(guarded, path="/login").body
    signed = ask(guarded, "POST", "/login", f"token={SECRET}".encode(), origin="http://localhost:8080")
    assert signed.status == 303
    cookie, *attributes = signed.headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=lax"} <= set(attributes)
    assert SECRET not in signed.headers["set-cookie"]
    assert ask(guarded, path="/state", cookie=cookie).status == 200
    assert ask(guarded, path="/state", cookie=f"{cookie}0").status == 401


@pytest.mark.parametrize("body", [b"token=wrong", b"", b"\xff\xfe=%ff", f"token={SECRET}x".encode()])
def test_a_wrong_token_gives_no_cookie(guarded, body):
    refused = ask(guarded, "POST", "/login", body)
    assert refused.status == 401
    assert b"not the token" in refused.body
    assert "set-cookie" not in refused.headers


def test_a_form_that_never_ends_is_refused(guarded):
    assert ask(guarded, "POST", "/login", *[b"x" * 1000] * 5).status == 413
    assert ask(guarded, "POST", "/login", b"token=", BREAKS_OFF).status == 400


@pytest.mark.parametrize("cookie", ["=;=,", "reelflow-8080", "reelflow-8080=", "\xff=1", 'reelflow-8080="\\'])
def test_broken_cookies_are_no_cookies(guarded, cookie):
    assert ask(guarded, path="/state", cookie=cookie).status == 401


def test_another_token_ends_the_sessions_of_the_old_one(guarded):
    signed = ask(guarded, "POST", "/login", f"token={SECRET}".encode())
    other = an_app(Token(f"{SECRET}-new", 8080))
    assert ask(other, path="/state", cookie=signed.headers["set-cookie"].split(";")[0]).status == 401


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:8080", 200), ("127.0.0.1", 200), ("[::1]:80", 200), ("evil.example:8080", 400), ("", 400)],
)
def test_without_a_token_a_name_that_was_led_here_is_refused(host, status):
    assert ask(an_app(None), path="/state", host=host).status == status


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({}, False),
        ({"origin": "http://localhost:8080"}, False),
        ({"sec_fetch_site": "same-origin"}, False),
        ({"origin": "http://evil.example"}, True),
        ({"origin": "null"}, True),
        ({"origin": "http://["}, True),
        ({"origin": "http://localhost:9999"}, True),
        ({"sec_fetch_site": "cross-site"}, True),
        ({"sec_fetch_site": "same-site", "origin": "http://localhost:9999"}, True),
    ],
)
def test_a_page_of_another_site_cannot_post(headers, refused):
    told = ask(an_app(None), "POST", "/classify", **headers)
    assert (told.status == 403) == refused
    assert ask(an_app(None), path="/state", **headers).status == 200


def test_a_token_comes_from_the_environment_or_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv("PAGE_TOKEN", SECRET)
    (tmp_path / "token").write_text(f"{SECRET}\n")
    assert read_token("env:PAGE_TOKEN") == read_token(f"file:{tmp_path / 'token'}") == SECRET


@pytest.mark.parametrize(
    ("where", "told"),
    [
        (SECRET, "does not take the secret itself"),
        ("env:NO_SUCH_VARIABLE", "not set"),
        ("file:no-such-file", "cannot be read"),
        ("file:.", "cannot be read"),
        ("env:SHORT", "holds 5 characters, expected 16 to 512"),
        ("env:FOREIGN", "printable ASCII"),
    ],
)
def test_what_is_no_token_is_told_without_it(where, told, monkeypatch):
    monkeypatch.setenv("SHORT", "12345")
    monkeypatch.setenv("FOREIGN", "µ" * 20)
    with pytest.raises(ParamsError, match=told) as refused:
        read_token(where)
    assert SECRET not in str(refused.value)
