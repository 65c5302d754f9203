"""Addresses of servers without the user and the password in them: for people, pages and records."""

import re

USERINFO = re.compile(r"//(?:[^/?#\s]*|[^/?#\s:@]*:(?!\d+(?:[/?#]|$))\S*)@")
"""Up to the last @ of an authority; else of a text whose password has a slash that should be %2F."""


def without_credentials(text: str) -> str:
    """The text, with the user and password of each address replaced."""
    return USERINFO.sub("//***@", text)


def as_link(address: str) -> str:
    """The address as a link may hold it: without a user, and without a slash at its end."""
    return USERINFO.sub("//", address).rstrip("/")
