"""How the server says no: google.rpc.Status behind a gateway, or the upload handler's own document."""

from typing import Any

GRPC_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 429: 8, 500: 13, 501: 12, 502: 14, 503: 14, 504: 4}


class Refusal(Exception):
    def __init__(self, status: int, message: str, *, of_upload: bool = False) -> None:
        super().__init__(message)
        self.status, self.message, self.of_upload = status, message, of_upload

    def document(self) -> dict[str, Any]:
        if self.of_upload:
            return {"error_message": self.message, "error_details": self.message}
        return {"code": GRPC_CODES[self.status], "message": self.message, "details": []}
