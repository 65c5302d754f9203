"""A model registry in memory: the same interface and rules as `MlflowRegistry`."""

from collections.abc import Mapping
from pathlib import Path

from reelflow.contracts import BundleReport
from reelflow.files import sha256_file
from reelflow.stores.registry import SHA_TAG


class MemoryRegistry:
    def __init__(self) -> None:
        self._versions: dict[str, list[dict[str, str]]] = {}
        self._aliases: dict[tuple[str, str], int] = {}

    def register(self, bundle: Path, *, model_name: str, tags: Mapping[str, str]) -> int:
        sha256 = sha256_file(bundle / BundleReport.file_name)
        versions = self._versions.setdefault(model_name, [])
        for number, known in enumerate(versions, start=1):
            if known[SHA_TAG] == sha256:
                return number
        versions.append({**tags, SHA_TAG: sha256})
        return len(versions)

    def set_alias(self, model_name: str, alias: str, version: int) -> None:
        self._aliases[model_name, alias] = version

    def alias(self, model_name: str, alias: str) -> int | None:
        return self._aliases.get((model_name, alias))

    def tags(self, model_name: str, version: int) -> dict[str, str]:
        return dict(self._versions[model_name][version - 1])
