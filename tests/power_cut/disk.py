"""A folder in memory, to which operations can be applied, and that can be written out."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.power_cut.operations import Name, Operation, SetNames, Write

ROOT = 1
FOLDER = "folder"


@dataclass
class Disk:
    """Files and folders by number; a link is a file whose content is where it leads.

    Attributes:
        contents: of files.
        kinds: `file`, `folder` or `link`, of each number.
        names: of every folder.
    """

    contents: dict[int, bytes] = field(default_factory=dict)
    kinds: dict[int, str] = field(default_factory=lambda: {ROOT: FOLDER})
    names: dict[Name, int] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path) -> "Disk":
        """What is on the real disk."""
        disk = cls()
        numbers = {folder: ROOT}
        inodes: dict[int, int] = {}
        for place, folders, files in os.walk(folder):
            for name in [*folders, *files]:
                path = Path(place, name)
                is_link, inode = path.is_symlink(), path.lstat().st_ino
                number = inodes.setdefault(inode, len(disk.kinds) + 1)
                disk.names[numbers[Path(place)], name] = number
                if is_link:
                    disk.kinds[number], disk.contents[number] = "link", os.fsencode(path.readlink())
                elif path.is_dir():
                    disk.kinds[number], numbers[path] = FOLDER, number
                else:
                    disk.kinds[number], disk.contents[number] = "file", path.read_bytes()
        return disk

    def copy(self) -> "Disk":
        return Disk(dict(self.contents), dict(self.kinds), dict(self.names))

    def new(self, kind: str, content: bytes = b"") -> int:
        """A file, folder or link that has no name yet."""
        number = len(self.kinds) + 1
        self.kinds[number] = kind
        if kind != FOLDER:
            self.contents[number] = content
        return number

    def know(self, later: "Disk") -> None:
        """Have the files, folders and links that came later, without a name; files are empty."""
        for number in later.kinds.keys() - self.kinds.keys():
            self.kinds[number] = later.kinds[number]
            if number in later.contents:
                self.contents[number] = later.contents[number] if later.kinds[number] == "link" else b""

    def find(self, parts: tuple[str, ...]) -> int | None:
        """The number of a path below the folder; links within it are followed, but the last."""
        number = ROOT
        for place, part in enumerate(parts):
            found = self.names.get((number, part))
            if found is None:
                return None
            if self.kinds[found] == "link" and place < len(parts) - 1:
                target = tuple(os.fsdecode(self.contents[found]).split("/"))
                found = self.find((*parts[:place], *target))
                if found is None:
                    return None
            number = found
        return number

    def apply(self, operation: Operation) -> None:
        match operation:
            case Write(file, _, None):
                self.contents[file] = b""
            case Write(file, offset, bytes() as content):
                old = self.contents[file].ljust(offset, b"\0")
                self.contents[file] = old[:offset] + content + old[offset + len(content) :]
            case SetNames(names):
                for name, number in names:
                    if number is None:
                        self.names.pop(name, None)
                    else:
                        self.names[name] = number

    def seen_from_root(self) -> frozenset[tuple[str, str, bytes]]:
        """All that names lead to: path, kind and content."""
        return frozenset(self._seen(ROOT, ""))

    def _seen(self, number: int, path: str) -> Iterator[tuple[str, str, bytes]]:
        for (parent, name), child in self.names.items():
            if parent == number:
                yield f"{path}/{name}", self.kinds[child], self.contents.get(child, b"")
                if self.kinds[child] == FOLDER:
                    yield from self._seen(child, f"{path}/{name}")

    def write_out(self, folder: Path) -> None:
        """Make a folder on the real disk as this one; what no name leads to is lost."""
        folder.mkdir(parents=True)
        self._write(ROOT, folder, {})

    def _write(self, number: int, folder: Path, written: dict[int, Path]) -> None:
        for (parent, name), child in self.names.items():
            if parent != number:
                continue
            path = folder / name
            if self.kinds[child] == FOLDER:
                path.mkdir()
                self._write(child, path, written)
            elif self.kinds[child] == "link":
                path.symlink_to(os.fsdecode(self.contents[child]))
            elif child in written:
                os.link(written[child], path)
            else:
                path.write_bytes(self.contents[child])
                written[child] = path
