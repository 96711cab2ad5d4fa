"""Remembers what was published from which plan, so that an unchanged build does nothing."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from ...lib.console import TaskError
from . import bases, publish, release_tree, signing
from .plan import Plan

_RECORD = "published.json"


def is_published(plan: Plan, **facts: str) -> bool:
    """Return whether exactly this build is published, with every byte unchanged.

    `facts` decide the build together with the plan.
    """
    try:
        record = json.loads((plan.build / _RECORD).read_text(encoding="utf-8"))
        if record["key"] != _key(plan, facts) or not bases.is_current(plan.build / record["base"]):
            return False
        unsigned = signing.verify(plan.dist, plan.settings, plan.project.program)
        return not (unsigned or publish.verify(plan.dist))
    except (KeyError, OSError, ValueError, TaskError):
        return False


def build_once(plan: Plan, build: Callable[[Path], Path], **facts: str) -> bool:
    """Publish what `build` makes, unless exactly that is published; return whether it was made.

    `build` gets the folder for the artefacts and returns the folder of the base that it used.
    Checksums and their signature are added here. A failed build leaves what was published before.
    """
    if is_published(plan, **facts):
        return False
    with publish.staging(plan.dist) as output:
        base = build(output)
        publish.write_checksums(output)
        signing.sign(output, plan.settings)
        release_tree.normalise(output, plan.revision.epoch)
    text = json.dumps({"key": _key(plan, facts), "base": base.name})
    (plan.build / _RECORD).write_text(text, encoding="utf-8")
    return True


def _key(plan: Plan, facts: Mapping[str, str]) -> str:
    """Return everything that decides a build, to compare it with what was published."""
    parts = [plan.revision.inputs, plan.revision.release, plan.revision.epoch, plan.system,
             plan.interpreter.build, plan.onefile, asdict(plan.settings),
             signing.digests(plan.settings), facts]  # fmt: skip
    return json.dumps(parts, sort_keys=True)
