"""Lists: pages, filters, order."""

import base64
import json
from collections.abc import Callable
from urllib.parse import unquote_plus

from tests.fake_kfp.request import Document, Refusal

MISMATCH = "page token does not match the supplied sort by and/or filtering criteria"
DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 20, 200  # list/list.go


def without_empty(document: Document) -> Document:
    """As 12 has no namespace and 30 no runtime_config."""
    return {
        key: value for key, value in document.items() if value not in ("", None, [], {}, {"parameters": {}})
    }


def found(kept: dict[str, Document], identifier: str, otherwise: str) -> Document:
    if identifier not in kept:
        raise Refusal(404, otherwise)
    return kept[identifier]


def page(query: dict[str, str], key: str, items: list[Document]) -> Document:
    """One page: 08 and 09 have a token, the last page (11) has none."""
    wanted = [query.get("filter") or "", query.get("sort_by") or ""]
    start, asked = json.loads(base64.b64decode(query.get("page_token") or "") or json.dumps([0, wanted]))
    if asked != wanted:
        raise Refusal(400, MISMATCH)  # server/list_request_util.go
    all_ = sorted(filter(_predicate(wanted[0]), items), key=lambda one: str(one["created_at"]))
    if wanted[1].endswith(" desc"):
        all_.reverse()
    end = start + min(int(query.get("page_size") or DEFAULT_PAGE_SIZE), MAX_PAGE_SIZE)
    token = base64.b64encode(json.dumps([end, wanted]).encode()).decode() if end < len(all_) else ""
    return {key: [*map(without_empty, all_[start:end])], "total_size": len(all_), "next_page_token": token}


def _predicate(text: str) -> Callable[[Document], bool]:
    """The filter; decoded twice, by HTTP and by server/list_request_util.go."""
    predicates = json.loads(unquote_plus(text))["predicates"] if text else []
    equal = {"EQUALS": True, "NOT_EQUALS": False}  # filter/filter.go
    return lambda one: all(
        (one.get(p["key"], "") == p["stringValue"]) is equal[p["operation"]] for p in predicates
    )
