"""What the tests of the release step share."""

import pytest

from components.release import charts, report, sections


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The charts of reports are made but not drawn, which is most of the time that a release takes.

    test_release_step and test_report draw them.
    """
    for module in (charts, report, sections):
        monkeypatch.setattr(module, "inline", lambda figure, name: f"<svg aria-label='{name}'/>")
