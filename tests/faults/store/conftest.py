"""Stores behind a proxy that spoils requests, and one beside it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from reelflow.objectstore.client import TransferPolicy
from reelflow.objectstore.s3 import S3Store
from reelflow.settings import Settings
from tests.faults.store.proxy import FaultyProxy, faulty_proxy
from tests.s3_server import BUCKET, SERVERS, credentials

PART_BYTES = 10_000
CALM = TransferPolicy(attempts=2, timeout_s=60, backoff_s=0.001, part_bytes=PART_BYTES)
HASTY = replace(CALM, timeout_s=0.4)
"""With servers that do not answer."""


@dataclass(frozen=True)
class Place:
    """Three stores of the same objects: two through a proxy, one beside it."""

    proxy: FaultyProxy
    calm: S3Store
    hasty: S3Store
    beside: S3Store


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def opened(server: str, s3_servers: Callable[[str], str]) -> Iterator[Place]:
    endpoint = s3_servers(server)
    with pytest.MonkeyPatch.context() as patch, faulty_proxy(endpoint) as proxy:
        credentials(patch)
        through, beside = Settings(s3_endpoint=proxy.endpoint), Settings(s3_endpoint=endpoint)

        def store(settings: Settings, policy: TransferPolicy) -> S3Store:
            return S3Store(BUCKET, "shared", settings, policy=policy)

        yield Place(proxy, store(through, CALM), store(through, HASTY), store(beside, CALM))


@pytest.fixture
def place(opened: Place) -> Place:
    opened.proxy.heal()
    return opened
