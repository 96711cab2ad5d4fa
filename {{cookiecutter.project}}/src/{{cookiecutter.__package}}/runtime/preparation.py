"""Prepare the program's data for a release, by the program's own function."""

import asyncio
import inspect
import logging
import traceback
from typing import Any

from .hook import Hook

logger = logging.getLogger(__name__)


class PreparationError(Exception):
    """The function failed; the message is one line that says how."""


def run(hook: Hook) -> None:
    """Call `hook`, and wait for it if it is asynchronous.

    Raise PreparationError if it fails, after the log has all of that.
    """
    try:
        answer = hook()
        if inspect.isawaitable(answer):
            asyncio.run(_awaited(answer))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # it may also exit
        logger.exception("the before_switch hook failed")
        said = traceback.format_exception_only(error)[-1].strip().splitlines()[0]
        raise PreparationError(f"before_switch failed: {said}") from None


async def _awaited(answer: Any) -> None:
    await answer
