"""A model registry in memory: the same interface and rules as `MlflowRegistry`."""

import shutil
import tempfile
import weakref
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from reelflow.artifacts.evaluations import Candidate
from reelflow.contracts import BundleReport
from reelflow.files import sha256_file
from reelflow.tracking.journal.store import StoredJournal
from reelflow.tracking.registry import (
    EVALUATION,
    EVALUATION_TAG,
    SHA_TAG,
    keep_evaluation,
    open_evaluation,
    origin_tags,
)
from tests.fake_reports import bundle_report


class MemoryJournals:
    """Texts that are written once, in memory."""

    def __init__(self) -> None:
        self.texts: dict[str, dict[str, str]] = {}
        self.heads: dict[str, str] = {}

    def read(self, model_name: str) -> StoredJournal:
        return StoredJournal(dict(self.texts.get(model_name, {})), self.heads.get(model_name, ""))

    def add(self, model_name: str, key: str, text: str) -> bool:
        return self.texts.setdefault(model_name, {}).setdefault(key, text) == text

    def set_head(self, model_name: str, head: str) -> None:
        self.heads[model_name] = head

    def alone(self) -> AbstractContextManager[None]:
        return nullcontext()


def registered_versions(folder: Path, model_name: str, count: int) -> "MemoryRegistry":
    """A registry with bundles of version 1 and more, each of its own data and code."""
    registry = MemoryRegistry()
    for number in range(1, count + 1):
        bundle = folder / str(number)
        bundle.mkdir()
        bundle_report(metrics={"accuracy": number / 10}).save(bundle)
        tags = {"data_hash": f"data {number}", "code_commit": f"commit {number}"}
        registry.register(bundle, model_name=model_name, tags=tags)
    return registry


class MemoryRegistry:
    """Its files are in a temporary folder that is removed with it."""

    def __init__(self) -> None:
        self._versions: dict[str, list[dict[str, str]]] = {}
        self._aliases: dict[tuple[str, str], int] = {}
        self.journals = MemoryJournals()
        self._files = Path(tempfile.mkdtemp(prefix="registry-"))
        weakref.finalize(self, shutil.rmtree, self._files)

    def register(
        self, bundle: Path, *, model_name: str, tags: Mapping[str, str], evaluation: Path | None = None
    ) -> int:
        sha256 = sha256_file(bundle / BundleReport.file_name)
        versions = self._versions.setdefault(model_name, [])
        for number, known in enumerate(versions, start=1):
            if known[SHA_TAG] == sha256:
                return number
        kept = self._kept(model_name, len(versions) + 1)
        shutil.copytree(bundle, kept / "bundle")
        versions.append({**tags, **origin_tags(bundle)} | keep_evaluation(evaluation, kept / EVALUATION))
        return len(versions)

    def set_alias(self, model_name: str, alias: str, version: int | None) -> None:
        if version is None:
            self._aliases.pop((model_name, alias), None)
        else:
            self._aliases[model_name, alias] = version

    def has(self, model_name: str, version: int) -> bool:
        return 1 <= version <= len(self._versions.get(model_name, []))

    def set_tags(self, model_name: str, version: int, tags: Mapping[str, str]) -> None:
        self._versions[model_name][version - 1].update(tags)

    def alias(self, model_name: str, alias: str) -> int | None:
        return self._aliases.get((model_name, alias))

    def tags(self, model_name: str, version: int) -> dict[str, str]:
        return dict(self._versions[model_name][version - 1])

    def bundle(self, model_name: str, version: int, folder: Path) -> Path:
        return Path(shutil.copytree(self._kept(model_name, version) / "bundle", folder / "bundle"))

    def evaluation(self, model_name: str, version: int, folder: Path) -> Candidate | None:
        sha256 = self.tags(model_name, version).get(EVALUATION_TAG)
        if sha256 is None:
            return None
        kept = self._kept(model_name, version) / EVALUATION
        return open_evaluation(Path(shutil.copytree(kept, folder / EVALUATION)), sha256)

    def forget_evaluation(self, model_name: str, version: int) -> None:
        """Make a version as those are that were registered before evaluations were kept."""
        del self._versions[model_name][version - 1][EVALUATION_TAG]

    def _kept(self, model_name: str, version: int) -> Path:
        return self._files / model_name / str(version)
