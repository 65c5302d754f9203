"""`POST /classify`: one clip at a time, in bounded bytes and time, by a process of its own."""

import asyncio
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from reelflow.errors import BundleError, ClipError

COMMAND = (sys.executable, "-m", "reelflow.edge.serve.one_clip")
MOST_BYTES = 64 * 1024 * 1024
UPLOAD_S = 30.0
CLASSIFY_S = 30.0
RETRY_S = "5"


class ClipRefusedError(Exception):
    """A clip is not taken, or not classified.

    Attributes:
        status: of HTTP.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class ClipDesk:
    """Takes one clip at a time; others are told to come back."""

    def __init__(
        self,
        bundle: Path,
        *,
        most_bytes: int = MOST_BYTES,
        upload_s: float = UPLOAD_S,
        classify_s: float = CLASSIFY_S,
    ) -> None:
        """Nothing is being classified.

        Args:
            bundle: its folder, or a link to it.
            most_bytes: of a clip.
            upload_s: for a clip to arrive.
            classify_s: from the start of its process to the answer.
        """
        self._bundle, self._most_bytes = bundle.absolute(), most_bytes
        self._upload_s, self._classify_s = upload_s, classify_s
        self._busy = self._closed = False
        self._process: subprocess.Popen[str] | None = None

    async def classify(self, request: Request) -> Response:
        """Answer a request whose body is a clip."""
        if self._busy:
            told = "another clip is being classified: try again in a few seconds"
            return JSONResponse({"error": told}, 429, {"Retry-After": RETRY_S})
        self._busy = True
        try:
            with TemporaryDirectory(prefix="reelflow-clip-") as folder:
                clip = Path(folder, "clip")
                await self._receive(request, clip)
                return Response(
                    await asyncio.to_thread(self._classified, clip), media_type="application/json"
                )
        except ClipRefusedError as refusal:
            return JSONResponse({"error": str(refusal)}, refusal.status)
        except OSError as error:
            return JSONResponse({"error": f"the clip cannot be kept: {error.strerror}"}, 507)
        finally:
            self._busy = False

    def close(self) -> None:
        """End what is being classified; may be called by any thread."""
        self._closed = True
        if self._process:
            self._process.kill()

    async def _receive(self, request: Request, clip: Path) -> None:
        """Write the body of a request to a file."""
        too_large = ClipRefusedError(413, f"the clip is larger than {self._most_bytes} bytes: cut it")
        length = request.headers.get("content-length", "0")
        if length.isdecimal() and int(length) > self._most_bytes:
            raise too_large
        received = 0
        try:
            async with asyncio.timeout(self._upload_s):
                with clip.open("wb") as file:
                    async for part in request.stream():
                        received += len(part)
                        if received > self._most_bytes:
                            raise too_large
                        file.write(part)
        except TimeoutError as error:
            raise ClipRefusedError(408, f"the clip has not arrived within {self._upload_s:g} s") from error
        except ClientDisconnect as error:
            raise ClipRefusedError(400, "the clip has not arrived as a whole") from error
        if not received:
            raise ClipRefusedError(400, "the request has no body: send the bytes of a clip")

    def _classified(self, clip: Path) -> str:
        """What `reelflow classify --json` says of a clip; in a thread."""
        command = (*COMMAND, str(self._bundle), str(clip))
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            self._process = process
            if self._closed:
                process.kill()
            try:
                out, problem = process.communicate(timeout=self._classify_s)
            except subprocess.TimeoutExpired as error:
                raise ClipRefusedError(422, f"it is not classified within {self._classify_s:g} s") from error
            finally:
                process.kill()
                self._process = None
        if process.returncode == 0:
            return out
        raise self._refusal(process.returncode, problem)

    def _refusal(self, code: int, problem: str) -> ClipRefusedError:
        if self._closed:
            return ClipRefusedError(503, "the service ends")
        if code < 0:
            return ClipRefusedError(422, "its decoder crashed, or needs too much memory")
        if code == BundleError.exit_code:
            return ClipRefusedError(503, problem)
        if code == ClipError.exit_code:
            return ClipRefusedError(422, problem)
        return ClipRefusedError(500, f"it cannot be classified: {problem.strip().rpartition(chr(10))[2]}")
