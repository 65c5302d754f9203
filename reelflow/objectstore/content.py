"""Content as a file, as stores take it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from reelflow.files import write_bytes


@contextmanager
def content_file(content: bytes) -> Iterator[Path]:
    """A temporary file that holds this content."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "content")
        write_bytes(path, content)
        yield path
