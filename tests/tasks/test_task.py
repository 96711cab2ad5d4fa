"""tasks.lib.task: a step that refuses is one line."""

import pytest
from invoke.context import Context, MockContext
from invoke.exceptions import Exit
from tasks.lib.console import TaskError
from tasks.lib.task import task


@task(help={"why": "The reason."})
def refuse(_context: Context, why: str = "") -> None:
    """Refuse."""
    if why:
        raise TaskError(why)
    raise ZeroDivisionError


def test_a_refusal_is_one_line_and_exit_code_1() -> None:
    with pytest.raises(Exit) as ended:
        refuse(MockContext(), why="no")
    assert (ended.value.message, ended.value.code) == ("error: no", 1)
    assert ended.value.__suppress_context__


def test_a_mistake_of_the_engine_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        refuse(MockContext())


def test_the_menu_still_knows_the_options() -> None:
    assert [argument.name for argument in refuse.get_arguments()] == ["why"]
    assert refuse.__doc__ == "Refuse."
