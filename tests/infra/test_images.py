"""The content of images, and the findings of the scan; no engine is needed."""

import ast
import io
import re
import subprocess
import sys
import tarfile
from functools import cache
from pathlib import Path

import pytest

from infra.images.context import LOCKS, NAMES, NO_STEPS, locks, step_of
from infra.images.scan import LABELS, config_problems, file_problems, licence_problems, licences_of
from tests.workplace import ROOT

STEPS = [name for name in NAMES if name not in NO_STEPS]
KEY = "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEpAIBAAKCAQEAs1Zq" * 8 + "\n-----END RSA PRIVATE KEY-----\n"
DISTRIBUTIONS = {"PIL": "pillow", "mlflow": "mlflow-skinny", "sklearn": "scikit-learn", "yaml": "pyyaml"}
FOLDS = {"scikit-learn"}  # protocols cut folds with it, which these steps never ask for
FLOAT = {"h5py", "keras", "scikit-learn", "scipy", "tensorflow"}  # for backbones of features-float
DVC = {"dvc"}  # for clips in a git repository
STORE = {"boto3", "botocore"}  # only for steps that read or share shards
MODELS = {"pandas"}  # to save models of MLflow: only the release step registers one
NOT_NEEDED = {
    "evaluation": STORE,
    "dataset": FOLDS,
    "features": FLOAT,
    "frames": FOLDS | DVC,
    "frames-dvc": FOLDS,
    "release": FOLDS,
}
WITHOUT_TENSORFLOW = ("dataset", "evaluation", "features", "baselines", "frames", "mlflow", "release")


def root_file_system(name: str, content: str = "", mode: int = 0o644) -> tarfile.TarFile:
    """A clean tree with one more file."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for path, text, bits in (("etc/passwd", "root:x:0:0::/:", 0o644), (name, content, mode)):
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(text), bits
            tar.addfile(member, io.BytesIO(text.encode()))
    stream.seek(0)
    return tarfile.open(fileobj=stream)


@pytest.mark.parametrize(
    ("name", "content", "mode", "told"),
    [
        ("usr/bin/su", "", 0o4755, "setuid"),
        ("usr/bin/wall", "", 0o2755, "setgid"),
        ("app/notes.txt", "", 0o666, "world-writable"),
        ("tmp/.netrc", "machine", 0o600, "name of a secret"),
        ("app/.git/config", "[core]", 0o644, "name of a secret"),
        ("opt/.aws/credentials", "", 0o600, "name of a secret"),
        ("app/key.pem", KEY, 0o600, "holds a secret"),
        ("app/settings.py", "KEY = 'AKIAQWERTYUIOPASDFGH'", 0o644, "holds a secret"),
        ("etc/pip.conf", "[global]\nindex-url = https://user:word@host/simple", 0o644, "package index"),
        ("usr/bin/gcc-12", "", 0o755, "a tool"),
        ("opt/venv/bin/pip3.11", "", 0o755, "a tool"),
        ("opt/venv/lib/python3.11/site-packages/setuptools-80.0.dist-info/METADATA", "", 0o644, "a tool"),
    ],
)
def test_scan_refuses(tmp_path: Path, name: str, content: str, mode: int, told: str) -> None:
    with root_file_system(name, content, mode) as tar:
        (problem,) = file_problems(tar, tmp_path)
    assert name in problem
    assert told in problem


@pytest.mark.parametrize(
    ("name", "content", "mode"),
    [
        ("app/reelflow/cli.py", "print()", 0o644),
        ("tmp/notes", "", 0o666),
        ("etc/ssl/certs/ca.pem", "-----BEGIN CERTIFICATE-----\nMIIE", 0o644),
        ("opt/venv/lib/requests/docs.py", "-----BEGIN PRIVATE KEY-----\n...", 0o644),
        ("opt/venv/lib/boto/docs.json", "AKIAIOSFODNN7EXAMPLE", 0o644),
    ],
)
def test_scan_accepts(tmp_path: Path, name: str, content: str, mode: int) -> None:
    with root_file_system(name, content, mode) as tar:
        assert list(file_problems(tar, tmp_path)) == []


def config(user: str = "10001:0", *env: str, without: str = "") -> dict[str, object]:
    labels = {f"org.opencontainers.image.{label}": "x" for label in LABELS if label != without}
    return {"User": user, "Env": ["PATH=/opt/venv/bin", *env], "Labels": labels}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (config(""), "root"),
        (config("root"), "root"),
        (config("0:0"), "'0'"),
        (config("reelflow"), "expected a number"),
        (config(without="revision"), "revision is missing"),
        (config("10001", "PIP_INDEX_URL=x"), "PIP_INDEX_URL"),
        (config("10001", "AWS_SECRET_ACCESS_KEY=x"), "AWS_SECRET_ACCESS_KEY"),
        ({"User": "10001:0", "Labels": None}, "title is missing"),
    ],
)
def test_scan_refuses_settings(settings: dict[str, object], told: str) -> None:
    assert told in "\n".join(config_problems(settings))


def test_scan_accepts_settings() -> None:
    assert list(config_problems(config())) == []


def test_licences() -> None:
    sbom = {
        "components": [
            {"name": "free", "version": "1", "licenses": [{"license": {"id": "MIT"}}]},
            {"name": "strict", "version": "2", "licenses": [{"license": {"name": "GNU Affero GPL v3"}}]},
            {"name": "both", "version": "3", "licenses": [{"expression": "MIT OR AGPL-3.0-only"}]},
            {"name": "silent", "version": "4"},
        ]
    }
    licences = licences_of(sbom)
    assert ("free", "1", "MIT") in licences
    assert [problem.split()[0] for problem in licence_problems(licences)] == ["both", "silent", "strict"]


def pinned(lock: Path) -> dict[str, set[str]]:
    """Versions by package; a universal lock may have several."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(
        r"^([a-z0-9._-]+)(?:\[[^]]*\])?==([^ ;]+)", lock.read_text(), re.MULTILINE
    ):
        found.setdefault(name, set()).add(version)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_versions_are_those_of_the_laptop(name: str) -> None:
    laptop = pinned(ROOT / "requirements" / "run.txt")
    for lock in locks(name):
        here = pinned(lock)
        assert {package for package in here.keys() & laptop if not here[package] <= laptop[package]} == set()


@pytest.mark.parametrize("name", NAMES)
def test_locks_are_hashed_and_name_no_index(name: str) -> None:
    for lock in locks(name):
        text = lock.read_text()
        assert "://" not in text
        assert text.count("==") == len(
            re.findall(r"^\S+==\S+ (?:; .*)?\\\n +--hash=sha256:", text, re.MULTILINE)
        )


@pytest.mark.parametrize("name", WITHOUT_TENSORFLOW)
def test_no_tensorflow(name: str) -> None:
    assert not {"keras", "tensorflow", "tensorflow-cpu"} & pinned(LOCKS / f"{name}.txt").keys()


def test_every_step_and_input_has_a_lock() -> None:
    steps = {path.parent.name for path in (ROOT / "components").glob("*/step.py")}
    inputs = {
        path.parent.name + path.stem.removeprefix("requirements")
        for path in (ROOT / "components").glob("*/requirements*.in")
    }
    assert steps < set(STEPS)
    assert inputs == set(STEPS)


@cache
def imported(path: Path) -> frozenset[str]:
    """Modules that a file names in imports, those inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(found)


def reached(folder: Path) -> set[str]:
    """Top-level modules that the code of a folder can reach; files of the project are followed."""
    todo = list(folder.glob("*.py"))
    seen: set[Path] = set()
    found: set[str] = set()
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        for module in imported(path):
            stem = ROOT.joinpath(*module.split("."))
            own = [file for file in (stem.with_suffix(".py"), stem / "__init__.py") if file.is_file()]
            todo += [file for file in own if file not in seen]
            found.add(module.split(".")[0])
    return found - set(sys.stdlib_module_names) - {"components", "reelflow", "kfp"}


@pytest.mark.parametrize("name", STEPS)
def test_lock_has_what_the_step_imports(name: str) -> None:
    needed = {
        DISTRIBUTIONS.get(module, module.replace("_", "-"))
        for module in reached(ROOT / "components" / step_of(name))
    }
    here = {package.removesuffix("-cpu") for package in pinned(LOCKS / f"{name}.txt")}
    models = set() if name == "release" else MODELS
    assert needed - here == NOT_NEEDED.get(name, set()) | models


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["no-such"], "no image is called no-such; there are baselines, channel, conversion"),
        (["frames", "--base", "python:3.11-slim"], "name it by digest"),
    ],
)
def test_build_says_what_it_cannot(arguments: list[str], told: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "infra.images.build", *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
