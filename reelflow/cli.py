"""The command of the device, `reelflow`: it imports little before it knows its subcommand."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reelflow import __version__
from reelflow.commandline import printable, run_command, start_quickly, tell
from reelflow.edge.commands.benchmark import benchmark
from reelflow.edge.commands.info import info
from reelflow.edge.commands.options import DEFAULT_THREADS, BundleFolder, Threads
from reelflow.edge.commands.serve import serve
from reelflow.edge.commands.update import update
from reelflow.edge.commands.watch import watch
from reelflow.errors import ClipError, ParamsError, disk_errors
from reelflow.workers.stderr import silenced_stderr

if TYPE_CHECKING:
    from reelflow.contracts import BundleReport
    from reelflow.edge.bundle import Bundle
    from reelflow.edge.classifier import Classification
    from reelflow.edge.timeline import Timeline

EXIT_CODES = (
    "Exit codes: 0 success; 1 the web server of a page has ended; 2 a wrong command line; 3 a clip cannot be "
    "decoded, the others are classified; 5 the bundle is damaged, or not trusted on this device; 6 a file "
    "cannot be written; 11 an update channel is not reachable, or not trusted."
)

app = typer.Typer(
    help="Classify video clips on this device.",
    epilog=EXIT_CODES,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

for _command in (watch, serve, info, benchmark):
    app.command(epilog=EXIT_CODES)(_command)
app.add_typer(update, name="update", epilog=EXIT_CODES)


def main() -> None:
    """Entry point of the `reelflow` command."""
    start_quickly()
    run_command(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"reelflow {__version__}")
        raise typer.Exit


@app.callback()
def reelflow(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Classify video clips on this device."""


@app.command(epilog=EXIT_CODES)
def classify(
    bundle: BundleFolder,
    clips: Annotated[list[str], typer.Argument(metavar="CLIP...", help="Video files.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")] = False,
    threads: Threads = DEFAULT_THREADS,
) -> None:
    """Classify clips: one line per clip with its label, its score and the time it took.

    If the score is too low for an answer, the line says unsure and names the best guess.
    """
    from reelflow.edge.commands.many import classify_all

    failed = False
    outcomes = classify_all(_open(bundle), list(map(Path, clips)), cpus=DEFAULT_THREADS, threads=threads)
    for clip, found in zip(clips, outcomes, strict=True):
        if isinstance(found, ClipError):
            failed = True
            tell(f"error: {printable(clip)}: {found}")
        else:
            typer.echo(found.json_line(clip) if as_json else _text_line(clip, found))
    if failed:
        raise typer.Exit(ClipError.exit_code)


@app.command(epilog=EXIT_CODES)
def timeline(
    bundle: BundleFolder,
    video: Annotated[str, typer.Argument(metavar="VIDEO", help="A video of any length.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
    out: Annotated[
        list[Path] | None, typer.Option(help="Write a picture (.svg) or a document (.json); may be repeated.")
    ] = None,
    window: Annotated[
        float | None,
        typer.Option(min=0.1, max=3600, help="Seconds; by default the duration of the training clips."),
    ] = None,
    threads: Threads = DEFAULT_THREADS,
) -> None:
    """Classify a long video over time: one line per segment with its start, end, label and score."""
    from reelflow.edge.classifier import Classifier
    from reelflow.edge.timeline import make_timeline

    _check_outputs(out or [])
    checked = _open(bundle)
    with silenced_stderr():
        classifier = Classifier(checked, threads=threads)
    try:
        found = make_timeline(classifier, Path(video), window)
    except ClipError as error:
        raise ClipError(f"{printable(video)}: {error}") from error
    if as_json:
        typer.echo(found.to_json(), nl=False)
    else:
        for segment in found.segments:
            answer = _answer(segment.best_guess, segment.score, rejected=segment.label is None)
            typer.echo(f"{segment.start_s:9.2f} s {segment.end_s:9.2f} s  {answer}")
    _write_timeline(found, out or [])


@app.command(epilog=EXIT_CODES)
def verify(bundle: BundleFolder, threads: Threads = DEFAULT_THREADS) -> None:
    """Check the files of a bundle, and that this device decodes and computes as expected."""
    from reelflow.edge.bundle import open_bundle
    from reelflow.edge.seal import uncovered
    from reelflow.edge.selftest import self_test

    checked = open_bundle(bundle)
    with silenced_stderr():
        self_test(checked, threads=threads)
    report, left = checked.report, uncovered(bundle)
    typer.echo(
        f"{bundle}: {'sound, but not covered whole' if left else 'sound'}\n"
        f"  {report.name}, {len(report.labels)} classes, {report.sampling.frames} frames a clip\n"
        f"  {len(report.files)} files, {report.size_bytes / 1e6:.2f} MB: as listed\n"
        f"  {left or 'bundle.json and its records: as in SHA256SUMS'}\n"
        f"  golden vectors: as expected on this device\n"
        f"  golden video: decoded as expected on this device\n"
        f"  {_accuracy(report)}"
    )


def _open(folder: Path) -> "Bundle":
    from reelflow.edge.commands.opening import opened

    return opened(folder)


def _accuracy(report: "BundleReport") -> str:
    if report.parity.seen:
        return f"accuracy on clips that were held out: {report.accuracy:.4f}"
    return f"accuracy on {report.parity.clips} test clips: {report.parity.litert_accuracy:.4f}"


def _check_outputs(paths: list[Path]) -> None:
    for path in paths:
        if path.suffix not in (".svg", ".json"):
            raise ParamsError(f"--out {path} ends in {path.suffix!r}, expected .svg or .json: rename it")
        with disk_errors(path):
            if path.is_dir():
                raise ParamsError(f"--out {path} is a folder: name a file that ends in {path.suffix}")


def _write_timeline(found: "Timeline", paths: list[Path]) -> None:
    from reelflow.edge.drawing import draw
    from reelflow.files import write_text

    for path in paths:
        write_text(path, draw(found) if path.suffix == ".svg" else found.to_json())


def _text_line(clip: str, found: "Classification") -> str:
    answer = _answer(found.label, found.score, rejected=found.rejected)
    return f"{printable(clip)}: {answer} ({found.seconds:.3f} s)"


def _answer(label: str, score: float, *, rejected: bool) -> str:
    told = f"{printable(label)} {score:.3f}"
    return f"unsure (best guess {told})" if rejected else told
