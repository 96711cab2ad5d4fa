"""A terminal on a machine: a person types what a command asks for."""

import os
import select
import time

from .machine import Machine

_SECONDS = 60


def typed(machine: Machine, command: str, *answers: tuple[str, str]) -> str:
    """Run a command at a terminal, and type an answer at each question.

    Return all that was shown; check that the command ends well.
    """
    # It gives the command a terminal of its own, and passes on what is typed.
    typist = machine.background("script", "--quiet", "--return", "--command", command, "/dev/null")
    with typist:
        assert typist.stdin
        assert typist.stdout
        shown = ""
        try:
            for question, answer in answers:
                shown += _read_until(typist.stdout.fileno(), question)
                typist.stdin.write(f"{answer}\n")
                typist.stdin.flush()
            shown += typist.communicate(timeout=_SECONDS)[0]
        finally:
            typist.kill()
    assert typist.returncode == 0, shown
    return shown


def _read_until(stream: int, question: str) -> str:
    shown, end = "", time.monotonic() + _SECONDS
    while question not in shown:
        ready, _, _ = select.select([stream], [], [], max(0, end - time.monotonic()))
        more = os.read(stream, 4096).decode() if ready else ""
        assert more, f"it does not ask {question!r}: {shown}"
        shown += more
    return shown
