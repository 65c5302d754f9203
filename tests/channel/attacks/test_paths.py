"""Names lead nowhere but into the bundle, whoever has signed them."""

import json

import pytest
from tuf.api.metadata import TargetFile

from reelflow.edge.update.channel.documents import MAX_LISTED, BundleListing
from reelflow.errors import ChannelError
from tests.channel.fleet import Thief
from tests.slowly import slow_but

ROLES = ("targets", "snapshot", "timestamp")
PATHS = (
    "../head.tflite", "/etc/passwd", "golden/../../head.tflite", "golden//scores.npy", ".hidden",
    "golden/.hidden", "a\\b", "a b", "a\n", "", "é", "a\0b", "-/../x", "golden/", "a" * 201,
    "%2e%2e/x", "C:/x", "~root/x",
)  # fmt: skip


def offer(publisher, change) -> None:
    """Have the real keys sign a listing with a change."""
    state = publisher.repository.read()
    name = next(one for one in state.targets.signed.targets if one.startswith("bundles/"))
    folder, _, last = name.partition("/")
    (path,) = (publisher.folder / "targets" / folder).glob(f"*.{last}")
    document = json.loads(path.read_text())
    change(document)
    content = json.dumps(document).encode()
    info = TargetFile.from_data(name, content, ["sha256"])
    path.with_name(f"{info.hashes['sha256']}.{last}").write_bytes(content)
    Thief(publisher, *ROLES).sign_all(lambda targets: targets.targets.update({name: info}))


@pytest.mark.parametrize("path", slow_but(PATHS, *PATHS[::3]), ids=ascii)
def test_a_listed_path_that_leads_elsewhere(path, publisher, device, refused):
    offer(publisher, lambda listing: listing["files"][2].update(path=path))
    assert "is signed, but not understood" in refused()


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one["files"].append(one["files"][2]),
        lambda one: one["files"].append(one["files"][2] | {"path": "head.tflite/x"}),
        lambda one: one.update(files=[file for file in one["files"] if file["path"] != "bundle.json"]),
        lambda one: one.update(files=[file for file in one["files"] if file["path"] != "SHA256SUMS"]),
        lambda one: one.update(id="0" * 64),
        lambda one: one["files"][2].update(size_bytes=10**12),
        lambda one: one["files"][2].update(size_bytes=-1),
        lambda one: one.update(
            files=one["files"] + [one["files"][2] | {"path": f"f{number}"} for number in range(MAX_LISTED)]
        ),
        lambda one: one.update(unknown=1),
    ],
    ids=["twice", "file-and-folder", "no-manifest", "no-sums", "id", "huge", "negative", "many", "unknown"],
)
def test_a_listing_that_contradicts_itself(change, publisher, device, refused):
    offer(publisher, change)
    assert "is signed, but not understood" in refused()


def test_a_listing_whose_size_is_not_that_of_the_signed_file(publisher, device, refused):
    """The targets role says one size, the listing another."""
    offer(publisher, lambda listing: listing["files"][3].update(size_bytes=1))
    assert "with another size or hash" in refused()


def test_a_document_that_is_too_large(publisher, device, refused):
    offer(publisher, lambda listing: listing.update(model_name="x" * 1_000_001))
    assert "too many" in refused()


@pytest.mark.parametrize("bundle_id", ["../../root", "x", "", "0" * 64, "rollout"])
def test_a_bundle_id_that_is_none(bundle_id, device):
    """An agent that was told nonsense asks for a target that nobody has signed."""
    client = device.client
    client.refresh()
    with pytest.raises(ChannelError, match="the rollout does not name it"):
        client.listing(bundle_id)


def test_files_of_another_attempt_are_removed(publisher, device, second):
    """Nothing unlisted stays in the folder, so that nothing unlisted can be loaded."""
    listing: BundleListing = publisher.publish(second).listing
    folder = device.versions / listing.id
    (folder / "golden").mkdir(parents=True)
    (folder / "evil.tflite").write_bytes(b"x")
    (folder / "golden" / "frames.npy").symlink_to("/etc/passwd")
    bundle = device.update()
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == {file.path for file in listing.files}
    assert not bundle.path("golden/frames.npy").is_symlink()
