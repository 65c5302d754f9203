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
    texts = " ".join(PAGE.split(str(one), maxsplit=1)[0] for one in causes(error))
    advice = next((text for pattern, text in ADVICE if re.search(pattern, texts)), "")
    if "a page in place" in reason:
        advice = advice or PROXY
    return f"{reason}; {advice}" if advice else reason


def reason_of(error: BaseException) -> str:
    """The text of an error in one line, without credentials, statements of SQL, and pages of HTML."""
    text = str(error).split(STATEMENT)[0].strip() or type(error).__name__
    before, *page = PAGE.split(text, maxsplit=1)
    if page:
        title = TITLE.search(text)
        before += f"a page in place of MLflow's answer{f': {title[1]!r}' if title else ''}"
    plain = " ".join(without_secrets(without_credentials(before)).replace("\\n", " ").split())
    return plain if len(plain) <= MOST else f"{plain[:MOST]} …"


def without_secrets(text: str) -> str:
    """The text without what MLflow's variables hold: a library may quote a header that it refuses."""
    for name in SECRETS:
        for word in os.environ.get(name, "").split():
            text = text.replace(word, "***") if len(word) >= LEAST_SECRET else text
    return text
