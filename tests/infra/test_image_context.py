"""What an image is built from; no engine is needed."""

import hashlib
import http.server
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Thread

import pytest

from infra.images import context
from infra.images.context import NAMES, NO_STEPS, gather_packages, has, layers, requirements

WITH_TENSORFLOW = ("conversion", "features-float", "training")
SCRIPT = "small = small:main\n"
FILES = {
    "small/__init__.py": "def main(): pass\n",
    "small/__init__.pyi": "def main() -> None: ...\n",
    "numpy/tests/test_all.py": "",
    "botocore/data/s3/service.json": "{}",
    "botocore/data/sso-oidc/service.json": "{}",
    "botocore/data/sagemaker/service.json": "{}",
    "small-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: small\nVersion: 1.0\n",
    "small-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "small-1.0.dist-info/entry_points.txt": f"[console_scripts]\n{SCRIPT}",
}


@pytest.mark.parametrize("name", NAMES)
def test_layers_hold_every_requirement_once(name: str) -> None:
    held = [package for packages in layers(name).values() for package in packages]
    assert sorted(held) == sorted(requirements(name))


@pytest.mark.parametrize("name", WITH_TENSORFLOW)
def test_tensorflow_is_in_a_layer_that_images_share(name: str) -> None:
    assert has(layers(name)["tensorflow"], "tensorflow-cpu")
    assert len({layers(other)["tensorflow"] for other in WITH_TENSORFLOW}) == 1


def test_images_share_what_every_step_needs() -> None:
    shared = {frozenset(layers(name)["common"]) for name in NAMES if name not in NO_STEPS}
    (common,) = shared
    assert all(has(common, package) for package in ("kfp", "mlflow-skinny", "numpy", "pyarrow"))
    assert not any("common" in layers(name) for name in NO_STEPS)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel that has what images leave out."""
    path = tmp_path / "small-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in FILES.items():
            archive.writestr(name, text)
        archive.writestr("small-1.0.dist-info/RECORD", "".join(f"{name},,\n" for name in FILES))
    return path


def test_packages_are_pruned(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "BUILD", tmp_path / "build")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(wheel.parent))
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    found = gather_packages("small", frozenset({f"small==1.0 --hash=sha256:{digest}"}))
    (packages,) = (found / "packages").glob("lib/python3.11/site-packages")
    held = {str(path.relative_to(packages)) for path in packages.rglob("*") if path.is_file()}
    assert FILES.keys() & held == FILES.keys() - {
        "small/__init__.pyi",
        "numpy/tests/test_all.py",
        "botocore/data/sagemaker/service.json",
    }
    assert (found / "packages/bin/small").read_text().startswith("#!/opt/venv/bin/python\n")
    assert not (found / "packages/.lock").exists()


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, Counter[str]]]:
    """An index of the files in a folder, and how often each was fetched whole."""
    fetched: Counter[str] = Counter()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            fetched[self.path] += 1
            super().do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", fetched
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("without_cache", ["0", "1"])
def test_images_that_share_a_wheel_fetch_it_once(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_cache: str
) -> None:
    monkeypatch.setattr(context, "BUILD", tmp_path / "build")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_NO_CACHE", without_cache)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (tmp_path / "wheels").mkdir()
    wheel.rename(tmp_path / "wheels" / wheel.name)
    with served(tmp_path / "wheels") as (address, fetched):
        monkeypatch.setenv("UV_FIND_LINKS", address)
        for number in range(3):  # sets of packages that differ, as those of images do
            text = f"small==1.0 ; python_version > '3.{number}' --hash=sha256:{digest}"
            gather_packages(f"image{number}", frozenset({text}))
    assert fetched[f"/{wheel.name}"] == 1
