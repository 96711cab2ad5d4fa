"""What can go wrong, said in one line."""

import unicodedata

LONGEST = 300


class HostError(Exception):
    """Refused, or failed; the text is one line for the operator."""

    exit_code = 1


class Misuse(HostError):  # noqa: N818 (it says what it is)
    """The caller asked for what cannot be."""

    exit_code = 2


def one_line(text: str, longest: int = LONGEST) -> str:
    """Return `text` as one printable line of at most `longest` characters.

    What programs, journals and services say is not trusted to be harmless on a terminal.
    """
    shown = printable(" ".join(text.split()))
    return shown if len(shown) <= longest else f"{shown[:longest]}…"


def printable(text: str) -> str:
    """Return `text` with what is no character to be shown as a question mark."""
    return "".join(c if unicodedata.category(c)[0] != "C" else "?" for c in text)


def last_line(text: str) -> str:
    """Return the last line of `text` that is not blank."""
    lines = [line for line in text.splitlines() if line.strip()]
    return one_line(lines[-1]) if lines else ""


def reason(text: str) -> str:
    """Return why a program says it has failed: its last line, which may begin with ``error: ``."""
    return last_line(text).removeprefix("error: ")
