"""`python -m tests.layout_picture`: renews what docs/layout.md shows of the sources."""

import ast
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import grimp

from reelflow.params import STEPS
from reelflow.provenance.code import ROOT, imported_files

PAGE = Path("docs/layout.md")
PACKAGES = ("pipelines", "components", "reelflow")
BLOCK = re.compile(r"(<!-- begin (?P<name>\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
Imports = dict[str, set[str]]


def renewed(page: str) -> str:
    """The page with every block between its markers made from the sources."""
    return BLOCK.sub(lambda found: f"{found[1]}{BLOCKS[found['name']]()}\n{found[3]}", page)


def folder_table() -> str:
    """Every folder of the library and of the pipelines, in the words of its own docstring."""
    folders = [path.parent for top in ("reelflow", "pipelines") for path in Path(top).glob("*/__init__.py")]
    lines = ["| folder | what it holds |", "|---|---|"]
    for folder in sorted(folders):
        text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
        lines.append(f"| `{folder}/` | {text.splitlines()[0]} |")
    return "\n".join(lines)


def upper_picture() -> str:
    """The drivers and the steps; the library is one box."""

    def box_of(module: str) -> str | None:
        return "reelflow" if module.startswith("reelflow") else child_of(module)

    return mermaid(imports_between(box_of))


def library_picture() -> str:
    """The folders and files of the library."""

    def box_of(module: str) -> str | None:
        return child_of(module) if module.startswith("reelflow") else None

    return mermaid(imports_between(box_of))


def key_table() -> str:
    """For every folder of the library, the steps whose keys depend on files of it."""
    files = {step: {file.parent for file in imported_files(f"components.{step}.step")} for step in STEPS}
    folders = sorted(set().union(*files.values()))
    lines = [f"| folder | {' | '.join(STEPS)} |", f"|---{'|:-:' * len(STEPS)}|"]
    for folder in (one for one in folders if one.is_relative_to(ROOT / "reelflow")):
        marks = " | ".join("x" if folder in files[step] else "" for step in STEPS)
        lines.append(f"| `{folder.relative_to(ROOT)}/` | {marks} |")
    return "\n".join(lines)


def child_of(module: str) -> str | None:
    """The file or folder right below a package that a module is, or is in."""
    parts = module.split(".")
    return ".".join(parts[:2]) if len(parts) > 1 else None


@cache
def graph() -> grimp.ImportGraph:
    """All imports of the project."""
    return grimp.build_graph(*PACKAGES, cache_dir=None)


def imports_between(box_of: Callable[[str], str | None]) -> Imports:
    """What each box imports of the others; modules without a box are left out."""
    found: Imports = {}
    for module in graph().modules:
        if box := box_of(module):
            others = map(box_of, graph().find_modules_directly_imported_by(module))
            found.setdefault(box, set()).update(other for other in others if other and other != box)
    return found


def mermaid(imports: Imports) -> str:
    """A picture of the boxes; arrows that follow from others are left out."""

    @cache
    def reached(box: str) -> frozenset[str]:
        return frozenset(imports[box]).union(*map(reached, imports[box]))

    lines = ["```mermaid", "flowchart TD"]
    for package in PACKAGES:
        boxes = [f'{box}["{label(box)}"]' for box in sorted(imports) if box.split(".")[0] == package]
        lines += [f"subgraph {package}-package [{package}]", *boxes, "end"] if boxes[1:] else boxes
    for box in sorted(imports):
        implied = frozenset[str]().union(*map(reached, imports[box]))
        lines += [f"{box} --> {other}" for other in sorted(imports[box] - implied)]
    return "\n".join([*lines, "```"])


def label(box: str) -> str:
    """The name of a file or folder."""
    path = Path(*box.split("."))
    return f"{path.name}/" if path.is_dir() else f"{path.name}.py"


BLOCKS: dict[str, Callable[[], str]] = {
    "folders": folder_table,
    "upper": upper_picture,
    "library": library_picture,
    "keys": key_table,
}

if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
