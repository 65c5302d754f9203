"""Filters, sort orders and pages, as the server has them."""

import base64
import json
import re
from typing import Any

from tests.fake_kfp.checks import Invalid, check_document
from tests.fake_kfp.refusals import Refusal

DEFAULT_SIZE, LARGEST_SIZE = 20, 200
FIELDS = {"display_name", "name", "created_at", "id", "namespace", "state", "status", "storage_state"}
OPERATIONS = {
    1: "EQUALS",
    2: "NOT_EQUALS",
    3: "GREATER_THAN",
    5: "GREATER_THAN_EQUALS",
    6: "LESS_THAN",
    7: "LESS_THAN_EQUALS",
    8: "IN",
    9: "IS_SUBSTRING",
}

Items = list[dict[str, Any]]


def page(items: Items, query: dict[str, str], key: str) -> tuple[Items, str]:
    """One page of the items that the query asks for, and the token of the next."""
    size = int(query.get("page_size") or DEFAULT_SIZE)
    if size < 0:
        raise Refusal(400, f"The page size should be greater than 0. Got {size}")
    size = min(size or DEFAULT_SIZE, LARGEST_SIZE)
    wanted = {"sort_by": query.get("sort_by") or "", "filter": query.get("filter") or ""}
    field, descending = _order(wanted["sort_by"])
    found = [one for one in items if all(p(one) for p in _predicates(wanted["filter"]))]
    found.sort(key=lambda one: _place(one, field, key), reverse=descending)
    after = _after(query.get("page_token") or "", wanted)
    if after:
        found = [one for one in found if (_place(one, field, key) < after) == descending]
        found = [one for one in found if _place(one, field, key) != after]
    rest = found[size:]
    return found[:size], _token(wanted, _place(found[size - 1], field, key)) if rest else ""


def _place(one: dict[str, Any], field: str, key: str) -> tuple[str, str]:
    return str(one.get(field, one[key])), one[key]


def _order(sort_by: str) -> tuple[str, bool]:
    field, _, direction = (sort_by or "created_at").partition(" ")
    if field not in FIELDS or direction not in ("", "asc", "desc"):
        raise Refusal(400, f"Invalid sorting field: {sort_by!r}")
    return field, direction == "desc"


def _token(wanted: dict[str, str], after: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps([wanted, after]).encode()).decode()


def _after(token: str, wanted: dict[str, str]) -> tuple[str, str] | None:
    if not token:
        return None
    try:
        asked, after = json.loads(base64.urlsafe_b64decode(token))
    except ValueError as error:
        raise Refusal(400, "Invalid page token") from error
    if asked != wanted:
        raise Refusal(400, "page token does not match the filter or the sort order")
    return after[0], after[1]


def _predicates(text: str) -> list[Any]:
    if not text:
        return []
    try:
        document = _snake(json.loads(text))
        check_document(document, "V2beta1Filter")
    except (ValueError, Invalid) as error:
        raise Refusal(400, f"Failed to parse the filter: {error}") from error
    return [_predicate(one) for one in document["predicates"]]


def _snake(value: Any) -> Any:
    """JSON of protocol buffers takes stringValue and string_value, and enums as names and numbers."""
    if isinstance(value, list):
        return [_snake(one) for one in value]
    if not isinstance(value, dict):
        return value
    made = {re.sub(r"[A-Z]", lambda m: f"_{m[0].lower()}", name): _snake(one) for name, one in value.items()}
    if isinstance(made.get("operation"), int):
        made["operation"] = OPERATIONS.get(made["operation"])
    return made


def _predicate(predicate: dict[str, Any]) -> Any:
    key, value, operation = predicate["key"], predicate.get("string_value"), predicate["operation"]
    if key not in FIELDS:
        raise Refusal(400, f"no support for filtering on {key}")
    if operation == "EQUALS":
        return lambda one: one.get(key) == value
    if operation == "NOT_EQUALS":
        return lambda one: one.get(key) != value
    if operation == "IS_SUBSTRING":
        return lambda one: str(value).lower() in str(one.get(key, "")).lower()
    raise Refusal(400, f"the fake does not support {operation}")
