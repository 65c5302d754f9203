"""The web server, or somebody in front of it, behaves badly."""

import time
from itertools import product

import pytest

from reelflow.edge.update.channel.answers import Limits
from reelflow.edge.update.channel.place import parse_place
from reelflow.edge.update.channel.transport import Transport
from reelflow.errors import ChannelError
from reelflow.files import sha256_file
from tests.channel.file_server import serving
from tests.channel.fleet import LIMITS, Device
from tests.slowly import slow_but

METADATA = ("2.root.json", "timestamp.json", "3.snapshot.json", "3.targets.json")


@pytest.fixture
def offered(publisher, device, second, server):
    """A second bundle waits in the channel; gives where its `bundle.json` is."""
    publisher.rotate("root")
    publisher.publish(second)
    server.requests.clear()
    return f"files/{sha256_file(second / 'bundle.json')}"


@pytest.mark.parametrize("name", METADATA)
def test_endless_metadata(name, server, offered, refused):
    """Every length is bounded, signed where it can be."""
    server.faults[name] = "endless"
    assert "more than the" in refused()


def test_an_endless_file(server, offered, refused):
    """The signed length of each file bounds it."""
    server.faults[offered] = "endless"
    assert "more than the" in refused()


@pytest.mark.parametrize(
    ("what", "fault"),
    slow_but(
        product(("metadata", "file"), ("drip", "stall", "slow_head")),
        *(("metadata", "slow_head"), ("file", "drip")),
    ),
)
def test_slow_retrieval(fault, what, server, offered, refused):
    """A byte now and then does not hold a device: a least rate ends it, in headers too."""
    server.faults["timestamp.json" if what == "metadata" else offered] = fault
    begun = time.monotonic()
    assert "cannot be reached" in refused(may_pass=True)
    assert time.monotonic() - begun < LIMITS.attempts * (LIMITS.timeout_s + 1.5)


@pytest.mark.parametrize(
    ("what", "fault"),
    slow_but(
        product(("metadata", "file"), (500, 502, 503, "noise", "nowhere", "astray")),
        *(("metadata", 500), ("metadata", "nowhere"), ("file", "noise"), ("file", "astray")),
    ),
)
def test_a_server_that_fails_is_asked_again_after_growing_waits(
    fault, what, server, offered, device, refused
):
    path = "timestamp.json" if what == "metadata" else offered
    server.faults[path] = fault
    assert "cannot be reached" in refused(may_pass=True)
    assert len([one for one, _ in server.requests if path in one]) == LIMITS.attempts
    assert len(device.waits) == LIMITS.attempts - 1
    assert device.waits[0] < LIMITS.first_wait_s < device.waits[1] * 2


def test_a_server_that_recovers(server, offered, device):
    server.faults, server.times = {"json": 503}, {"json": 2}
    assert device.update().report.name == "thumbnail-second"
    assert len(device.waits) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_an_answer_of_4xx_is_final(status, server, offered, device, refused):
    server.faults["timestamp.json"] = status
    assert f"the answer is {status}" in refused()
    assert device.waits == []


@pytest.mark.parametrize("status", [408, 425, 429])
def test_an_answer_that_asks_for_patience_may_pass_later(status, server, offered, device, refused):
    server.faults["timestamp.json"] = status
    refused(may_pass=True)
    assert device.waits == []


def test_a_file_that_is_missing(server, offered, refused):
    """The channel came from there, so that the address is right; the next round asks it again."""
    server.faults[offered] = 404
    told = refused(may_pass=True)
    assert "holds bundle.json no more" in told
    assert "the answer is 404" in told


@pytest.mark.parametrize("name", METADATA)
def test_a_login_page_of_a_guest_network(name, server, offered, refused):
    """HTML with the status 200 is no metadata."""
    server.faults[name] = "html"
    told = refused()
    assert "is not trusted" in told
    assert "<" not in told


def test_a_login_page_in_the_place_of_a_file(server, offered, refused):
    server.faults[offered] = "html"
    assert "sends another bundle.json" in refused()


def test_redirects_in_a_circle(server, offered, refused):
    server.faults["timestamp.json"] = "loop"
    assert "too many redirects" in refused(may_pass=True)


def test_a_server_that_is_away(publisher, first, tmp_path):
    with serving(publisher.folder) as gone:
        address = gone.address
    device = Device(tmp_path / "other", publisher.root, address)
    with pytest.raises(ChannelError, match="cannot be reached") as raised:
        device.update()
    assert raised.value.may_pass
    assert "object at" not in str(raised.value)


def test_a_cut_download_is_continued(server, offered, device, second):
    """What came is kept, over attempts and over runs."""
    size = (second / "bundle.json").stat().st_size
    server.faults, server.times = {offered: "cut"}, {offered: 2}
    assert device.update().report.name == "thumbnail-second"
    asked = [part for path, part in server.requests if offered in path]
    assert asked[0] == ""
    assert asked[1] == f"bytes={size // 2}-"
    assert sum(count for path, count in server.sent.items() if offered in path) == size


def test_a_cut_download_is_continued_by_the_next_run(server, offered, device, second, refused):
    size = (second / "bundle.json").stat().st_size
    server.faults[offered] = "cut"
    refused(may_pass=True)
    server.faults.clear()
    assert device.update().report.name == "thumbnail-second"
    assert sum(count for path, count in server.sent.items() if offered in path) == size


def test_a_server_without_ranges_sends_the_file_again(server, offered, device, refused):
    server.faults[offered] = "cut"
    refused(may_pass=True)
    server.faults[offered] = "whole"
    assert device.update().report.name == "thumbnail-second"


def test_a_server_that_sends_another_part(server, offered, device, refused):
    """A part that begins elsewhere is not appended."""
    server.faults[offered] = "cut"
    refused(may_pass=True)
    server.faults[offered] = "shifted"
    assert "another part" in refused(may_pass=True)
    server.faults.clear()
    assert device.update().report.name == "thumbnail-second"


def test_a_part_that_the_disk_damaged_is_fetched_anew(server, offered, device, refused):
    server.faults[offered] = "cut"
    refused(may_pass=True)
    server.faults.clear()
    (part,) = device.versions.rglob("*.part")
    part.write_bytes(b"\0" * part.stat().st_size)
    assert device.update().report.name == "thumbnail-second"


def test_a_part_that_is_longer_than_the_file(server, offered, device, refused, second):
    server.faults[offered] = "cut"
    refused(may_pass=True)
    server.faults.clear()
    (part,) = device.versions.rglob("*.part")
    part.write_bytes(b"\0" * (2 * (second / "bundle.json").stat().st_size))
    assert device.update().report.name == "thumbnail-second"


def test_an_update_fetches_only_what_has_changed(server, offered, device, first, publisher):
    (running,) = device.versions.iterdir()
    device.update(running)
    fetched = [path for path, _ in server.requests if "/files/" in path]
    assert len(fetched) == 2  # bundle.json and SHA256SUMS


def test_a_download_keeps_to_its_rate(tmp_path):
    """A device on a metered or shared line."""
    content = b"x" * 300_000
    (tmp_path / "large").write_bytes(content)
    begun_s = time.monotonic()
    with serving(tmp_path) as server, (tmp_path / "taken").open("w+b") as file:
        transport = Transport(parse_place(server.address), Limits(most_bytes_per_s=200_000))
        transport.receive(f"{server.address}/large", file, len(content))
    assert time.monotonic() - begun_s >= 1.4
    assert (tmp_path / "taken").read_bytes() == content
