"""The metrics for Prometheus that every program has."""

from prometheus_client import (
    CollectorRegistry,
    Gauge,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from .release import Release

# they add a series to each of ours, and nobody asks when counting began
disable_created_metrics()  # type: ignore[no-untyped-call]


def common(release: Release) -> CollectorRegistry:
    """Return the metrics of the process and of its release."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    Gauge(
        "build_info",
        "Always 1; its labels say which release this is.",
        ("version", "commit", "release"),
        registry=registry,
        multiprocess_mode="max",
    ).labels(release.version, release.commit or "", release.release).set(1)
    return registry
