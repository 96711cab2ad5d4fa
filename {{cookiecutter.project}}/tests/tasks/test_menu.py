"""The menu: every task loads, and says what it and its options do."""

import re

import pytest
from tasks import namespace

TASKS = sorted(namespace.task_names)


@pytest.mark.parametrize("name", TASKS)
def test_a_task_explains_itself(name: str) -> None:
    task = namespace[name]
    assert re.fullmatch(r"[A-Z].*\.", (task.__doc__ or "").splitlines()[0])
    unexplained = [argument.name for argument in task.get_arguments() if not argument.help]
    assert unexplained == []


def test_what_every_project_can_do_is_there() -> None:
    assert {"clean", "deploy.status", "deploy.rollback", "deploy.verify"} <= set(TASKS)
