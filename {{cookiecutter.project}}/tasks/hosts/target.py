"""Hosts as a target, with the methods that tasks call on any kind of target."""

from dataclasses import dataclass

from ..lib.target import Report, Rollout
from .ansible import play
from .outcome import HostOutcome
from .rollout import CHECK, Act, roll_out
from .settings import HostSettings


@dataclass(frozen=True)
class Hosts:
    """Hosts that get the same release, each of them a place."""

    settings: HostSettings

    @property
    def name(self) -> str:
        """The target's name in invoke.yaml."""
        return self.settings.name

    def state(self) -> dict[str, Report]:
        """Ask each host which release it runs, since when, and whether it is healthy."""
        program = self.settings.project.program
        hosts = play(self.settings, "look.yml", {"program": program})
        return {host: _state(outcome) for host, outcome in hosts.items()}

    def history(self) -> dict[str, Report]:
        """Ask each host what was activated when, and what failed and why."""
        program = self.settings.project.program
        hosts = play(self.settings, "history.yml", {"program": program})
        return {host: _history(outcome) for host, outcome in hosts.items()}

    def roll_out(self, rollout: Rollout) -> None:
        """Bring the hosts to a release, batch by batch; stop at the first that is not healthy.

        Raises `TaskError` for that host, and for hosts that cannot be reached.
        """
        act = Act(
            role=rollout.way,
            title=rollout.release,
            variables=rollout.means,
            health_seconds=rollout.health_seconds,
            wanted=rollout.release,
            quadrant=rollout.quadrant,
            options=CHECK if rollout.check else (),
            compare=rollout.compare,
        )
        roll_out(self.settings, act)

    def roll_back(self, release: str, health_seconds: int) -> None:
        """Bring the hosts back to a release, or to the one before where it is empty."""
        variables = {"rollback_to": release}
        act = Act("rollback", "rollback", variables, health_seconds=health_seconds, returns=True)
        roll_out(self.settings, act)


def _state(outcome: HostOutcome) -> Report:
    state = outcome.state
    if outcome.is_unreached:
        return Report((f"not reached: {outcome.reason}",), "not healthy")
    if outcome.is_failed:
        return Report((f"failed: {outcome.reason}",), "not healthy")
    if not state or not state.active:
        return Report(("nothing is installed",), "not healthy")
    quadrant, since = state.quadrant or "unknown", state.since or "unknown"
    line = f"{state.active} ({quadrant}) since {since}, {state.service}"
    more = {
        "on trial": state.trial,
        "last": state.said,
        "restarts": state.restarts and f"{state.restarts} since the last switch",
    }
    told = (f"{title}: {text}" for title, text in more.items() if text)
    return Report((line, *told), "" if state.is_well else "not healthy")


def _history(outcome: HostOutcome) -> Report:
    lines = outcome.history or (outcome.reason or "nothing was ever activated here",)
    problem = "not reached" if outcome.is_unreached else "failed" if outcome.is_failed else ""
    return Report(lines, problem)
