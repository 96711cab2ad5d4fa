"""The engine's errors, and functions that turn text from elsewhere into one safe line."""

import unicodedata

LONGEST = 300


class HostError(Exception):
    """A request was refused or failed; the message is one line for the operator."""

    exit_code = 1


class Misuse(HostError):  # noqa: N818 (it says what it is)
    """The caller passed wrong arguments."""

    exit_code = 2


def one_line(text: str, longest: int = LONGEST) -> str:
    """Return `text` as one printable line of at most `longest` characters.

    The output of programs, journals and services may hold control characters for the terminal.
    """
    shown = printable(" ".join(text.split()))
    return shown if len(shown) <= longest else f"{shown[:longest]}…"


def printable(text: str) -> str:
    """Return `text` with a question mark for each character that cannot be shown."""
    return "".join(c if unicodedata.category(c)[0] != "C" else "?" for c in text)


def last_line(text: str) -> str:
    """Return the last line of `text` that is not blank."""
    lines = [line for line in text.splitlines() if line.strip()]
    return one_line(lines[-1]) if lines else ""


def reason(text: str) -> str:
    """Return the reason a failed program gave: its last line, without a leading ``error: ``."""
    return last_line(text).removeprefix("error: ")
