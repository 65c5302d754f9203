"""Bundles for tests of a device's agent, and a channel that needs no signatures: a folder of bundles."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from reelflow.contracts import BundleReport
from reelflow.edge.health.document import HEALTH, WatcherHealth, uptime_s
from reelflow.edge.seal import SUMS, seal
from reelflow.edge.update.channel.documents import BundleListing, ListedFile, Rollout
from reelflow.errors import ChannelError
from reelflow.files import sha256_file
from tests.bundles import renamed_bundle


def bundle_id(folder: Path) -> str:
    return sha256_file(folder / SUMS)


def named_bundles(small: Path, folder: Path, *names: str) -> dict[str, str]:
    """Whole bundles below a folder, each in a folder of its id; their ids by name."""
    found = {}
    for name in names:
        made = renamed_bundle(small, folder / "new", name)
        found[name] = bundle_id(made)
        made.rename(folder / found[name])
    return found


def spoilt_bundle(small: Path, folder: Path) -> str:
    """A bundle whose every byte is as it says, and whose golden scores are of another network."""
    made = renamed_bundle(small, folder / "new", "spoilt")
    scores = made / "golden" / "scores.npy"
    content = bytearray(scores.read_bytes())
    content[-4:], content[-8:-4] = content[-8:-4], content[-4:]
    scores.write_bytes(content)
    _seal_again(made, "golden/scores.npy")
    found = bundle_id(made)
    made.rename(folder / found)
    return found


def with_head(small: Path, folder: Path, compute: Callable[[Any], Any]) -> Path:
    """A bundle whose every byte is as it says, with a head that computes something else."""
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    bundle = renamed_bundle(small, folder, "strange")
    head = bundle / "head.tflite"
    given = Interpreter(str(head)).get_input_details()[0]
    signature = tf.TensorSpec(given["shape"], tf.as_dtype(given["dtype"]))
    function = tf.function(compute, input_signature=[signature]).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module())
    head.write_bytes(converter.convert())
    _seal_again(bundle, "head.tflite")
    return bundle


def hungry_bundle(small: Path, folder: Path, side: int) -> Path:
    """A bundle that passes its self-test, with a head whose every answer needs 4 * side * side bytes."""
    import numpy as np
    import tensorflow as tf

    scores = [[0.5, 0.3, 0.2]]

    def compute(features: Any) -> Any:
        nothing = tf.reduce_max(tf.cast(features, tf.float32)) * 0
        many = tf.cast(nothing + side, tf.int32)
        return tf.reduce_mean(tf.fill([many, many], nothing)) + tf.constant(scores)

    bundle = with_head(small, folder, compute)
    golden = bundle / "golden" / "scores.npy"
    before = np.load(golden)
    np.save(golden, np.broadcast_to(np.asarray(scores, before.dtype), before.shape))
    _seal_again(bundle, "golden/scores.npy")
    return bundle


def _seal_again(bundle: Path, changed: str) -> None:
    """Have the records of a bundle say what a file is now."""
    manifest = bundle / BundleReport.file_name
    document = json.loads(manifest.read_text())
    file, size = document["files"][changed], (bundle / changed).stat().st_size
    document["size_bytes"] += size - file["size_bytes"]
    file.update(sha256=sha256_file(bundle / changed), size_bytes=size)
    manifest.write_text(json.dumps(document))
    seal(bundle)


class FolderChannel:
    """A channel whose bundles are folders; `reelflow.edge.update.agent.agent.Channel`.

    Attributes:
        rollout: what it says.
        fetched: names of files that were fetched, not taken from the device.
        reachable: how many files can still be fetched.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.rollout: Rollout | None = None
        self.fetched: list[str] = []
        self.reachable = 10_000

    def publish(self, bundle: str, previous: str | None = None, **values: object) -> None:
        number = self.rollout.number + 1 if self.rollout else 1
        document = {"number": number, "bundle": bundle, "previous": previous, **values}
        self.rollout = Rollout.model_validate(document)

    def refresh(self) -> Rollout:
        if self.rollout is None:
            raise ChannelError("the channel is not reachable")
        return self.rollout

    def listing(self, bundle_id: str) -> BundleListing:
        folder = self._folder / bundle_id
        files = tuple(
            ListedFile(
                path=path.relative_to(folder).as_posix(),
                sha256=sha256_file(path),
                size_bytes=path.stat().st_size,
            )
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        )
        return BundleListing(id=bundle_id, model_name="m", version=1, files=files)

    def download(self, listing: BundleListing, into: Path, have: Sequence[Path]) -> None:
        known = {sha256_file(path): path for folder in have for path in folder.rglob("*") if path.is_file()}
        for file in listing.files:
            target = into / file.path
            if target.exists() and sha256_file(target) == file.sha256:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if file.sha256 in known:
                target.write_bytes(known[file.sha256].read_bytes())
                continue
            if not self.reachable:
                raise ChannelError("the channel is not reachable")
            self.reachable -= 1
            target.write_bytes((self._folder / listing.id / file.path).read_bytes())
            self.fetched.append(file.path)


def write_health(folder: Path, bundle: str, camera: str = "door", **values: object) -> None:
    """What a watcher says."""
    document = {"bundle": bundle, "told_s": uptime_s(), **values}
    place = folder / camera
    place.mkdir(parents=True, exist_ok=True)
    (place / HEALTH).write_text(WatcherHealth.model_validate(document).to_json())
