"""Bundles on a device: `versions/<id>`, and the link `current` to one of them."""

from collections.abc import Collection
from pathlib import Path

from reelflow.durable.replace import remove, replace_link
from reelflow.durable.sync import sync_folder, sync_tree
from reelflow.edge.bundle import open_bundle
from reelflow.edge.seal import SUMS
from reelflow.errors import BundleError, disk_errors
from reelflow.files import sha256_file

VERSIONS, CURRENT = "versions", "current"


class InstalledBundles:
    """The folder of a device's bundles."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.link = folder / CURRENT

    def path(self, bundle: str) -> Path:
        """Folder of a bundle, whether or not it is there."""
        return self._folder / VERSIONS / bundle

    def partial(self, bundle: str) -> Path:
        """Folder of a bundle that is being fetched."""
        return self._folder / VERSIONS / f".{bundle}.partial"

    @property
    def linked(self) -> str | None:
        """The bundle that the link leads to."""
        return self.link.readlink().name if self.link.is_symlink() else None

    def check(self, bundle: str, folder: Path | None = None) -> None:
        """Check every byte of a bundle.

        Args:
            bundle: its id.
            folder: where it is; by default its own folder.

        Raises:
            BundleError: it is absent, damaged, not sealed, or another one.
        """
        folder = folder or self.path(bundle)
        opened = open_bundle(folder)
        if not opened.is_sealed:
            raise BundleError(f"{folder} has no {SUMS}, so changes in its records are not detected")
        if (found := sha256_file(folder / SUMS)) != bundle:
            raise BundleError(f"{folder} is the bundle {found}, expected {bundle}")

    def is_whole(self, bundle: str) -> bool:
        """Whether a bundle is here, with every byte."""
        try:
            self.check(bundle)
        except BundleError:
            return False
        return True

    def install(self, bundle: str) -> None:
        """Give a fetched bundle its name; after this it outlives a power cut.

        Raises:
            StorageError: the disk is full or read-only.
        """
        partial, final = self.partial(bundle), self.path(bundle)
        with disk_errors(final):
            remove(final)  # it is not whole, else it would not have been fetched
            sync_tree(partial)
            partial.replace(final)
            sync_folder(final.parent)
            sync_folder(self._folder)

    def switch(self, bundle: str) -> None:
        """Have the link lead to a bundle, at once.

        Raises:
            StorageError: the disk is full or read-only.
        """
        with disk_errors(self.link):
            replace_link(self.link, Path(VERSIONS, bundle))

    def unlink(self) -> None:
        """Remove the link: no bundle is in use; after this it outlives a power cut.

        Raises:
            StorageError: the disk is read-only.
        """
        if self.link.is_symlink():
            with disk_errors(self.link):
                self.link.unlink(missing_ok=True)
                sync_folder(self._folder)

    def clean(self, kept: Collection[str], fetching: Collection[str] = ()) -> None:
        """Remove the folders of all other bundles, and of attempts to fetch others.

        Raises:
            StorageError: the disk is read-only.
        """
        names = {*kept, *(self.partial(bundle).name for bundle in fetching)}
        folder = self._folder / VERSIONS
        with disk_errors(folder):
            for path in folder.iterdir() if folder.is_dir() else ():
                if path.name not in names:
                    remove(path)
