"""Disk and network, beside what MLflow's own monitors find."""

import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

from reelflow.workers.usage.host import Traffic, disk_figures, traffic

SENT = 8_000_000
HEADING = (
    "Inter-|   Receive  |  Transmit\n face |bytes packets errs drop fifo frame compressed multicast|bytes\n"
)


def matching(ours: Callable[[], Mapping[str, float]], monitor: DiskMonitor) -> bool:
    """Whether MLflow's figures are ours, taken at one moment; others use the disk too."""
    monitor.clear_metrics()
    before = ours()
    monitor.collect_metrics()
    found = monitor.aggregate_metrics()
    return before == found == ours()


def test_disk_is_as_in_mlflow():
    monitor = DiskMonitor()
    assert any(matching(disk_figures, monitor) for _ in range(50))


@pytest.mark.skipif(not Path("/proc/self/net/dev").exists(), reason="needs Linux' /proc")
def test_network_is_as_in_mlflow():
    monitor, start = NetworkMonitor(), traffic()
    send()
    low = traffic().since(start)
    monitor.collect_metrics()
    high, found = traffic().since(start), monitor.aggregate_metrics()
    assert found.keys() == low.keys() == high.keys()
    for name, value in found.items():
        assert low[name] - 0.2 <= value <= high[name] + 0.2
        assert low[name] >= SENT / 1e6


def send() -> None:
    """Bytes to this machine itself, which psutil counts too."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        with client, server.accept()[0] as taken:
            for _ in range(SENT // 1000):
                client.sendall(b"x" * 1000)
                taken.recv(1000, socket.MSG_WAITALL)


def test_all_interfaces_count(tmp_path):
    (tmp_path / "self/net").mkdir(parents=True)
    (tmp_path / "self/net/dev").write_text(
        f"{HEADING}    lo: 100 1 0 0 0 0 0 0 200 1 0 0 0 0 0 0\n"
        "veth:0:4294967296 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0\n"
    )
    assert traffic(tmp_path) == (4294967396, 207)
    assert traffic(tmp_path / "absent") is None


def test_a_count_that_falls_tells_nothing():
    assert Traffic(5, 9).since(Traffic(6, 1)) == {}
    assert Traffic(5, 9).since(Traffic(1, 10)) == {}
    assert Traffic(5, 9).since(None) == {}
