"""MLflow's own page in headless Chromium.

`python -m tests.mlflow_page DATABASE FOLDER` makes the pictures of docs/tracking.md: of the newest run and
its version, and of the page that compares the newest three, as they are in the sqlite file of finished runs.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mlflow import MlflowClient

from tests.browser import BrowserPage, browser_page
from tests.mlflow_server import mlflow_server

VIEW = "workflowType=machine_learning"
WAIT_S, WIDTH = 60, 1400
CLOSE_ASSISTANT = "document.querySelector('[data-component-id=\"mlflow.assistant.chat_panel.close\"]')"


class MlflowPage:
    """The page of a server.

    Args:
        page: of the browser.
        address: of the server.
    """

    def __init__(self, page: BrowserPage, address: str) -> None:
        self._page, self._address = page, address

    @property
    def text(self) -> str:
        """What is shown."""
        return self._page.text("body")

    @property
    def url(self) -> str:
        """Where the page has gone."""
        return str(self._page.value("location.href"))

    def open(self, path: str, awaited: str) -> None:
        """Go to an address below the server's, and wait for a text; the assistant's panel is closed."""
        self._page.open(f"{self._address}/{path}")
        self.wait_for(lambda: awaited in self.text)
        self._page.value(f"{CLOSE_ASSISTANT}?.click()")

    def show_columns(self, *names: str) -> None:
        """Show columns of the list of runs."""
        self._click("button", "Columns")
        self.wait_for(lambda: "Attributes" in self.text)
        for name in names:
            self._click("[class*=tree-treenode]", name, "[class*=tree-checkbox]")
        self._click("button", "Columns")

    def picture(self, path: Path) -> None:
        """Write a picture, once the page is at rest."""
        time.sleep(3)
        self._page.picture(path)

    def compare(self, folder: Path, path: Path) -> None:
        """Write a picture of the whole page that compares the newest three runs of the server."""
        file = folder / "compare.html"
        command = [sys.executable, "-m", "pipelines", "compare", "--last", "3", "--out", str(file)]
        subprocess.run(command, check=True, env=os.environ | {"MLFLOW_TRACKING_URI": self._address})
        self._page.open(file.as_uri())
        self.wait_for(lambda: "What differs" in self.text)
        self._page.look(WIDTH, int(self._page.value("document.documentElement.scrollHeight")))
        self._page.picture(path)

    def wait_for(self, is_there: Callable[[], bool]) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + WAIT_S
        while not is_there():
            assert time.monotonic() < deadline, self.text
            time.sleep(0.2)

    def _click(self, selector: str, text: str, inside: str = "") -> None:
        """Click the element that shows a text, or what is inside of it."""
        found = f"[...document.querySelectorAll({selector!r})].find(one => one.innerText.trim() === {text!r})"
        part = f"{found}?.querySelector({inside!r})" if inside else found
        self.wait_for(lambda: bool(self._page.value(f"Boolean({part})")))
        self._page.value(f"{part}.click()")


@contextmanager
def mlflow_page(chromium: str, database: Path, folder: Path) -> Iterator[MlflowPage]:
    """The page of a server of its own on a copy of a database; artifacts stay where they are."""
    with (
        mlflow_server(folder, database) as server,
        browser_page(chromium, folder / "profile") as page,
    ):
        page.look(WIDTH, 560)
        yield MlflowPage(page, server.address)


def main(database: Path, target: Path) -> None:
    """Write the pictures."""
    client = MlflowClient(f"sqlite:///{database}")
    version = client.search_model_versions()[0]
    child = client.get_run(version.run_id)
    parent = client.get_run(child.data.tags["mlflow.parentRunId"])
    experiment = f"#/experiments/{child.info.experiment_id}/runs"
    with (
        tempfile.TemporaryDirectory() as folder,
        mlflow_page(shutil.which("chromium") or "chromium", database, Path(folder)) as page,
    ):
        page.open(f"{experiment}?{VIEW}", parent.info.run_name)
        page.show_columns("User", "Version", "Description")
        page.picture(target / "experiment.png")
        page.open(f"{experiment}/{child.info.run_id}?{VIEW}", "About this run")
        page.picture(target / "classifier.png")
        page.open(f"#/models/{version.name}/versions/{version.version}?{VIEW}", "Description")
        page.picture(target / "version.png")
        page.compare(Path(folder), target / "compare.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), Path(sys.argv[2]))
