"""`reelflow info`."""

from typing import TYPE_CHECKING

import typer

from reelflow.commandline import printable
from reelflow.edge.commands.options import AsJson, BundleFolder

if TYPE_CHECKING:
    from reelflow.contracts import BundleReport


def info(bundle: BundleFolder, as_json: AsJson = False) -> None:
    """Show a bundle: its classes, data, accuracy and size. Nothing is computed."""
    from reelflow.edge.commands.opening import opened

    report = opened(bundle).report
    if as_json:
        typer.echo(report.to_json(), nl=False)
        return
    width = max(len(name) for name, _ in _facts(report)) + 2
    for name, text in _facts(report):
        typer.echo(f"{name:<{width}}{printable(text)}")


def _facts(report: "BundleReport") -> list[tuple[str, str]]:
    sampling, parity = report.sampling, report.parity
    how = report.backbone.preprocessing
    unsure = f"unsure below {report.reject_below:.2f}" if report.reject_below else "never unsure"
    measured = "clips it was trained on" if parity.seen else "test clips"
    window = f" in {sampling.clip_s:g} s" if sampling.clip_s else ""
    part = f", the middle {how.centre:.0%} of the shorter side" if how.centre else ""
    return [
        ("bundle", report.name),
        ("classes", ", ".join(report.labels)),
        ("accuracy", f"{report.accuracy:.3f} on clips that were held out; {unsure}"),
        ("on LiteRT", f"{parity.agreement:.1%} of answers as in training, on {parity.clips} {measured}"),
        ("data", report.data_hash[:12]),
        ("sees", f"{sampling.frames} frames{window}, {how.width} x {how.height} {how.color}{part}"),
        ("backbone", f"{report.backbone.name}, {report.backbone_quantization}"),
        ("head", f"{report.head}, {report.head_quantization}"),
        ("size", f"{report.size_bytes / 1e6:.2f} MB in {len(report.files)} files"),
    ]
