#!/usr/bin/env python
"""The command line that theupdateframework/tuf-conformance asks of a client, in front of our updater.

`--metadata-dir D init ROOT`, `--metadata-url U refresh`, `--target-name N --target-base-url B --target-dir T
download`; exits with 1 on every refusal. Transport, limits and clock are those of a device.
"""

import argparse
import sys
from pathlib import Path
from urllib.parse import quote

from reelflow.edge.update.channel.answers import Limits
from reelflow.edge.update.channel.clock import ClockFloor
from reelflow.edge.update.channel.place import Place
from reelflow.edge.update.channel.transport import Transport
from reelflow.edge.update.channel.verified import TrustedMetadata

LIMITS = Limits(attempts=1)  # the suite counts the requests


def main() -> int:
    options = arguments()
    metadata = Path(options.metadata_dir)
    state = metadata.with_name("state")
    if options.command == "init":
        state.mkdir()
        content = Path(options.root).read_bytes()
        (state / "root.json").write_bytes(content)
        (metadata / "root.json").write_bytes(content)
        return 0
    transport = Transport(Place(options.metadata_url, None, options.metadata_url), LIMITS)
    trusted = TrustedMetadata(metadata, (state / "root.json").read_bytes(), ClockFloor(state))
    updater = trusted.refresh(options.metadata_url, options.target_base_url or "", transport)
    for name in options.target_name:
        info = updater.get_targetinfo(name)
        if info is None:
            raise LookupError(f"{name} is no target")
        path = str(Path(options.target_dir, quote(name, "")))
        if not updater.find_cached_target(info, path):
            updater.download_target(info, path)
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--metadata-dir", required=True)
    parser.add_argument("--metadata-url")
    parser.add_argument("--target-name", action="append", default=[])
    parser.add_argument("--target-dir")
    parser.add_argument("--target-base-url")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init").add_argument("root")
    commands.add_parser("refresh")
    commands.add_parser("download")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception as error:
        sys.exit(f"refused: {type(error).__name__}: {error}")
