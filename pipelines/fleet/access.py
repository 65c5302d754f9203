"""Who may report for which device: one token for all devices, or one for each.

A token is the password of a request; with tokens of their own, devices show their ids as users. It is
compared in constant time, and is in no answer and no log.
"""

import base64
import hmac
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from reelflow.edge.serve.access import read_token
from reelflow.errors import ParamsError

DEVICE = re.compile(r"[A-Za-z0-9@_=-][A-Za-z0-9@._=-]{0,199}")
EXAMPLE = "(umask 077; openssl rand -hex 32 >TOKENS/DEVICE)"


@dataclass(frozen=True)
class Credentials:
    """The credentials of a request; `user` is empty for a bearer token."""

    user: str
    secret: str = field(repr=False)


class Access(Protocol):
    """Who may report for which device."""

    def is_right(self, shown: Credentials) -> bool:
        """Whether these credentials are known; asked before anything else of a request is read."""

    def may_tell(self, shown: Credentials, device: str) -> bool:
        """Whether they may speak for a device."""


class SharedToken:
    """One token for all: anybody who has it may report for any device."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def is_right(self, shown: Credentials) -> bool:
        """Whether this is the token, whatever the user."""
        return _same(shown.secret, self._secret)

    def may_tell(self, shown: Credentials, device: str) -> bool:  # noqa: ARG002
        """Always."""
        return True


class DeviceTokens:
    """A folder with a file for each device, of the device's id, which holds its token.

    Files are read at each request: a device is added, or loses its right, without a new start.
    """

    def __init__(self, folder: Path) -> None:
        """Look at the folder once.

        Raises:
            ParamsError: it cannot be read, or a file in it holds no token.
        """
        self._folder = folder
        self._nobody = secrets.token_hex()
        try:
            names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
        except OSError as error:
            raise ParamsError(
                f"--tokens {folder} cannot be read ({error.strerror}): name a folder with a file for each "
                f"device: {EXAMPLE}"
            ) from error
        for name in names:
            if not DEVICE.fullmatch(name):
                raise ParamsError(
                    f"--tokens {folder}: {name!r} is not an id of a device: expected letters, digits, @ "
                    ". _ = -"
                )
            self._token(name)

    def is_right(self, shown: Credentials) -> bool:
        """Whether this is the token of the device that the user names."""
        try:
            token = self._token(shown.user)
        except ParamsError:  # unknown, or being written
            token = self._nobody
        return _same(shown.secret, token)

    def may_tell(self, shown: Credentials, device: str) -> bool:
        """Each for itself."""
        return shown.user == device

    def _token(self, device: str) -> str:
        if not DEVICE.fullmatch(device):
            raise ParamsError("this is not an id of a device")
        return read_token(f"file:{self._folder / device}")


def credentials_of(header: str) -> Credentials | None:
    """The credentials in an `Authorization` header, Basic or Bearer; None if it is neither."""
    form, _, value = header.partition(" ")
    if form.lower() == "bearer":
        return Credentials("", value.strip())
    if form.lower() != "basic":
        return None
    try:
        user, _, secret = base64.b64decode(value, validate=True).decode(errors="replace").partition(":")
    except ValueError:  # not of base64, or not of ASCII
        return None
    return Credentials(user, secret.strip())


def _same(shown: str, secret: str) -> bool:
    return hmac.compare_digest(shown.encode(errors="replace"), secret.encode())
