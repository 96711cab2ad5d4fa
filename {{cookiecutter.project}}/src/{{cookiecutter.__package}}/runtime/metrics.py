"""The metrics for Prometheus. Each app has its own set, so that no two share their counts.

Where several workers serve, each writes its counts to a file, and any of them adds up all files.
"""

from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from .registry import common
from .release import Release
from .shared_metrics import folder, pids

METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
OTHER = "other"
"""Stands for every unknown path or method: a caller must not be able to invent label values."""

_TOTALS = {"process_start_time_seconds": min, "process_max_fds": min}
"""How a number for all workers comes from theirs, if it is no sum."""


class Metrics:
    """The metrics of one app."""

    def __init__(self, release: Release) -> None:
        self._registry = registry = common(release)
        self._folder = folder()
        """Where the workers' metrics are, if there are several."""
        self.requests = Counter(
            "http_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=registry,
        )
        self.duration = Histogram(
            "http_request_duration_seconds",
            "From a request's head to the end of its answer.",
            ("method", "route"),
            registry=registry,
        )
        requests = "http_requests_in_progress", "Requests being answered now."
        self.open = {
            "http": _gauge(*requests, registry=registry),
            "websocket": _gauge("websockets_open", "WebSockets open now.", registry=registry),
        }
        """What goes on now, by the type of its ASGI scope."""
        self._counts: dict[tuple[str, str, int], Counter] = {}
        self._durations: dict[tuple[str, str], Histogram] = {}

    def gathered(self) -> CollectorRegistry:
        """Return all metrics: those of all workers together, if there are several."""
        if self._folder is None:
            return self._registry
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(self._folder))  # type: ignore[no-untyped-call]
        PlatformCollector(registry=registry)
        registry.register(Processes(self._folder))
        return registry

    def answered(self, method: str, route: str, status: int, seconds: float | None) -> None:
        """Count one request; `route` is the route's template, never the requested path."""
        method = method if method in METHODS else OTHER
        count = self._counts.get((method, route, status))
        if count is None:  # to find it by its labels takes three times as long
            count = self.requests.labels(method, route, int(status))
            self._counts[method, route, status] = count
        count.inc()
        if seconds is None:
            return
        duration = self._durations.get((method, route))
        if duration is None:
            duration = self._durations[method, route] = self.duration.labels(method, route)
        duration.observe(seconds)


class Processes(Collector):
    """The metrics of all workers' processes: sums, and the first start."""

    def __init__(self, where: Path) -> None:
        self._where = where

    def collect(self) -> Iterable[Metric]:
        """Return the metrics."""
        found: dict[str, Metric] = {}
        values: dict[str, list[float]] = defaultdict(list)
        for pid in pids(self._where):
            for metric in ProcessCollector(pid=partial(int, pid), registry=None).collect():
                found.setdefault(metric.name, metric)
                values[metric.name].append(metric.samples[0].value)
        for name, metric in found.items():
            [sample] = metric.samples
            total = _TOTALS.get(name, sum)(values[name])
            metric.samples = [sample._replace(value=total)]
        return found.values()


def _gauge(name: str, text: str, registry: CollectorRegistry) -> Gauge:
    return Gauge(name, text, registry=registry, multiprocess_mode="livesum")
