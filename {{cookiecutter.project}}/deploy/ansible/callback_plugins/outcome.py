"""Ansible's stdout callback: print a line for each change or failure on a host, and no more.

At the end, write the outcome of each host as JSON to the file that HOSTS_OUTCOME names.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: outcome
type: stdout
short_description: a line for what happens on a host
description: Says what is done where, and keeps what each host came to.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Print what is done on which host, and keep the outcome of each host."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "outcome"

    def __init__(self) -> None:
        super().__init__()
        self._reasons: dict[str, str] = {}
        self._began: dict[str, float] = {}
        self._seconds: dict[str, float] = {}
        self._plays: list[str] = []
        self._inventory: list[str] = []

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Count the plays by name, because each batch starts a play; keep the inventory's order."""
        self._inventory = play.get_variable_manager().get_vars(play=play)["groups"]["all"]
        if play.get_name() not in self._plays:
            self._plays.append(play.get_name())

    def v2_runner_on_start(self, host: Any, _task: Any) -> None:
        """Keep when a host's turn began, except in the first play, which changes nothing."""
        if len(self._plays) > 1:
            self._began.setdefault(host.name, time.monotonic())

    def v2_runner_on_ok(self, result: Any) -> None:
        """Print the name of a task that changed something."""
        self._time(result)
        if result.is_changed():
            self._say(result, result.task_name)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Keep and print the reason."""
        if not ignore_errors:
            self._fail(result, _reason(result.result))

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Keep and print the reason."""
        self._fail(result, f"cannot be reached: {_reason(result.result)}")

    def v2_on_file_diff(self, result: Any) -> None:
        """Show what a file would become."""
        if result.result.get("diff"):
            self._display.display(self._get_diff(result.result["diff"]))

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Write the outcome of each host."""
        hosts = {
            host: {**stats.summarize(host), "reason": self._reasons.get(host, ""),
                   "seconds": self._seconds.get(host, 0.0), **stats.custom.get(host, {})}
            for host in sorted(stats.processed, key=self._inventory.index)
        }  # fmt: skip
        Path(os.environ["HOSTS_OUTCOME"]).write_text(json.dumps(hosts), encoding="utf-8")

    def _time(self, result: Any) -> None:
        name = result.host.name
        if name in self._began:
            self._seconds[name] = time.monotonic() - self._began[name]

    def _fail(self, result: Any, reason: str) -> None:
        self._time(result)
        self._reasons.setdefault(result.host.name, reason)
        self._say(result, f"{result.task_name}: {reason}")

    def _say(self, result: Any, text: str) -> None:
        self._display.display(f"  - {result.host.name}: {text}")


def _reason(result: dict[str, Any]) -> str:
    """Return the line of a result that says why it failed; join those of a loop in one line."""
    if failed := [item for item in result.get("results", ()) if item.get("failed")]:
        return "; ".join(map(_reason, failed))
    for key in ("stderr", "msg", "module_stderr"):
        lines = [line.strip() for line in str(result.get(key) or "").splitlines() if line.strip()]
        if lines:
            return lines[-1].removeprefix("Task failed: ").removeprefix("error: ")
    return "no reason given"
