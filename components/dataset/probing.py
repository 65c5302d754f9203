"""Probes clips by decoding them in processes; results survive a kill of the step."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from components.dataset.content import reason_by_content
from components.dataset.facts import SharedFacts, hash_clips
from reelflow.errors import ClipError, disk_errors
from reelflow.files import sha256_file
from reelflow.objectstore.shards import SharedShards
from reelflow.progress import report
from reelflow.video.decode import VideoFacts, probe
from reelflow.workers.processes import in_processes

NOTES = ".probed.jsonl"


@dataclass(frozen=True)
class Probed:
    """A usable clip's content and facts."""

    sha256: str
    size_bytes: int
    facts: VideoFacts


Outcome = Probed | ClipError


def probe_clip(path: Path) -> Probed:
    """Hash a clip and decode all of it.

    Raises:
        ClipError: the clip cannot be used.
    """
    try:
        facts = probe(path)
    except ClipError as error:
        raise ClipError(reason_by_content(path) or str(error)) from error
    try:
        return Probed(sha256_file(path), path.stat().st_size, facts)
    except OSError as error:
        raise ClipError(f"it cannot be read to its end: {error.strerror}") from error


def probe_all(
    root: Path, paths: Sequence[str], notes: Path, timeout_s: float, shared: SharedShards | None = None
) -> dict[str, Outcome]:
    """Probe clips; reuse the results of earlier attempts, other runs and other machines.

    Args:
        root: the folder that `paths` are relative to.
        paths: the clips.
        notes: file of results, one line per probed clip, appended to.
        timeout_s: time limit per clip.
        shared: results of other runs and machines.

    Returns:
        An outcome for each path, in the same order.

    Raises:
        StorageError: the disk is full or read-only.
    """
    known = dict(_read_notes(notes))
    outcomes = {path: known.get(_identity(root, path)) for path in paths}
    if shared is None or None not in outcomes.values():
        return _probe_missing(root, outcomes, notes, timeout_s)
    hashes = hash_clips(root, paths)
    facts = SharedFacts(shared, hashes.values())
    by_content = facts.fetch()
    for path, sha256 in hashes.items():
        if outcomes[path] is None and sha256 in by_content:
            outcomes[path] = Probed(sha256, (root / path).stat().st_size, by_content[sha256])
    probed = _probe_missing(root, outcomes, notes, timeout_s)
    facts.publish({one.sha256: one.facts for one in probed.values() if isinstance(one, Probed)})
    return probed


def _probe_missing(
    root: Path, outcomes: dict[str, Outcome | None], notes: Path, timeout_s: float
) -> dict[str, Outcome]:
    """Probe the clips without a result, and note their results."""
    missing = [path for path, outcome in outcomes.items() if outcome is None]
    found = in_processes(probe_clip, (root / path for path in missing), timeout_s=timeout_s)
    with closing(found), disk_errors(notes), notes.open("a", encoding="utf-8") as file:
        done = len(outcomes) - len(missing)
        report(done, len(outcomes), "clips")
        for path, outcome in zip(missing, found, strict=True):
            outcomes[path] = outcome
            file.write(_note(_identity(root, path), outcome))
            file.flush()
            done += 1
            report(done, len(outcomes), "clips")
    return {path: outcome for path, outcome in outcomes.items() if outcome is not None}


def _identity(root: Path, path: str) -> str:
    """Path, size and times of change: another file, or one with other rights, is probed again."""
    try:
        stat = (root / path).stat()
    except OSError:
        return path
    return f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\0{stat.st_ctime_ns}"


def _note(identity: str, outcome: Outcome) -> str:
    content = {"reason": str(outcome)} if isinstance(outcome, ClipError) else asdict(outcome)
    return "\n" + json.dumps({"identity": identity, **content})


def _read_notes(notes: Path) -> Iterator[tuple[str, Outcome]]:
    """The noted results; a truncated line is skipped."""
    if not notes.is_file():
        return
    for line in notes.read_text(encoding="utf-8").splitlines():
        try:
            note = json.loads(line)
        except json.JSONDecodeError:
            continue
        identity = note.pop("identity")
        if "reason" in note:
            yield identity, ClipError(note["reason"])
        else:
            yield identity, Probed(note["sha256"], note["size_bytes"], VideoFacts(**note["facts"]))
