"""What a client asked, and how the server refuses."""

import email
import json
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]
GRPC_CODES = {400: 3, 404: 5, 409: 6, 500: 13, 401: 16, 403: 7, 503: 14}
"""34, 10, 13, 24; the last three are of ../common/util/error.go, and HTTP's as grpc-gateway has them."""


class Refusal(Exception):
    """An answer that is an error: 10, 13, 18, 34, 40; there, more words stand before the reason."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        detail = {"code": GRPC_CODES.get(status, 2), "message": reason}
        details = [{"@type": "type.googleapis.com/google.rpc.Status", **detail}]
        self.document: Document = {**detail, "details": details}


class UploadRefusal(Refusal):
    """An error of an upload: 16, 21, 22."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.document = {"error_message": reason, "error_details": reason}


@dataclass(frozen=True)
class Request:
    """What a client asked."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def document(self) -> Document:
        document: Document = json.loads(self.body)
        return document

    def file(self) -> str:
        """The one file of a multipart form."""
        form = email.message_from_bytes(
            f"Content-Type: {self.headers['content-type']}\n\n".encode() + self.body
        )
        (part,) = form.get_payload()
        return bytes(part.get_payload(decode=True)).decode()
