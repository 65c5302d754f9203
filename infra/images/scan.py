"""Scans an image for forbidden content, and lists its packages.

An image is read in one pass, as the tar of `docker export`. The scan also writes NAME.cdx.json (the SBOM
of its Python packages, by cyclonedx-bom), NAME.licences.csv and NAME.packages.csv (Debian's packages).
"""

import csv
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any

from reelflow.errors import ReelflowError

CYCLONEDX = Path(__file__).parents[2] / "build" / "scan" / "bin" / "cyclonedx-py"
SPECIAL_BITS = 0o6000
WORLD_WRITABLE = 0o002
SCRATCH = ("tmp", "dev", "proc", "sys")
MAX_TEXT_BYTES = 1 << 18  # files with secrets are small
SECRET_NAMES = re.compile(
    r"(^|/)(\.netrc|\.pypirc|\.git-credentials|\.env|id_(rsa|dsa|ecdsa|ed25519)"
    r"|\.git/.*|\.aws/.*|\.ssh/.*|\.kube/config|\.docker/config\.json)$"
)
SECRET_TEXTS = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=\s]{64,}"
    rb"|\bAKIA(?![A-Z0-9]{9}EXAMPLE)[A-Z0-9]{16}\b"
    rb"|\bgh[pousr]_[A-Za-z0-9]{36}\b"
)
SECRET_MARKS = (
    b"-----BEGIN",
    b"AKIA",
    *(b"gh%c_" % kind for kind in b"pousr"),
)  # faster to find than the pattern above
INDEX_SETTINGS = re.compile(r"(^|/)(pip\.conf|\.?pip/pip\.conf|uv\.toml)$")
SECRET_VARIABLES = re.compile(r"PASSWORD|SECRET|TOKEN|CREDENTIAL|INDEX_URL|ACCESS_KEY")
TOOLS = re.compile(
    r"(^|/)s?bin/(apt|apt-get|pip[\d.]*|uv|gcc[-\d.]*|g\+\+[-\d.]*|cc|ld|make|git|curl|wget)$"
    r"|/(pip|setuptools|wheel|uv)-[^/]+\.dist-info/METADATA$"
)
LABELS = ("title", "version", "revision", "created", "licenses", "base.digest")
REFUSED_LICENCES = re.compile(
    r"\b(AGPL|Affero|SSPL|Server Side Public|BUSL|Business Source|Commons Clause|non-?commercial)",
    re.IGNORECASE,
)
STATED_ELSEWHERE: Mapping[str, str] = {
    "dvc-http": "Apache-2.0",
    "gto": "Apache-2.0",
    "huey": "MIT",
    "keras": "Apache-2.0",
    "namex": "Apache-2.0",
    "protobuf": "BSD-3-Clause",
    "pygit2": "GPL-2.0-only WITH GCC-exception-2.0",
}
"""Licences of packages without a licence in their metadata, read manually from their source."""


def scan(name: str, reference: str, folder: Path) -> list[str]:
    """Scan an image, and write its lists to a folder.

    Args:
        name: of the image, for the lists.
        reference: of the image in the Docker engine.
        folder: to write to.

    Returns:
        The problems.

    Raises:
        ReelflowError: the engine or the SBOM tool failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = json.loads(_output("docker", "image", "inspect", reference))[0]["Config"]
    with tempfile.TemporaryDirectory() as kept:
        problems = [*config_problems(config), *_export(reference, Path(kept))]
        sbom = folder / f"{name}.cdx.json"
        _write_sbom(Path(kept), sbom)
        _write_packages(Path(kept), folder / f"{name}.packages.csv")
    licences = licences_of(json.loads(sbom.read_text(encoding="utf-8")))
    _write_csv(folder / f"{name}.licences.csv", ("package", "version", "licence"), licences)
    return [*problems, *licence_problems(licences)]


def config_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """Problems of an image's settings."""
    user = (config.get("User") or "root").partition(":")[0]
    if not user.isdigit() or int(user) == 0:
        yield f"user is {user!r}, expected a number that is not 0"
    labels = config.get("Labels") or {}
    for label in LABELS:
        if not labels.get(f"org.opencontainers.image.{label}"):
            yield f"label org.opencontainers.image.{label} is missing"
    for variable in config.get("Env") or []:
        name = variable.partition("=")[0]
        if SECRET_VARIABLES.search(name.upper()):
            yield f"environment variable {name}: give it to the container, not to the image"


def file_problems(tar: tarfile.TarFile, kept: Path) -> Iterator[str]:
    """Problems of an image's files.

    Args:
        tar: the image's root file system.
        kept: folder for the metadata of packages.
    """
    for member in tar:
        path = str(PurePosixPath(member.name))
        yield from _mode_problems(member, path)
        if TOOLS.search(path):
            yield f"/{path}: a tool that installs or builds"
        if SECRET_NAMES.search(path) and not member.isdir():
            yield f"/{path}: the name of a secret"
        if member.isfile() and member.size <= MAX_TEXT_BYTES:
            content = tar.extractfile(member)
            yield from _content_problems(path, content.read() if content else b"", kept)


def licences_of(sbom: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Name, version and licences of every package of an SBOM; UNKNOWN without a licence."""
    return sorted(
        (part["name"], part.get("version", ""), STATED_ELSEWHERE.get(part["name"]) or _licence(part))
        for part in sbom.get("components", ())
    )


def licence_problems(licences: list[tuple[str, str, str]]) -> Iterator[str]:
    """Licences that are unknown or forbidden."""
    for package, version, licence in licences:
        if licence == "UNKNOWN":
            yield f"{package} {version}: its metadata name no licence; look it up for STATED_ELSEWHERE"
        elif REFUSED_LICENCES.search(licence):
            yield f"{package} {version}: its licence is {licence}"


def _mode_problems(member: tarfile.TarInfo, path: str) -> Iterator[str]:
    if member.mode & SPECIAL_BITS and (member.isfile() or member.isdir()):
        yield f"/{path}: setuid or setgid ({member.mode:o})"
    scratch = path.partition("/")[0] in SCRATCH
    if member.mode & WORLD_WRITABLE and not scratch and (member.isfile() or member.isdir()):
        yield f"/{path}: world-writable ({member.mode:o})"


def _content_problems(path: str, content: bytes, kept: Path) -> Iterator[str]:
    if any(mark in content for mark in SECRET_MARKS) and SECRET_TEXTS.search(content):
        yield f"/{path}: holds a secret"
    if INDEX_SETTINGS.search(path) and b"://" in content:
        yield f"/{path}: names a package index"
    if re.search(r"site-packages/[^/]+\.dist-info/", path) or path == "var/lib/dpkg/status":
        target = kept / path.rpartition("site-packages/")[2]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _licence(part: Mapping[str, Any]) -> str:
    stated = [
        entry.get("expression") or entry["license"].get("id") or entry["license"].get("name", "")
        for entry in part.get("licenses", ())
        if entry.get("license", {}).get("acknowledgement") != "concluded"
    ]
    names = {text.strip().splitlines()[0] for text in stated if text.strip()}
    return " AND ".join(sorted(names)) or "UNKNOWN"


def _export(reference: str, kept: Path) -> list[str]:
    container = _output("docker", "create", reference, "true").strip()
    try:
        command = ["docker", "export", container]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as exporting:
            problems = _read(exporting.stdout, kept)
        if exporting.returncode:
            raise ReelflowError(f"docker export of {reference} ended with {exporting.returncode}")
        return problems
    finally:
        _output("docker", "rm", container)


def _read(stream: IO[bytes] | None, kept: Path) -> list[str]:
    with tarfile.open(fileobj=stream, mode="r|") as tar:
        return list(file_problems(tar, kept))


def _write_sbom(kept: Path, target: Path) -> None:
    """Let cyclonedx-bom read the packages' metadata in an environment that holds nothing else."""
    if not CYCLONEDX.exists():
        raise ReelflowError(f"no {CYCLONEDX}: run `make images`, which installs it")
    with tempfile.TemporaryDirectory() as name:
        _output(sys.executable, "-m", "venv", "--without-pip", name)
        for packages in Path(name).glob("lib/python*/site-packages"):
            for info in kept.glob("*.dist-info"):
                info.rename(packages / info.name)
        options = [
            "--no-validate",
            "--output-reproducible",
            f"--output-file={target}",
        ]  # a test validates one
        _output(str(CYCLONEDX), "environment", *options, name)


def _write_packages(kept: Path, target: Path) -> None:
    status = kept / "var/lib/dpkg/status"
    entries = status.read_text(encoding="utf-8").split("\n\n") if status.exists() else []
    fields = [dict(re.findall(r"^(Package|Version): (.*)$", entry, re.MULTILINE)) for entry in entries]
    rows = sorted((entry["Package"], entry["Version"]) for entry in fields if "Version" in entry)
    _write_csv(target, ("package", "version"), rows)


def _write_csv(target: Path, head: tuple[str, ...], rows: list[Any]) -> None:
    with target.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([head, *rows])


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReelflowError(f"{' '.join(command[:3])} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout
