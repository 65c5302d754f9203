"""Versions of libraries: other ones may give other numbers."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version

LIBRARIES = (
    *("ai-edge-litert", "av", "keras", "numpy", "pillow"),
    *("scikit-learn", "scipy", "simplejpeg", "tensorflow"),
)


@cache
def library_versions() -> dict[str, str]:
    """Versions of the libraries that numbers come from, where installed."""
    return {name: found for name in LIBRARIES if (found := version_of(name))}


def version_of(name: str) -> str:
    """The version of an installed library, whatever its build for CPUs is called; empty for an absent one."""
    for distribution in (name, f"{name}-cpu"):
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return ""
