"""The bearer token for the Kubeflow Pipelines API."""

import re
from pathlib import Path

from pydantic import SecretStr

from reelflow.errors import ClusterError

USABLE = re.compile(r"[\x21-\x7e]+")  # what one word of a header may hold


class Token:
    """A token; one from a file is read again when it has expired.

    Attributes:
        value: the token, or "" for none.
    """

    def __init__(self, value: SecretStr | None, file: Path | None) -> None:
        """Read it; a value goes before a file.

        Raises:
            ClusterError: it cannot be read or used.
        """
        self._file = None if value else file
        self.value = _checked(value.get_secret_value(), "REELFLOW_KFP_TOKEN") if value else self._read()

    def renew(self) -> bool:
        """Read the file again; whether it holds another token now.

        Raises:
            ClusterError: it cannot be read or used.
        """
        before, self.value = self.value, self._read() if self._file else self.value
        return self.value != before

    def _read(self) -> str:
        if self._file is None:
            return ""
        try:
            text = self._file.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise ClusterError(
                f"REELFLOW_KFP_TOKEN_FILE: {self._file}: {error.strerror}; name a file that can be read"
            ) from error
        return _checked(text, f"REELFLOW_KFP_TOKEN_FILE: {self._file}")


def _checked(text: str, where: str) -> str:
    token = text.strip()
    if not USABLE.fullmatch(token):
        raise ClusterError(f"{where} holds no token: expected one word without spaces or line breaks")
    return token
