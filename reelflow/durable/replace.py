"""Replaces folders and links at once: whoever looks finds the old or the new, and after a power cut too."""

import ctypes
import errno
import os
import shutil
from pathlib import Path

from reelflow.durable.sync import sync_folder, sync_tree

AT_FDCWD, RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h
UNABLE = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)
"""What kernels and file systems answer that cannot exchange two names: renameat2(2)."""


def replace_folder(partial: Path, final: Path) -> None:
    """Replace the folder `final` by `partial`.

    `final` is always whole. Where the system cannot exchange two names it is absent for a moment; a kill in
    that moment is made good by the next call, which finds the old folder beside it.

    Raises:
        OSError: the disk refuses.
    """
    old = final.with_name(f".{final.name}.old")
    if not os.path.lexists(final) and os.path.lexists(old):
        old.replace(final)
    remove(old)
    sync_tree(partial)
    if not os.path.lexists(final):
        partial.replace(final)
    elif _exchange(partial, final):
        partial.replace(old)
    else:
        final.replace(old)
        partial.replace(final)
    sync_folder(final.parent)
    remove(old)


def replace_link(link: Path, target: str | Path) -> None:
    """Point a link to `target`, at once, whether or not there is a link of this name.

    Raises:
        OSError: the disk refuses, or there is something other than a link or a file.
    """
    new = link.with_name(f".{link.name}.{os.getpid()}.link")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(link)
    sync_folder(link.parent)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder, if it is there."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange what two names stand for; False where the system cannot."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:  # not Linux, or a libc without it
        return False
    if not rename(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE):
        return True
    error = ctypes.get_errno()
    if error in UNABLE:
        return False
    raise OSError(error, os.strerror(error), str(one), None, str(other))
