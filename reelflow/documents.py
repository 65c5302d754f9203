"""The base of every document that reelflow writes: strict, versioned JSON."""

import json
import re
from pathlib import Path
from typing import ClassVar, Literal, Self

import pydantic
from pydantic import BaseModel, ConfigDict

from reelflow.errors import BundleError
from reelflow.files import write_text

MAX_DOCUMENT_BYTES = 256 * 1024 * 1024
MOST_TOLD = 20  # errors of one document; each takes some hundred bytes of text
LINE_BREAK = re.compile(r"\n *")
PLAIN_LIST = re.compile(r"\[(\n[^][{}]+)\]")  # a string of JSON holds no line break


class Document(BaseModel):
    """Base of every document: frozen, versioned; rejects unknown fields, NaN and infinity.

    Its validator is made when it is first used: a device that starts uses one of dozens.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)

    schema_version: Literal[1] = 1

    def to_json(self) -> str:
        """Stable JSON: same content, same bytes. A list of plain values takes one line: it may be long."""
        text = json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True, allow_nan=False)
        return PLAIN_LIST.sub(lambda found: f"[{LINE_BREAK.sub('', found[1])}]", text) + "\n"

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and check a document.

        Raises:
            BundleError: missing, too large, or not of this form.
        """
        try:
            if path.stat().st_size > MAX_DOCUMENT_BYTES:
                raise BundleError(f"{path} is larger than {MAX_DOCUMENT_BYTES} bytes: not read")
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError as error:
            raise BundleError(f"{path} is missing: the step that writes it has not finished") from error
        except OSError as error:
            raise BundleError(f"{path} cannot be read: {error.strerror}") from error
        except pydantic.ValidationError as error:
            raise BundleError(f"{path} is not a valid {cls.__name__}: {_told(error)}") from error


def _told(error: pydantic.ValidationError) -> str:
    count = error.error_count()
    return str(error) if count <= MOST_TOLD else f"{count} of its values are missing or wrong"


class Report(Document):
    """Base of the report that a step writes into its output folder.

    Attributes:
        metrics: single figures, by name.
        curves: figures an epoch, by name.
    """

    file_name: ClassVar[str]

    metrics: dict[str, float] = {}
    curves: dict[str, tuple[float, ...]] = {}

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Read the report of a step's folder.

        Raises:
            BundleError: the folder is incomplete.
        """
        return cls.read(folder / cls.file_name)

    def save(self, folder: Path) -> None:
        """Write the report, which marks the folder as complete.

        Raises:
            StorageError: the disk is full or read-only.
        """
        write_text(folder / self.file_name, self.to_json())
