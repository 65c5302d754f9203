"""Records by strace what a command does to the files below a folder."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.power_cut.disk import FOLDER, Disk
from tests.power_cut.operations import Operation, SetNames, Sync, Write

CALLS = (
    "openat,write,lseek,ftruncate,fsync,fdatasync,rename,renameat,renameat2,link,linkat,symlink,symlinkat,"
    "unlink,unlinkat,mkdir,mkdirat,rmdir"
)
NOT_UNDERSTOOD = "open,creat,pwrite64,pwritev,writev,sendfile,copy_file_range,fallocate,truncate"
BY_DESCRIPTOR = ("write", "lseek", "ftruncate", "fsync", "fdatasync", *NOT_UNDERSTOOD.split(",")[2:])
LINE = re.compile(r"\d+ +(\w+)\((.*)\) += (\d+).*")
ARGUMENT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"|(?:AT_FDCWD|\b(\d+))<((?:\\x[0-9a-f]{2})*)>')


def record(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path
) -> tuple[Disk, list[Operation]]:
    """Run a command.

    Returns:
        The folder before, and what was done to it.

    Raises:
        AssertionError: the command fails, or does what is not understood.
    """
    before = Disk.of(folder)
    reader = TraceReader(folder.resolve(), before.copy())
    strace = ["strace", "-f", "-y", "-xx", "-s", "100000000", "-o", str(log), "-e"]
    traced = f"trace={CALLS},{NOT_UNDERSTOOD}"
    done = subprocess.run([*strace, traced, *command], env=dict(environment), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for line in whole_lines(log.read_text(encoding="ascii")):
        if found := LINE.fullmatch(line):  # a call that failed has no result of this form
            reader.read(found[1], found[2], int(found[3]))
    before.know(reader.disk)
    return before, reader.operations


def whole_lines(trace: str) -> list[str]:
    """Lines of calls that ended; the halves of those that another thread has split are put together."""
    begun: dict[str, str] = {}
    found = []
    for line in trace.splitlines():
        process = line.split(" ", 1)[0]
        if line.endswith("<unfinished ...>"):
            begun[process] = line.removesuffix("<unfinished ...>")
        elif "resumed>" in line:
            found.append(begun.pop(process) + line.split("resumed>", 1)[1])
        else:
            found.append(line)
    return found


class TraceReader:
    """Follows the calls of one process on a disk in memory."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._folder, self.disk = str(folder), disk
        self._offsets: dict[int, int] = {}
        self.operations: list[Operation] = []

    def read(self, call: str, arguments: str, result: int) -> None:
        if not (paths := self._paths(call, arguments)):
            return
        assert call in CALLS.split(","), f"not understood: {call}({arguments[:300]})"
        descriptor = int(found[2]) if (found := ARGUMENT.match(arguments)) and found[2] else -1
        match call:
            case "openat":
                self._open(paths[-1], arguments, result)
            case "write":
                self._write(self._file(paths[0]), descriptor, arguments, result)
            case "lseek":
                self._offsets[descriptor] = result
            case "ftruncate":
                assert arguments.endswith(", 0"), f"not understood: {call}({arguments[:300]})"
                self._do(Write(self._file(paths[0]), 0, None))
            case "fsync" | "fdatasync":
                self._do(Sync(self._file(paths[0])))
            case _:
                self._change_names(call, paths, arguments)

    def _change_names(self, call: str, paths: list[str], arguments: str) -> None:
        match call:
            case "rename" | "renameat" | "renameat2":
                self._rename(paths[0], paths[1], exchanged="RENAME_EXCHANGE" in arguments)
            case "link" | "linkat":
                self._set(paths[1], self._file(paths[0]))
            case "symlink" | "symlinkat":
                self._set(paths[-1], self.disk.new("link", _bytes(ARGUMENT.match(arguments)[1])))  # type: ignore[index]
            case "mkdir" | "mkdirat":
                self._set(paths[-1], self.disk.new(FOLDER))
            case _:
                self._set(paths[-1], None)

    def _paths(self, call: str, arguments: str) -> list[str]:
        """The paths of a call that are the folder or below it."""
        base, found = "", []
        for piece in ARGUMENT.finditer(arguments):
            if piece[3] is None:
                found.append(os.path.normpath(Path(base, os.fsdecode(_bytes(piece[1])))))
                continue
            base = os.fsdecode(_bytes(piece[3]))
            if call in BY_DESCRIPTOR:
                found = [base]
                break
        return [path for path in found if path == self._folder or path.startswith(self._folder + "/")]

    def _do(self, operation: Operation) -> None:
        self.disk.apply(operation)
        self.operations.append(operation)

    def _parts(self, path: str) -> tuple[str, ...]:
        return tuple(path.removeprefix(self._folder).strip("/").split("/")) if path != self._folder else ()

    def _file(self, path: str) -> int:
        found = self.disk.find(self._parts(path))
        assert found is not None, f"{path} is not known"
        return found

    def _name(self, path: str) -> tuple[int, str]:
        *parents, name = self._parts(path)
        folder = self.disk.find(tuple(parents))
        assert folder is not None, f"the folder of {path} is not known"
        return folder, name

    def _set(self, path: str, number: int | None) -> None:
        self._do(SetNames(((self._name(path), number),)))

    def _open(self, path: str, arguments: str, descriptor: int) -> None:
        number = self.disk.find(self._parts(path))
        if number is None:
            assert "O_CREAT" in arguments, f"{path} is not known"
            number = self.disk.new("file")
            self._set(path, number)
        elif "O_TRUNC" in arguments and self.disk.contents[number]:
            self._do(Write(number, 0, None))
        self._offsets[descriptor] = len(self.disk.contents.get(number, b"")) if "O_APPEND" in arguments else 0

    def _write(self, number: int, descriptor: int, arguments: str, result: int) -> None:
        text = next(piece for piece in ARGUMENT.finditer(arguments) if piece[1] is not None)
        offset = self._offsets[descriptor]
        self._do(Write(number, offset, _bytes(text[1])[:result]))
        self._offsets[descriptor] = offset + result

    def _rename(self, source: str, target: str, *, exchanged: bool) -> None:
        one, other = self._name(source), self._name(target)
        names = self.disk.names
        self._do(SetNames(((one, names[other] if exchanged else None), (other, names[one]))))


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
