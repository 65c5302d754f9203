"""Reports of devices, and receivers that start."""

import time
import urllib.error
import urllib.request

from reelflow.edge.update.agent.report import DeviceReport

NEW, OLD = "a" * 64, "b" * 64


def report(device: str, **values: object) -> DeviceReport:
    document = {
        "device": device,
        "told_at": "1970-01-01T00:00:00Z",  # it has no clock
        "version": "1",
        "architecture": "aarch64",
        "current": OLD,
        "previous": None,
        "trial": None,
        "refused": [],
        "watchers": {"door": 12.0},
        "counts": [],
    }
    return DeviceReport.model_validate(document | values)


def free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_until_ready(port: int) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).close()
        except urllib.error.URLError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the receiver does not answer")
