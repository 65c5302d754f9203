"""A sink from its address on the command line."""

import hashlib
import sys
from pathlib import Path
from urllib.parse import parse_qsl

from reelflow.commandline import printable
from reelflow.edge.events.model import Event, Message, SourceState, WindowAnswer
from reelflow.edge.sinks.address import Address, parse_address, without_secrets
from reelflow.edge.sinks.interface import Sink
from reelflow.edge.sinks.lines import LineWriter
from reelflow.edge.sinks.mqtt import MqttSink
from reelflow.edge.sinks.rotating import KEEP, MAX_BYTES, RotatingFile
from reelflow.edge.sinks.spool import Spool
from reelflow.edge.sinks.spooled import SpooledSink
from reelflow.edge.sinks.webhook import Webhook
from reelflow.errors import ParamsError

FORMS = "-, file:PATH, http(s)://HOST/PATH or mqtt(s)://HOST/PREFIX"
TOLD: tuple[type[Message], ...] = (Event, SourceState)


def open_sink(address: str, spool: Path, camera: str) -> Sink:
    """Open a sink.

    - `-` or `-?answers=1`: JSON lines on standard output, with an answer a hop if asked for.
    - `file:PATH?max_mb=10&keep=5&answers=1`: JSON lines in a file, which is rotated.
    - `http://USER:PASSWORD@HOST/PATH?QUERY`, `https://...`: a POST a message.
    - `mqtt://USER:PASSWORD@HOST:PORT/PREFIX?discovery=0`, `mqtts://...`: a broker.

    The last two keep what waits in a file of `spool`, which a restart finds again by address (without user
    and password) and camera; the others keep it in memory.

    Args:
        address: as above.
        spool: a folder; it is made when it is needed.
        camera: name of the source, without credentials.

    Raises:
        ParamsError: no such form, an unknown option, another process uses the spool, or paho-mqtt is missing.
    """
    form = address.partition(":")[0]
    if address == "-" or address.startswith("-?"):
        options = _options(address, address[2:], ("answers",))
        return SpooledSink("-", _takes(options), Spool(None), LineWriter(sys.stdout).deliver)
    if form == "file":
        return _file_sink(address)
    if form in ("http", "https"):
        target = parse_address(address)
        return SpooledSink(target.shown, TOLD, _spool(spool, target, camera), Webhook(target).deliver)
    if form in ("mqtt", "mqtts"):
        target = parse_address(address)
        options = _options(address, target.query, ("discovery",))
        waiting = _spool(spool, target, camera)
        try:
            return MqttSink(target, waiting, camera, discovery=_flag(options, "discovery", default=True))
        except ParamsError:
            waiting.close()
            raise
    raise ParamsError(f"{without_secrets(address)} is not the address of a sink: expected {FORMS}")


def _file_sink(address: str) -> Sink:
    name, _, query = address.removeprefix("file:").partition("?")
    options = _options(address, query, ("answers", "max_mb", "keep"))
    path = Path(name)
    if not name or path.is_dir():
        raise ParamsError(f"file:{name} names no file: expected file:PATH, as in file:events.jsonl")
    max_bytes = int(_number(options, "max_mb", MAX_BYTES / 1e6, least=0.001) * 1e6)
    file = RotatingFile(path, max_bytes=max_bytes, keep=int(_number(options, "keep", KEEP, least=1)))
    return SpooledSink(f"file:{name}", _takes(options), Spool(None), file.deliver)


def _spool(folder: Path, address: Address, camera: str) -> Spool:
    """The file of a sink; another password does not make it another sink."""
    identity = "\0".join((address.shown, address.path, address.query, camera))
    code = hashlib.sha256(identity.encode(errors="surrogateescape")).hexdigest()[:16]
    return Spool(folder / f"{address.scheme}-{code}.db")


def _takes(options: dict[str, str]) -> tuple[type[Message], ...]:
    return (*TOLD, WindowAnswer) if _flag(options, "answers", default=False) else TOLD


def _options(address: str, query: str, known: tuple[str, ...]) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    if unknown := sorted(options.keys() - set(known)):
        found = f"{without_secrets(address)} has unknown options {printable(', '.join(unknown))}"
        raise ParamsError(f"{found}: expected one of {', '.join(known)}")
    return options


def _flag(options: dict[str, str], name: str, *, default: bool) -> bool:
    value = options.get(name, str(int(default)))
    if value not in ("0", "1"):
        raise ParamsError(f"{name}={value}: expected {name}=0 or {name}=1")
    return value == "1"


def _number(options: dict[str, str], name: str, default: float, *, least: float) -> float:
    value = options.get(name, str(default))
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not least <= number < 1e6:
        raise ParamsError(f"{name}={value}: expected a number of {least:g} or more")
    return number
