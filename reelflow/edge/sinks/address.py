"""Addresses of sinks that are on a network, with user and password in them; neither is ever shown."""

import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from reelflow.commandline import printable
from reelflow.errors import ParamsError

PORTS = {"http": 80, "https": 443, "mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True)
class Address:
    """An address in its parts. A path or a query may be a secret too, as in the webhooks of chat services."""

    scheme: str
    host: str
    port: int
    path: str = field(repr=False)
    query: str = field(repr=False)
    user: str | None = field(repr=False)
    password: str | None = field(repr=False)

    @property
    def shown(self) -> str:
        """For messages to people."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"


def without_secrets(address: str) -> str:
    """What can be shown of any text that somebody may have meant as an address."""
    scheme, colon, rest = address.partition(":")
    if not colon and "@" in address:
        return "..."
    if not colon:  # a path, or a host whose scheme is missing
        name = address if address.startswith(("/", ".")) else re.split("[/?#]", address)[0]
        return printable(name if name == address else f"{name}...")
    host = re.match(r"(//)?([^/?#]*@)?([\w.-]*)", rest)
    shown = host[3] if host and host[1] else ""
    return printable(f"{scheme}://{shown}..." if shown else f"{scheme}:...")


def parse_address(address: str) -> Address:
    """Take an address apart.

    Raises:
        ParamsError: it is not of this form; told without user, password, path and query.
    """
    parts, port = _split(address)
    if not parts or not parts.hostname or parts.scheme not in PORTS:
        expected = "SCHEME://[USER:PASSWORD@]HOST[:PORT]/..., each of user and password percent-encoded"
        raise ParamsError(f"{without_secrets(address)} is not an address: expected {expected}")
    user, password = (None if text is None else unquote(text) for text in (parts.username, parts.password))
    return Address(
        parts.scheme, parts.hostname, port or PORTS[parts.scheme], parts.path, parts.query, user, password
    )


def _split(address: str) -> tuple[SplitResult | None, int | None]:
    if not address.isprintable() or " " in address:
        return None, None
    try:
        parts = urlsplit(address)
        port = parts.port
        (parts.hostname or "").encode("idna")  # as the socket will
    except ValueError:  # its text may show the password
        return None, None
    return parts, port
