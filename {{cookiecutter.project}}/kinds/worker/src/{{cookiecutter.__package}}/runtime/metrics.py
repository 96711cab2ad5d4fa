"""The metrics of a worker for Prometheus."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge

from .registry import common
from .release import Release


def of_worker(release: Release, age: Callable[[], float]) -> CollectorRegistry:
    """Return the metrics of a worker, whose last heartbeat is as old as `age` says."""
    registry = common(release)
    Gauge(
        "worker_heartbeat_age_seconds",
        "How long ago the worker's last heartbeat was.",
        registry=registry,
    ).set_function(age)
    return registry
