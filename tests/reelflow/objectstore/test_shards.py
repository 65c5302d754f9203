"""Shards that one machine publishes and another one fetches, also after damage in the store."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reelflow.files import sha256_text
from reelflow.objectstore.client import TransferPolicy
from reelflow.objectstore.directory import DirectoryStore
from reelflow.objectstore.interface import ObjectStore
from reelflow.objectstore.s3 import S3Store
from reelflow.objectstore.shards import Listing, SharedShards
from reelflow.settings import Settings
from tests.s3_server import BUCKET, SERVERS, credentials

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")

KEY = sha256_text("what the shard was made from")
NAMES = ("shard.npy", "shard.json")


@pytest.fixture(scope="module", params=["directory", *SERVERS])
def store(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    s3_servers: Callable[[str], str],
) -> Iterator[ObjectStore]:
    with pytest.MonkeyPatch.context() as patch:
        credentials(patch)
        if request.param == "directory":
            yield DirectoryStore(tmp_path_factory.mktemp("store"))
        else:
            settings = Settings(s3_endpoint=s3_servers(request.param))
            yield S3Store(BUCKET, "shards", settings, policy=TransferPolicy(attempts=3, backoff_s=0.001))


@dataclass(frozen=True)
class Place:
    """Shards of a kind of their own."""

    store: ObjectStore
    folder: Path

    @property
    def shards(self) -> SharedShards:
        return SharedShards(self.store, self.folder.name)

    def publish(self, codes: str = "codes") -> None:
        """Make a shard as a step does, and publish it."""
        made = self.folder / f"made of {codes}"
        made.mkdir(exist_ok=True)
        (made / "shard.npy").write_text(codes)
        (made / "shard.json").write_text(f"note on {codes}")
        self.shards.publish(KEY, made, NAMES)

    def fetch(self) -> str | None:
        """The codes that are fetched, if any."""
        back = self.folder / "back"
        return (back / "shard.npy").read_text() if self.shards.fetch(KEY, back, NAMES) else None

    def damage(self, name: str, text: str) -> None:
        """Put other content in the place of an object."""
        name, path = f"{self.folder.name}/{name}", self.folder / "damaged"
        path.write_text(text)
        assert self.store.size_of(name) is not None
        self.store.delete(name)
        self.store.put_new(name, path)


@pytest.fixture
def place(store: ObjectStore, tmp_path: Path) -> Place:
    return Place(store, tmp_path)


def test_what_is_published_is_fetched(place, tmp_path):
    assert place.fetch() is None
    place.publish()
    assert place.fetch() == "codes"
    assert (tmp_path / "back" / "shard.json").read_text() == "note on codes"


def test_two_writers_whose_bytes_differ_leave_one_good_copy(place):
    place.publish("one")
    place.publish("two")
    assert place.fetch() == "one"


LISTING = f"{KEY}.json"
CODES = f"files/{sha256_text('codes')}"
LISTED = Listing.of(dict.fromkeys(NAMES, sha256_text("codes"))).to_json()
DAMAGE = {
    "altered file": (CODES, "other"),
    "empty file": (CODES, ""),
    "torn listing": (LISTING, LISTED[:100]),
    "empty listing": (LISTING, ""),
    "altered listing": (LISTING, LISTED.replace("shard.npy", "shard.npz")),
    "listing of other files": (LISTING, Listing.of({"other": sha256_text("codes")}).to_json()),
    "listing of files that are gone": (LISTING, Listing.of(dict.fromkeys(NAMES, "0" * 64)).to_json()),
}


@pytest.mark.parametrize(("name", "text"), DAMAGE.values(), ids=DAMAGE)
def test_damage_counts_as_none_and_the_next_writer_repairs_it(place, name, text):
    place.publish()
    place.damage(name, text)
    assert place.fetch() is None
    place.publish()
    assert place.fetch() == "codes"


def test_a_shard_made_anew_with_other_bytes_replaces_one_that_is_damaged(place):
    place.publish()
    place.damage(CODES, "other")
    assert place.fetch() is None
    place.publish("other bytes")
    assert place.fetch() == "other bytes"
