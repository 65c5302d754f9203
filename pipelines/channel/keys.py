"""Private keys that sign a channel: files, the environment, PKCS#11 or a KMS, by securesystemslib.

A key is given as `ROLE=URI`. `file:PATH` and `envvar:NAME` mean a PEM file (PKCS#8), encrypted or not. Every
other URI is securesystemslib's (`hsm:2?label=TOKEN`, `awskms:`, `gcpkms:`, `azurekms:`, `hashivault:`), with
the file of the public key behind a `#`. No private key is written anywhere but where `new_keys` is told to.
"""

import getpass
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from reelflow.errors import ChannelError, ParamsError, disk_errors

if TYPE_CHECKING:
    from securesystemslib.signer import Signer, SSlibKey

ROLES = ("root", "targets", "snapshot", "timestamp")
PASSPHRASE, PIN = "REELFLOW_KEY_PASSPHRASE", "REELFLOW_KEY_PIN"
FORM = "expected ROLE=URI, as timestamp=file:timestamp.pem; roles are " + ", ".join(ROLES)


@dataclass(frozen=True)
class KeyAddress:
    """Where a private key is; `public` is the PEM file of its public key, for keys that cannot be read."""

    uri: str
    public: Path | None = None

    @property
    def shown(self) -> str:
        """For messages: an address is no secret."""
        return self.uri


@dataclass(frozen=True)
class KeyRing:
    """The signers of each role."""

    signers: Mapping[str, tuple["Signer", ...]] = field(default_factory=dict)

    def of(self, role: str) -> tuple["Signer", ...]:
        """The signers of a role."""
        return self.signers.get(role, ())

    def joined(self, other: "KeyRing") -> "KeyRing":
        """With the signers of another ring."""
        return KeyRing({role: (*self.of(role), *other.of(role)) for role in ROLES})


def open_keys(texts: Iterable[str]) -> KeyRing:
    """The keys that a command line names.

    Raises:
        ParamsError: one is not of the form.
        ChannelError: one cannot be read or used.
    """
    signers: dict[str, list[Signer]] = defaultdict(list)
    for text in texts:
        role, equals, rest = text.partition("=")
        if not equals or role not in ROLES or ":" not in rest:
            raise ParamsError(f"--key {text.split(':')[0]}... cannot be read: {FORM}")
        uri, _, public = rest.partition("#")
        signers[role].append(open_signer(KeyAddress(uri, Path(public) if public else None)))
    return KeyRing({role: tuple(found) for role, found in signers.items()})


def open_signer(address: KeyAddress) -> "Signer":
    """The signer of one key.

    Raises:
        ParamsError: a public key is missing.
        ChannelError: the key cannot be read or used.
    """
    scheme, _, rest = address.uri.partition(":")
    if scheme == "file":
        try:
            return _from_pem(Path(rest).read_bytes(), address)
        except OSError as error:
            raise ChannelError(f"the key {rest} cannot be read: {error.strerror}") from None
    if scheme == "envvar":
        if rest not in os.environ:
            raise ChannelError(f"the variable {rest} is not set: it should hold a private key (PEM)")
        return _from_pem(os.environ[rest].encode(), address)
    return _from_library(address)


def new_keys(folder: Path, roles: Collection[str] = ROLES) -> list[str]:
    """Make an Ed25519 key a role, unless its file exists; encrypted if `REELFLOW_KEY_PASSPHRASE` is set.

    Args:
        folder: of the files, outside every repository.
        roles: that need one.

    Returns:
        The keys as `ROLE=file:PATH`.

    Raises:
        ParamsError: the folder is in a git repository.
        StorageError: the disk refuses.
    """
    paths = {role: folder / f"{role}.pem" for role in roles}
    for path in paths.values():
        _make(path)
    return [f"{role}=file:{path}" for role, path in paths.items()]


def new_key(text: str) -> "Signer":
    """The signer of a new key; the file of a `file:` URI is made if it does not exist.

    Raises:
        ParamsError: it is in a git repository, or a public key is missing.
        ChannelError: the key cannot be read or used.
        StorageError: the disk refuses.
    """
    uri, _, public = text.partition("#")
    if uri.startswith("file:"):
        _make(Path(uri.removeprefix("file:")))
    return open_signer(KeyAddress(uri, Path(public) if public else None))


def _make(path: Path) -> None:
    if path.exists():
        return
    if inside := next((place for place in path.absolute().parents if (place / ".git").exists()), None):
        raise ParamsError(f"{path} is in the git repository {inside}: private keys belong outside of it")
    with disk_errors(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_key(path)


def _write_key(path: Path) -> None:
    """Write a new private key, which only this user may read."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        KeySerializationEncryption,
        NoEncryption,
        PrivateFormat,
    )

    passphrase = os.environ.get(PASSPHRASE, "").encode()
    cipher: KeySerializationEncryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, cipher)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())


def _from_pem(pem: bytes, address: KeyAddress) -> "Signer":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from securesystemslib.signer import CryptoSigner

    encrypted = b"ENCRYPTED" in pem
    try:
        passphrase = _secret(PASSPHRASE, f"passphrase of {address.shown}").encode() if encrypted else None
        return CryptoSigner(load_pem_private_key(pem, passphrase))
    except (ValueError, TypeError, UnsupportedAlgorithm):  # its text is OpenSSL's
        told = f"the passphrase ({PASSPHRASE}) is wrong" if encrypted else "it is not PEM with PKCS#8"
        raise ChannelError(f"the private key {address.shown} cannot be read: {told}") from None


def _from_library(address: KeyAddress) -> "Signer":
    from securesystemslib.signer import Signer

    if address.public is None:
        raise ParamsError(f"the key {address.shown} needs its public key: append #PUBLIC.pem to its URI")
    try:
        return Signer.from_priv_key_uri(address.uri, _public_key(address.public), _pin_of(address))
    except Exception as error:  # each KMS and PKCS#11 library has errors of its own
        raise ChannelError(f"the key {address.shown} cannot be used: {error}") from None


def _public_key(path: Path) -> "SSlibKey":
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.signer import SSlibKey

    return SSlibKey.from_crypto(load_pem_public_key(path.read_bytes()))


def _pin_of(address: KeyAddress) -> Callable[[str], str]:
    """Answers a token's questions, such as its PIN; each is asked once."""
    return cache(lambda name: _secret(PIN, f"{name} of {address.shown}"))


def _secret(variable: str, name: str) -> str:
    """A passphrase or PIN, from the environment or the terminal."""
    if found := os.environ.get(variable):
        return found
    if not sys.stdin.isatty():
        raise ChannelError(f"the {name} is missing: set {variable}")
    return getpass.getpass(f"{name}: ")
