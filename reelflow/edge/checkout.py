"""Files of a checkout that DVC keeps as links into its cache (`cache.type symlink`).

Elsewhere, as on a device, no file of a bundle may be a link that leads out of it.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

CONFIGS = ("config", "config.local")


def is_in_cache(target: Path, folder: Path) -> bool:
    """Whether a file is in the cache of the DVC repository that holds a folder.

    Args:
        target: resolved.
        folder: in the repository; a repository within it does not count.
    """
    repository = next(
        (found for found in folder.resolve().parents if (found / ".dvc" / "config").is_file()), None
    )
    if repository is None:
        return False
    caches = [repository / ".dvc" / "cache", *_named_caches(repository / ".dvc")]
    return any(target.is_relative_to(cache.resolve()) for cache in caches)


def _named_caches(dvc: Path) -> Iterator[Path]:
    """The cache that `dvc cache dir` has set; relative to the file that names it."""
    from configparser import Error, RawConfigParser

    for config in CONFIGS:
        parser = RawConfigParser(strict=False)
        with suppress(Error, OSError, UnicodeDecodeError):
            parser.read(dvc / config, encoding="utf-8")
            if named := parser.get("cache", "dir", fallback=""):
                yield dvc / named
