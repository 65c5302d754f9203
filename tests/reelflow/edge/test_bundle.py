"""A damaged or hostile bundle is refused with a message that says what is wrong."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reelflow.edge.bundle import GOLDEN, HEAD, MAX_BUNDLE_BYTES, MAX_FILES, MAX_MANIFEST_BYTES, open_bundle
from reelflow.edge.seal import RECORDS, SUMS, seal
from reelflow.errors import BundleError

MANIFEST = "bundle.json"


@pytest.fixture
def bundle(small_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_bundle, tmp_path / "bundle"))


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads((folder / MANIFEST).read_text())
    change(document)
    (folder / MANIFEST).write_text(json.dumps(document))
    seal(folder)


def list_as(folder: Path, name: str, content: bytes) -> None:
    """Put a file into the bundle and list it truthfully."""

    def change(document: dict[str, Any]) -> None:
        old = document["files"].get(name, {"size_bytes": 0})["size_bytes"]
        document["files"][name] = {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
        document["size_bytes"] += len(content) - old

    (folder / name).write_bytes(content)
    edit(folder, change)


def rename_entry(folder: Path, name: str) -> None:
    edit(folder, lambda document: document["files"].update({name: document["files"][HEAD]}))


def flip_a_byte(folder: Path) -> None:
    content = bytearray((folder / HEAD).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / HEAD).write_bytes(content)


def claim(folder: Path, size_bytes: int, total: int | None = None) -> None:
    def change(document: dict[str, Any]) -> None:
        document["files"][HEAD]["size_bytes"] = size_bytes
        if total is not None:
            document["size_bytes"] = total

    edit(folder, change)


def claim_too_much(folder: Path) -> None:
    others = json.loads((folder / MANIFEST).read_text())
    rest = others["size_bytes"] - others["files"][HEAD]["size_bytes"]
    claim(folder, MAX_BUNDLE_BYTES, MAX_BUNDLE_BYTES + rest)


def replace_by_link_out(folder: Path) -> None:
    shutil.move(folder / HEAD, folder.parent / "elsewhere")
    (folder / HEAD).symlink_to(folder.parent / "elsewhere")


def link_manifest_out(folder: Path) -> None:
    shutil.move(folder / MANIFEST, folder.parent / MANIFEST)
    (folder / MANIFEST).symlink_to(folder.parent / MANIFEST)


def replace_by_pipe(folder: Path) -> None:
    (folder / HEAD).unlink()
    os.mkfifo(folder / HEAD)


def replace_by_folder(folder: Path) -> None:
    (folder / HEAD).unlink()
    (folder / HEAD).mkdir()


def list_many(folder: Path) -> None:
    entry = {"sha256": "0" * 64, "size_bytes": 0}
    edit(folder, lambda d: d["files"].update({f"f{i}": entry for i in range(MAX_FILES)}))


def truncate(folder: Path) -> None:
    text = (folder / MANIFEST).read_text()
    (folder / MANIFEST).write_text(text[: len(text) // 2])


TAMPERINGS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a byte of a file flipped": (flip_a_byte, "head.tflite has been altered"),
    "a file cut off": (lambda f: os.truncate(f / HEAD, 100), "has 100 bytes, expected"),
    "a file missing": (lambda f: (f / HEAD).unlink(), "head.tflite is missing"),
    "no manifest": (lambda f: (f / MANIFEST).unlink(), "bundle.json is missing"),
    "a manifest that is a folder": (
        lambda f: ((f / MANIFEST).unlink(), (f / MANIFEST).mkdir()),
        "is not a regular file",
    ),
    "a manifest cut off": (truncate, "bundle.json has been altered"),
    "a manifest of random bytes": (lambda f: (f / MANIFEST).write_bytes(b"\xff\x00" * 9), "has been altered"),
    "an empty manifest": (lambda f: (f / MANIFEST).write_bytes(b""), "has been altered"),
    "a manifest nested too deep": (lambda f: (f / MANIFEST).write_bytes(b"[" * 100_000), "has been altered"),
    "a huge manifest": (lambda f: os.truncate(f / MANIFEST, MAX_MANIFEST_BYTES + 1), "not read"),
    "a manifest that leads out": (link_manifest_out, "leads out of the bundle"),
    "an unknown schema_version": (lambda f: edit(f, lambda d: d.update(schema_version=2)), "schema_version"),
    "an unknown name": (lambda f: edit(f, lambda d: d.update(command="rm")), "command"),
    "a field missing": (lambda f: edit(f, lambda d: d.pop("labels")), "labels"),
    "no labels": (lambda f: edit(f, lambda d: d.update(labels=[])), "no labels"),
    "a label twice": (lambda f: edit(f, lambda d: d.update(labels=["a", "a", "b"])), "duplicate ones"),
    "a path that leads up": (lambda f: rename_entry(f, "../head.tflite"), "expected plain names"),
    "a path that leads up inside": (lambda f: rename_entry(f, "golden/../../x"), "expected plain names"),
    "an absolute path": (lambda f: rename_entry(f, "/etc/passwd"), "expected plain names"),
    "a drive": (lambda f: rename_entry(f, "C:\\head.tflite"), "expected plain names"),
    "an empty name": (lambda f: rename_entry(f, ""), "expected plain names"),
    "a name with a zero": (lambda f: rename_entry(f, "head\0.tflite"), "expected plain names"),
    "a name with a line end": (lambda f: rename_entry(f, "head.tflite\n"), "expected plain names"),
    "a size that is wrong": (lambda f: claim(f, 7), "expected the same number"),
    "a huge size": (claim_too_much, "expected the same number, at most"),
    "a negative size": (lambda f: claim(f, -1), "is not a valid"),
    "too many files": (list_many, "a bundle has at most"),
    "no head listed": (lambda f: edit(f, lambda d: d["files"].pop(HEAD)), "does not list head.tflite"),
    "no golden listed": (lambda f: edit(f, lambda d: d["files"].pop(GOLDEN[0])), "does not list golden/"),
    "no backbone listed": (
        lambda f: edit(f, lambda d: d.update(backbone_quantization="int8")),
        "does not list backbone.tflite",
    ),
    "a backbone that should not be": (
        lambda f: list_as(f, "backbone.tflite", b"TFL3"),
        "says that its backbone has no network",
    ),
    "an unlisted model": (lambda f: (f / "golden" / "x.tflite").write_bytes(b""), "is not listed"),
    "a link that leads out": (replace_by_link_out, "leads out of the bundle"),
    "a pipe": (replace_by_pipe, "is not a regular file"),
    "a folder for a file": (replace_by_folder, "is not a regular file"),
}


@pytest.mark.parametrize("case", TAMPERINGS)
def test_a_tampered_bundle_is_refused(bundle: Path, case: str):
    tamper, message = TAMPERINGS[case]
    tamper(bundle)
    with pytest.raises(BundleError) as caught:
        open_bundle(bundle)
    assert message in str(caught.value)


def test_a_whole_bundle_opens(small_bundle: Path):
    bundle = open_bundle(small_bundle)
    assert bundle.folder == small_bundle
    assert bundle.path(HEAD).stat().st_size == bundle.report.files[HEAD].size_bytes


def test_a_bundle_opens_through_a_link_to_its_folder(small_bundle: Path, tmp_path: Path):
    (tmp_path / "link").symlink_to(small_bundle)
    assert open_bundle(tmp_path / "link").report == open_bundle(small_bundle).report


def test_files_that_are_no_models_may_lie_beside(bundle: Path):
    (bundle / "letter").write_text("dear")
    assert open_bundle(bundle).is_sealed


def with_records(bundle: Path) -> Path:
    for name in RECORDS:
        (bundle / name).write_text(json.dumps({name: [1, 2, 3]}))
    seal(bundle)
    return bundle


def flipped(path: Path, place: int, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_flipped_bit_of_any_file_passes(bundle: Path, data: st.DataObject):
    with_records(bundle)
    names = sorted(path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file())
    path = bundle / data.draw(st.sampled_from(names))
    sound = path.read_bytes()
    flipped(path, data.draw(st.integers(0, len(sound) - 1)), data.draw(st.integers(0, 7)))
    try:
        with pytest.raises(BundleError):
            open_bundle(bundle)
    finally:
        path.write_bytes(sound)
    open_bundle(bundle)


@pytest.mark.parametrize("missing", [RECORDS, RECORDS[:1], RECORDS[1:]])
def test_a_device_may_lack_the_records(bundle: Path, missing: tuple[str, ...]):
    with_records(bundle)
    for name in missing:
        (bundle / name).unlink()
    assert open_bundle(bundle).is_sealed


def test_a_record_that_no_sum_covers_is_refused(bundle: Path):
    (bundle / "lineage.json").write_text("{}")
    with pytest.raises(BundleError, match=r"has no sum of lineage\.json: copy the whole bundle again"):
        open_bundle(bundle)


def test_a_bundle_of_an_older_version_opens_and_says_so(bundle: Path):
    with_records(bundle)
    (bundle / SUMS).unlink()
    assert not open_bundle(bundle).is_sealed


@pytest.mark.parametrize("path", ["missing", "a-file"])
def test_what_is_no_folder_is_refused(tmp_path: Path, path: str):
    (tmp_path / "a-file").write_text("")
    with pytest.raises(BundleError, match="is not a bundle"):
        open_bundle(tmp_path / path)


def npy(shape: str, descr: str = "|u1", payload: bytes = b"") -> bytes:
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + payload


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not npy",
        b"PK\x03\x04",
        b"PK\x05\x06" + bytes(18),
        npy("(10**9,)"),
        npy("(1000000000000,)"),
        npy("(-4,)"),
        npy("(9,)", "|O", bytes(80)),
    ],
)
def test_an_array_that_is_none_is_refused(bundle: Path, content: bytes):
    (bundle / GOLDEN[0]).write_bytes(content)
    with pytest.raises(BundleError, match=r"golden/frames\.npy is"):
        open_bundle_unchecked(bundle).array(GOLDEN[0])


def open_bundle_unchecked(folder: Path):
    list_as(folder, GOLDEN[0], (folder / GOLDEN[0]).read_bytes())
    return open_bundle(folder)


def test_arrays_are_read(small_bundle: Path):
    assert open_bundle(small_bundle).array("golden/frames.npy").dtype == np.uint8
