"""Addresses are taken apart, and nothing that may be a secret is shown."""

import pytest

from reelflow.edge.sinks.address import Address, parse_address, without_secrets
from reelflow.errors import ParamsError


@pytest.mark.parametrize(
    ("text", "shown", "user", "password"),
    [
        ("http://host/path", "http://host", None, None),
        ("https://u:p%40%3A@host:444/path?q", "https://host:444", "u", "p@:"),
        ("mqtt://u@host", "mqtt://host", "u", None),
        ("mqtts://[::1]:1/prefix", "mqtts://[::1]:1", None, None),
        ("http://u:p@q@host/", "http://host", "u", "p@q"),
    ],
)
def test_an_address_is_taken_apart(text: str, shown: str, user: str | None, password: str | None):
    address = parse_address(text)
    assert (address.shown, address.user, address.password) == (shown, user, password)
    assert "p@" not in repr(address)


@pytest.mark.parametrize(
    "text",
    [
        "http://user:secret@",
        "http://user:secret@host:port/",
        "http://user:secret@host:99999/",
        "http://user:secret@[host/",
        "http://user:secret@ho\u2100st/",
        "http://user:secret@ho st/",
        "http://user:secret@host/\n",
        "http:user:secret@host",
        "ftp://user:secret@host/secret",
        "secret@host",
        "http://secret@" + "h" * 70 + "/",
        "http:///user:secret@host",
        "hooks.example/services/secret",
        "fleet.example?token=secret",
    ],
)
def test_a_wrong_address_is_told_without_credentials(text: str):
    with pytest.raises(ParamsError) as found:
        parse_address(text)
    assert "secret" not in str(found.value)
    assert found.value.__cause__ is None
    assert found.value.__context__ is None


def test_what_is_shown_names_the_host():
    assert without_secrets("ftp://u:p@host.example/secret") == "ftp://host.example..."
    assert without_secrets("what") == "what"
    assert without_secrets("./logs/what") == "./logs/what"
    assert without_secrets("host.example/secret") == "host.example..."


def test_a_default_port_is_known():
    assert [parse_address(f"{scheme}://h").port for scheme in ("http", "https", "mqtt", "mqtts")] == [
        80, 443, 1883, 8883,
    ]  # fmt: skip
    assert isinstance(parse_address("http://h"), Address)
