"""The code that a result depends on: the source files that its modules import, and the libraries.

Imports are read from the sources, and nothing is run: an image that holds one step, and lacks the libraries
of the others, finds the same files as a checkout.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from itertools import accumulate
from operator import add
from pathlib import Path

from reelflow.files import sha256_file, sha256_text
from reelflow.provenance.libraries import version_of

ROOT = Path(__file__).parent.parent.parent
MODULE = re.compile(r"(components|reelflow)(\.\w+)*")
TEMPLATES = (".css", ".j2")


@cache
def code_hash(*steps: str) -> str:
    """Hash of the source files that these steps import."""
    return _hash(imported_files(*(f"components.{step}.step" for step in steps)))


@cache
def content_code(*modules: str, libraries: tuple[str, ...]) -> str:
    """Hash of the source files that content depends on, and of the versions of these libraries.

    These are the files that the modules import from folders of the library. Files at its top hold values,
    errors and documents: a key names the values themselves, and their code may change.
    """
    versions = [f"{name} {version_of(name)}" for name in libraries]
    return sha256_text("\n".join([_hash(imported_files(*modules, top=False)), *versions]))


def imported_files(*modules: str, top: bool = True) -> set[Path]:
    """The project's source files that these modules import, directly or through others.

    The modules themselves and their packages are among them, and the templates beside them. What a function
    imports counts, and so does a module whose name is a string: registries load theirs by name.

    Args:
        modules: their dotted names.
        top: follow imports of the files at the top of the library too.
    """
    found: set[Path] = set()
    names = list(modules)
    while names:
        for file in _sources(names.pop()):
            if file not in found and (top or file.parent != ROOT / "reelflow"):
                found.add(file)
                found.update(beside for beside in file.parent.iterdir() if beside.suffix in TEMPLATES)
                names += _imports(file)
    return found


@cache
def _sources(name: str) -> tuple[Path, ...]:
    """The source files behind a dotted name: of a module and its packages, whatever it means there."""
    paths = [ROOT.joinpath(*parts) for parts in accumulate(([part] for part in name.split(".")), add)]
    files = (file for path in paths for file in (path / "__init__.py", path.with_suffix(".py")))
    return tuple(filter(Path.is_file, files))


@cache
def _imports(file: Path) -> tuple[str, ...]:
    """Names of the project's modules, and of what is in them, that a module imports or has as strings."""
    nodes = _nodes(ast.parse(file.read_bytes(), file))
    return tuple(name for node in nodes for name in _named(node) if MODULE.fullmatch(name))


def _named(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [one.name for one in names]
        case ast.ImportFrom(module=str(module), names=names):
            return [f"{module}.{one.name}" for one in names]
        case ast.Constant(value=str(text)):
            return [text]
    return []


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker sees."""
    waiting = [tree]
    while waiting:
        match node := waiting.pop():
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                waiting += node.orelse
            case _:
                yield node
                waiting += ast.iter_child_nodes(node)


def _hash(files: set[Path]) -> str:
    return sha256_text(
        "\n".join(sorted(f"{file.relative_to(ROOT).as_posix()} {sha256_file(file)}" for file in files))
    )
