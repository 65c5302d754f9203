"""What people are told of an error of MLflow: one line without secrets, and what to do next."""

import os
import re

from reelflow.errors import causes
from reelflow.sources.userinfo import without_credentials

STATEMENT = "\n[SQL:"  # what follows the reason in sqlalchemy's errors
SECRETS = ("MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_PASSWORD")
LEAST_SECRET = 4  # letters; a word that is shorter is in every text
PAGE = re.compile(r"<(?:!doctype|html|head|body|title)\b", re.IGNORECASE)
TITLE = re.compile(r"<title[^>]*>\s*([^<]{1,100})", re.IGNORECASE)
MOST = 600  # letters of a reason
PROXY = "look for a login or a proxy before MLflow, and name MLflow's own address in MLFLOW_TRACKING_URI"
ELSEWHERE = "name another file in MLFLOW_TRACKING_URI"
NEWER = f"a newer MLflow, or another program, has made it: install that MLflow, or {ELSEWHERE}"
DAMAGED = f"expected a database that MLflow has made: restore a backup of it, or {ELSEWHERE}"
IN_USE = "another process uses it (mlflow ui, a copy): end that, and run the same command again"
LOGIN = (
    "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or a new MLFLOW_TRACKING_TOKEN, of a user "
    "who may write in this experiment"
)
ADVICE = (
    (r"database is locked", IN_USE),
    (r"Can't locate revision|out-of-date database schema", NEWER),
    (
        r"not a database|malformed|no such (table|column)|unable to open database|disk I/O error",
        DAMAGED,
    ),
    (r"readonly database", f"let this user write the file and its folder, or {ELSEWHERE}"),
    (r"\b(401|403)\b|PERMISSION_DENIED|UNAUTHENTICATED|CUSTOMER_UNAUTHORIZED|Permission denied", LOGIN),
    (r"\b413\b", "let MLflow's server, and the proxy before it, take larger requests; then send it again"),
    (r"Host header", "let MLflow's server know this name: mlflow server --allowed-hosts HOST:PORT"),
    (r"No module named", "install it beside MLflow, or record through an MLflow server: http(s)://HOST"),
)


def told(error: BaseException) -> str:
    """The reason in one line, and what to do next where that is known."""
    reason = reason_of(error)
    page = PAGE.search(reason)
    if page:
        title = TITLE.search(reason)
        what = f" ({' '.join(title[1].split())!r})" if title else ""
        return f"{_cut(reason[: page.start()])} a page{what}, expected MLflow's answer: {PROXY}"
    texts = " ".join(str(one) for one in causes(error))
    advice = next((text for pattern, text in ADVICE if re.search(pattern, texts)), "")
    return f"{_cut(reason)}; {advice}" if advice else _cut(reason)


def reason_of(error: BaseException) -> str:
    """The text of an error in one line, without credentials and statements of SQL."""
    text = str(error).split(STATEMENT)[0].strip() or type(error).__name__
    return " ".join(without_secrets(without_credentials(text)).split())


def without_secrets(text: str) -> str:
    """The text without what MLflow's variables hold: a library may quote a header that it refuses."""
    for name in SECRETS:
        for word in os.environ.get(name, "").split():
            text = text.replace(word, "***") if len(word) >= LEAST_SECRET else text
    return text


def _cut(text: str) -> str:
    return text if len(text) <= MOST else f"{text[:MOST]} …"
