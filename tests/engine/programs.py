"""The releases of the model: how they start, answer and fail."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from host.place import Place
from host.programs import ProgramError, Programs

if TYPE_CHECKING:
    from tests.engine.world import World

GOOD, EXITS, HANGS, WRONG, DEAF = "good", "exits", "hangs", "wrong", "deaf"
RAISES, MUTE = "raises", "mute"
CRASHES, SICKENS = "crashes", "sickens"
BAD_SETTING = b"BAD=1\n"


@dataclass(frozen=True)
class Kind:
    """What a release does when it is started."""

    start: str = GOOD
    """DEAF gets ready, but ignores the signal to accept callers. RAISES and MUTE are workers that
    get ready to work; then they fail at once, or give no heartbeat."""
    later: str = ""
    after: float = 0.0
    """Seconds from its start until it fails, in the way of `later`."""
    hook: str = ""
    """What its hook does before a switch, if it has one: GOOD, EXITS or HANGS."""
    runs: bool = True
    """Whether its `version` command works."""


class ModelPrograms(Programs):
    """The programs of the installed releases."""

    def __init__(self, place: Place, world: "World") -> None:
        super().__init__(place)
        self._world = world
        self.kinds: dict[str, Kind] = {}

    def kind(self, release: str, settings: Mapping[str, bytes]) -> Kind:
        if BAD_SETTING in settings.values():
            return Kind(EXITS)
        return self.kinds.get(release, Kind())

    def require_runs(self, release: str) -> None:
        self._world.step(f"version of {release}", lambda: None, ProgramError("no answer"))
        if not self.kinds.get(release, Kind()).runs:
            raise ProgramError("'demo version' says '', expected 'demo'")

    def require_ready(self, release: str, url: str, seconds: float) -> None:
        self._world.step(f"check {url} for {release}", lambda: None, ProgramError("no answer"))
        until = self._world.now + seconds
        while why := self._fault(release, url):
            if self._world.now >= until:
                raise ProgramError(why)
            self._world.wait(1.0)

    def _fault(self, release: str, url: str) -> str:
        systemd = self._world.systemd
        systemd.work()
        asked = {
            "unix:/run/demo/health.sock": [systemd.service],
            "unix:/run/demo-next/health.sock": [systemd.next],
        }.get(url, systemd.answering())
        running = [unit for unit in asked if unit.is_ready]
        if not running:
            return f"no answer at {url}"
        for unit in running:
            if unit.kind.start == WRONG or unit.release != release:
                return f"it answers as {unit.release}"
            if unit.is_sick:
                return "it is not ready: 503"
        return ""
