"""invoke's task, with one line instead of a traceback when a step refuses."""

import functools
from collections.abc import Callable
from typing import Any

from invoke import tasks
from invoke.exceptions import Exit

from .console import TaskError


def task(**options: Any) -> Callable[[Callable[..., None]], Any]:
    """Make a function an invoke task; a `TaskError` ends the run with one line and its code."""

    def decorate(function: Callable[..., None]) -> Any:
        @functools.wraps(function)
        def reported(*args: Any, **kwargs: Any) -> None:
            try:
                function(*args, **kwargs)
            except TaskError as failure:
                raise Exit(f"error: {failure}", code=failure.exit_code) from None

        return tasks.task(reported, **options)

    return decorate
