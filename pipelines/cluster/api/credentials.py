"""The bearer token for the Kubeflow Pipelines API, as kfp's client takes it."""

import re
from pathlib import Path
from typing import Any

from kfp.client.token_credentials_base import TokenCredentialsBase, read_token_from_file

from reelflow.errors import ClusterError
from reelflow.settings import Settings

TOKEN = re.compile(r"[\x21-\x7e]+")  # what one word of an HTTP header may hold


class TokenFile(TokenCredentialsBase):  # type: ignore[misc]  # kfp carries no types
    """A file with a token, read for each request: Kubernetes replaces a token before it expires."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.read()

    def refresh_api_key_hook(self, config: Any) -> None:
        """Give the client's configuration the token that the file holds now."""
        config.api_key["authorization"] = self.read()

    def read(self) -> str:
        """The token.

        Raises:
            ClusterError: the file cannot be read or holds no token.
        """
        source = f"REELFLOW_KFP_TOKEN_FILE: {self._path}"
        try:
            return _checked(read_token_from_file(self._path), source)
        except UnicodeDecodeError:
            return _checked("", source)
        except OSError as error:
            raise ClusterError(f"{source}: {error.strerror}; name a file that can be read") from error


def client_credentials(settings: Settings) -> dict[str, Any]:
    """The arguments of `kfp.Client` for the token of the environment; a token wins over a file.

    Raises:
        ClusterError: the token cannot be read or used.
    """
    if settings.kfp_token:
        return {"existing_token": _checked(settings.kfp_token.get_secret_value(), "REELFLOW_KFP_TOKEN")}
    if settings.kfp_token_file:
        return {"credentials": TokenFile(settings.kfp_token_file)}
    return {}


def _checked(text: str, source: str) -> str:
    token = text.strip()
    if not TOKEN.fullmatch(token):
        raise ClusterError(f"{source} has no valid token: expected one word without spaces or line breaks")
    return token
