"""Headless Chromium, and a page in it, asked through its DevTools protocol.

apt-get install chromium
"""

import base64
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import websocket

OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
]
LISTENING = re.compile(r"DevTools listening on (ws://\S+)")
TIMEOUT_S = 60


class BrowserPage:
    """One page.

    Attributes:
        complaints: what the console of the browser shows.
    """

    def __init__(self, address: str) -> None:
        self._socket = websocket.create_connection(address, timeout=TIMEOUT_S, suppress_origin=True)
        self._count, self._session = 0, ""
        self.complaints: list[str] = []
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._ask(f"{domain}.enable")

    def open(self, url: str) -> None:
        """Go to an address."""
        self._ask("Page.navigate", url=url)

    def value(self, expression: str) -> Any:
        """The value of an expression of JavaScript on the page."""
        found = self._ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def text(self, selector: str) -> str:
        """What an element shows, empty without one."""
        return str(self.value(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))

    def look(self, width: int, height: int, *, dark: bool = False) -> None:
        """Become a window of this size, in light or dark colours."""
        self._ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._ask("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, path: Path) -> None:
        """Write a picture of the page."""
        path.write_bytes(base64.b64decode(self._ask("Page.captureScreenshot")["data"]))

    def press(self, *keys: str) -> None:
        """Press keys, one after another."""
        for key in keys:
            text = {"text": key} if len(key) == 1 else {}
            self._ask("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
            self._ask("Input.dispatchKeyEvent", type="keyUp", key=key)

    def save_downloads_to(self, folder: Path) -> None:
        """Keep what pages let a person download."""
        self._ask("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))

    def close(self) -> None:
        """End."""
        self._socket.close()

    def _ask(self, method: str, **params: Any) -> dict[str, Any]:
        self._count += 1
        order = {"id": self._count, "method": method, "params": params}
        self._socket.send(json.dumps(order | ({"sessionId": self._session} if self._session else {})))
        while True:
            told = json.loads(self._socket.recv())
            if told.get("id") == self._count:
                assert "error" not in told, told
                return dict(told["result"])
            if told.get("method") in (
                "Log.entryAdded",
                "Runtime.exceptionThrown",
                "Runtime.consoleAPICalled",
            ):
                self.complaints.append(json.dumps(told["params"]))


@contextmanager
def browser_page(chromium: str, profile: Path) -> Iterator[BrowserPage]:
    """A page in a browser of its own."""
    command = [chromium, *OPTIONS, "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            found = next(filter(None, map(LISTENING.search, process.stderr)))
            page = BrowserPage(found[1])
            yield page
            page.close()
        finally:
            process.kill()
