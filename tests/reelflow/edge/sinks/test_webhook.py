"""Messages reach a real server, through all that servers do; credentials are never shown."""

import base64
import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from reelflow.edge.sinks import delivery
from reelflow.edge.sinks.address import parse_address
from reelflow.edge.sinks.delivery import RefusedError, UndeliveredError
from reelflow.edge.sinks.open import open_sink
from reelflow.edge.sinks.spooled import encoded
from reelflow.edge.sinks.webhook import Webhook, idempotency_key
from tests.certificates import certificate_in
from tests.sink_messages import event, reading, source, wait_for
from tests.webhook_server import WebhookServer, serving

BODY = encoded(event())


@pytest.fixture
def server() -> Iterator[WebhookServer]:
    with serving() as server:
        yield server


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(
        delivery.Deliverer.__init__, "__kwdefaults__", {"first_wait_s": 0.01, "longest_wait_s": 0.02}
    )


def test_events_and_states_arrive_in_order_and_answers_do_not(server: WebhookServer, tmp_path: Path):
    sink = open_sink(server.address, tmp_path, "porch")
    messages = [source("connected"), event(1), event(1, "update"), event(1, "end"), source()]
    for message in messages:
        sink.send(message)
        sink.send(reading())
    sink.close(20)
    assert server.taken == [encoded(message) for message in messages]
    assert (sink.failures, sink.lost) == (0, 0)
    path, headers = server.requests[0]
    assert (path, headers["Content-Type"]) == ("/hook?a=b%20c", "application/json")


def test_all_kinds_of_failures_pass(server: WebhookServer, tmp_path: Path):
    server.plan = [500, 503, 429, 408, "cut", "noise", 0.01]
    sink = open_sink(server.address, tmp_path, "porch")
    sink.send(event(1))
    sink.send(event(2))
    wait_for(lambda: len(server.taken) == 2)
    sink.close(20)
    assert (sink.failures, sink.lost) == (7, 0)
    assert [json.loads(body)["id"] for body in server.taken] == ["e-1", "e-2"]
    keys = [headers["Idempotency-Key"] for _, headers in server.requests]
    assert len(set(keys[:8])) == 1
    assert keys[8] != keys[0]


def test_a_message_is_taken_while_the_server_stalls(server: WebhookServer, tmp_path: Path):
    server.plan = ["hold"]
    sink = open_sink(server.address, tmp_path, "porch")
    for number in range(100):
        sink.send(event(number))
    assert (server.taken, sink.waiting) == ([], 100)
    server.free.set()
    sink.close(20)
    assert len(server.taken) == 100


def test_a_server_that_stalls_is_given_up_in_time(server: WebhookServer):
    server.plan = [2.0]
    with pytest.raises(UndeliveredError, match="no answer in time"):
        Webhook(parse_address(server.address), timeout_s=0.1).deliver(BODY)


def test_a_server_that_is_not_there_keeps_the_messages_for_the_next_start(tmp_path: Path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    sink = open_sink(f"http://127.0.0.1:{port}/", tmp_path, "porch")
    sink.send(event())
    wait_for(lambda: sink.failures)
    assert "refused" in sink.problem
    sink.close(20)
    again = open_sink(f"http://127.0.0.1:{port}/", tmp_path, "porch")
    assert again.waiting == 1
    again.close(20)


def test_another_password_finds_what_waits(server: WebhookServer, tmp_path: Path):
    server.authorization = "Basic " + base64.b64encode("üser:new p@ss".encode()).decode()
    wrong = open_sink(server.address.replace("//", "//%C3%BCser:old@"), tmp_path, "porch")
    wrong.send(event())
    wait_for(lambda: wrong.failures)
    assert "401: check user and password" in wrong.problem
    assert "old" not in wrong.problem + wrong.name + repr(wrong.__dict__)
    wrong.close(20)
    right = open_sink(server.address.replace("//", "//%C3%BCser:new%20p%40ss@"), tmp_path, "porch")
    wait_for(lambda: server.taken)
    right.close(20)
    assert server.taken == [encoded(event())]


def test_a_refused_message_is_lost_in_the_end(server: WebhookServer, tmp_path: Path):
    server.plan = [400] * delivery.REFUSALS
    sink = open_sink(server.address, tmp_path, "porch")
    sink.send(event(1))
    sink.send(event(2))
    wait_for(lambda: server.taken)
    sink.close(20)
    assert (sink.lost, server.taken) == (1, [encoded(event(2))])


def test_a_redirect_is_not_followed_and_told_without_credentials(server: WebhookServer):
    server.plan = [307]
    with pytest.raises(RefusedError, match=r"redirect to http://127.0.0.1") as found:
        Webhook(parse_address(server.address)).deliver(BODY)
    assert "secret" not in str(found.value)
    assert len(server.requests) == 1


def test_proxies_of_the_environment_are_not_used(server: WebhookServer, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    Webhook(parse_address(server.address)).deliver(BODY)
    assert server.taken == [BODY]


def test_neither_path_nor_query_is_shown(tmp_path: Path):
    sink = open_sink("http://u:pw@127.0.0.1:1/services/secret?token=secret", tmp_path, "porch")
    sink.send(event())
    wait_for(lambda: sink.problem)
    sink.close(20)
    assert sink.name == "http://127.0.0.1:1"
    assert not any(part in sink.problem for part in ("secret", "pw", "u:"))


def test_updates_of_an_event_have_keys_of_their_own():
    first, second = event(1, "update"), event(1, "update").model_copy(update={"score": 0.1})
    keys = {
        idempotency_key(encoded(message)) for message in (first, second, event(1, "end"), source(), event(2))
    }
    assert len(keys) == 5
    assert idempotency_key(encoded(first)) == idempotency_key(encoded(first))
    assert idempotency_key(encoded(first)).startswith("e-1-update-")
    strange = event().model_copy(update={"id": 'a"\r\nb'})
    assert idempotency_key(encoded(strange)).isprintable()


def test_a_certificate_must_be_known(server: WebhookServer, tmp_path: Path, monkeypatch):
    certificate, key = certificate_in(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    address = parse_address(server.address.replace("http://127.0.0.1", "https://u:pw@localhost"))
    with pytest.raises(UndeliveredError, match="certificate"):
        Webhook(address).deliver(BODY)
    assert not server.requests
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    Webhook(address).deliver(BODY)
    assert server.taken == [BODY]


@pytest.mark.parametrize("answer", ["drip", "continue"])
def test_an_answer_without_an_end_is_given_up(server: WebhookServer, answer: str):
    server.plan = [answer]
    hook = Webhook(parse_address(server.address), timeout_s=5, whole_s=0.3)
    with pytest.raises(UndeliveredError, match="no answer in time"):
        hook.deliver(BODY)
    hook.deliver(BODY)
    assert server.taken == [BODY]


@pytest.mark.parametrize(
    "location", ["/hook/secret/", "secret/", "//[secret", "//other.example/secret?a=secret"]
)
def test_a_path_that_a_redirect_names_is_not_shown(server: WebhookServer, location: str):
    server.plan, server.location = [308], location
    with pytest.raises(RefusedError, match="308 with a redirect to http://") as refused:
        Webhook(parse_address(server.address)).deliver(BODY)
    assert "secret" not in str(refused.value)
