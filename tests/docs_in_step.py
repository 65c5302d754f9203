"""`python -m tests.docs_in_step`: fails where the docs and the code have drifted apart.

Relative links lead somewhere, the README names every step, every make target has a help line, a decision
has the number of its file, docs/README.md lists every page, and docs/layout.md shows the imports of today.
(That the README works is what tests/test_readme.py shows.)
"""

import re
import sys
from pathlib import Path

from reelflow.params import load_params
from tests.layout_picture import PAGE, renewed

LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")


def broken_links() -> list[str]:
    """Relative links that lead nowhere."""
    documents = [*Path().glob("*.md"), *Path("docs").rglob("*.md"), *Path("components").rglob("*.md")]
    return [
        f"{document}: link to {target}, which does not exist"
        for document in documents
        for target in LINK.findall(document.read_text(encoding="utf-8"))
        if not (document.parent / target).exists()
    ]


def unmentioned_steps() -> list[str]:
    """Steps that the README does not name."""
    readme = Path("README.md").read_text(encoding="utf-8")
    steps = sorted(path.parent.name for path in Path("components").glob("*/step.py"))
    return [f"README.md does not mention the step {step}" for step in steps if f"`{step}`" not in readme]


def unhelpful_targets() -> list[str]:
    """Make targets without a help line."""
    makefile = Path("Makefile").read_text(encoding="utf-8")
    targets = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    names = targets.group(1).split() if targets else []
    helped = " ".join(re.findall(r"^([a-z0-9 -]+):.*##", makefile, re.MULTILINE)).split()
    return [f"Makefile: {name} has no help line" for name in names if name not in helped]


def wrong_adr_numbers() -> list[str]:
    """Decisions whose file and title have different numbers."""
    problems = []
    for path in sorted(Path("docs/adr").glob("*.md")):
        title = path.read_text(encoding="utf-8").splitlines()[0]
        if not title.startswith(f"# {int(path.name[:4])}. "):
            problems.append(f"{path}: the title is {title!r}")
    return problems


def unlisted_pages() -> list[str]:
    """Pages that the index does not link to."""
    linked = LINK.findall(Path("docs/README.md").read_text(encoding="utf-8"))
    pages = (path.relative_to("docs").as_posix() for path in sorted(Path("docs").rglob("*.md")))
    return [f"docs/README.md does not list {page}" for page in pages if page not in (*linked, "README.md")]


def stale_layout() -> list[str]:
    """The page on the layout, if its pictures and tables are not those of the sources."""
    page = PAGE.read_text(encoding="utf-8")
    return [] if renewed(page) == page else [f"{PAGE} is out of date: run python -m tests.layout_picture"]


def main() -> int:
    """Print every problem; 1 if there is one."""
    load_params(Path("params.yaml"))
    problems = [
        *broken_links(),
        *unmentioned_steps(),
        *unhelpful_targets(),
        *wrong_adr_numbers(),
        *unlisted_pages(),
        *stale_layout(),
    ]
    print("\n".join(problems) or "docs are in step")  # noqa: T201
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
