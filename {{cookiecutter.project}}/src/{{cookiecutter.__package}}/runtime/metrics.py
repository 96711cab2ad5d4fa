"""The metrics for Prometheus. Each app has its own set, so that no two share their counts."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from .release import Release

METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
OTHER = "other"
"""Stands for every unknown path or method: a caller must not be able to invent label values."""

# they add a series to each of ours, and nobody asks when counting began
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """The metrics of one app."""

    def __init__(self, release: Release) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
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
            "http": Gauge(*requests, registry=registry),
            "websocket": Gauge("websockets_open", "WebSockets open now.", registry=registry),
        }
        """What goes on now, by the type of its ASGI scope."""
        Gauge(
            "build_info",
            "Always 1; its labels say which release this is.",
            ("version", "commit", "release"),
            registry=registry,
        ).labels(release.version, release.commit or "", release.release).set(1)

    def answered(self, method: str, route: str, status: int, seconds: float | None) -> None:
        """Count one request; `route` is the route's template, never the requested path."""
        method = method if method in METHODS else OTHER
        self.requests.labels(method, route, int(status)).inc()
        if seconds is not None:
            self.duration.labels(method, route).observe(seconds)
