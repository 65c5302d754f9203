"""`python -m tests.docs_in_step`: fails where the docs and the code have drifted apart.

Relative links lead somewhere, the README names every step, every make target has a help line, and a
decision has the number of its file. (That the README works is what tests/test_readme.py shows.)
"""

import re
import sys
from pathlib import Path

from reelflow.params import load_params

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
    """Decisions whose file and title bear different numbers."""
    problems = []
    for path in sorted(Path("docs/adr").glob("*.md")):
        title = path.read_text(encoding="utf-8").splitlines()[0]
        if not title.startswith(f"# {int(path.name[:4])}. "):
            problems.append(f"{path}: the title is {title!r}")
    return problems


def main() -> int:
    """Print every problem; 1 if there is one."""
    load_params(Path("params.yaml"))
    problems = [*broken_links(), *unmentioned_steps(), *unhelpful_targets(), *wrong_adr_numbers()]
    print("\n".join(problems) or "docs are in step")  # noqa: T201
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
