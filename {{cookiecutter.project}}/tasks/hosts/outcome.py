"""What Ansible and the hosts report after a playbook, by host."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class HostState:
    """What the engine on a host says of the installed release; empty where there is none."""

    active: str = ""
    """The name of the active release."""
    release: str = ""
    """Its release id."""
    quadrant: str = ""
    commit: str = ""
    since: str = ""
    service: str = ""
    """Such as `healthy at URL`, or `none: …` where there is no service."""
    trial: str = ""
    """What is on trial, and how much longer."""
    said: str = ""
    """What the host has done by itself since the last switch, such as going back."""
    restarts: str = ""
    """How often the service has restarted by itself since then; empty where it has not."""

    @property
    def is_well(self) -> bool:
        """Whether the service is as it should be."""
        return self.service.startswith(("healthy", "none"))

    @classmethod
    def of(cls, told: Mapping[str, Any] | None) -> "HostState":
        """Read what `NAME-admin status --json` says."""
        given = told or {}
        return cls(**{name: str(given.get(name) or "") for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class HostOutcome:
    """What a playbook did on one host, and how it ended there."""

    changes: int
    is_failed: bool
    is_unreached: bool
    reason: str
    """Why the host failed or was not reached."""
    seconds: float
    before: HostState | None = None
    after: HostState | None = None
    state: HostState | None = None
    history: tuple[str, ...] = ()
    is_set_up: bool = False

    @property
    def is_well(self) -> bool:
        """Whether nothing went wrong."""
        return not (self.is_failed or self.is_unreached)

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "HostOutcome":
        """Read what the callback plugin wrote: Ansible's counters, and the playbook's reports."""
        states = {
            name: HostState.of(told[name]) for name in ("before", "after", "state") if name in told
        }
        return cls(
            changes=told["changed"],
            is_failed=bool(told["failures"]),
            is_unreached=bool(told["unreachable"]),
            reason=told["reason"],
            seconds=told["seconds"],
            history=tuple(told.get("history") or ()),
            is_set_up="set_up" in told,
            **states,
        )


Outcome = dict[str, HostOutcome]
"""The outcomes by host."""
