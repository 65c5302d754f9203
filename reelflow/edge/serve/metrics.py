"""Figures of a watched source as Prometheus reads them."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from reelflow import __version__
from reelflow.edge.serve.board import Snapshot
from reelflow.edge.watch.stages import StageClock
from reelflow.edge.watch.thermal import temperature_c

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class WatchMetrics(Collector):
    """Asks for the figures whenever they are read; nothing is counted twice."""

    def __init__(self, snapshot: Callable[[], Snapshot], stages: StageClock) -> None:
        """Prepare a registry of its own."""
        self._snapshot, self._stages = snapshot, stages
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """All figures, in the text format."""
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        """Nothing: names are not checked against those of other collectors."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The figures of now."""
        now = self._snapshot()
        yield from _of_source(now)
        scores = GaugeMetricFamily(
            "reelflow_score", "Of the current answer; absent without one", labels=["label"]
        )
        for label, score in (now.answer.scores if now.answer else {}).items():
            scores.add_metric([label], score)
        events = CounterMetricFamily("reelflow_events", "Events that started", labels=["label"])
        for label, count in now.event_counts.items():
            events.add_metric([label], count)
        stages = SummaryMetricFamily("reelflow_stage_seconds", "Work, by stage", labels=["stage"])
        for stage, seconds in dict(self._stages.seconds).items():
            stages.add_metric([stage], self._stages.rounds[stage], seconds)
        yield from (scores, events, stages)


def _of_source(now: Snapshot) -> Iterator[Metric]:
    info = GaugeMetricFamily("reelflow_info", "Version of reelflow", labels=["version"])
    info.add_metric([__version__], 1)
    yield info
    yield GaugeMetricFamily("reelflow_source_connected", "1 while the source is connected", now.is_connected)
    if now.frame_age_s is not None:
        yield GaugeMetricFamily("reelflow_frame_age_seconds", "Age of the newest frame", now.frame_age_s)
    yield CounterMetricFamily("reelflow_frames", "Frames that were looked at", now.frames)
    yield CounterMetricFamily(
        "reelflow_frames_dropped", "Frames that were dropped because they came too fast", now.dropped
    )
    yield CounterMetricFamily("reelflow_reconnects", "Reconnections to the source", now.reconnects)
    heat_c = temperature_c()
    if heat_c is not None:
        yield GaugeMetricFamily("reelflow_temperature_celsius", "Highest sensor of the device", heat_c)
