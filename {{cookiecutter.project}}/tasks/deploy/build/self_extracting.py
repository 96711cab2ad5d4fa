"""Joins a script and the archive that it unpacks into one executable file."""

import hashlib

from .render import render


def onefile(head: str, tokens: dict[str, str], payload: bytes) -> bytes:
    """Return the file that begins with the script `head` and ends with `payload`, a gzipped tar.

    Each ``@token@`` of the head is replaced by its value in `tokens`; two are computed here:
    ``@digest@``, the payload's SHA-256, and ``@skip@``, the number of the payload's first byte,
    counted from 1 as ``tail -c +N`` does. The same input gives the same bytes.

    Raises ValueError for a token without a value, and for a head without a line end after its last
    line: the payload would be a part of that line.
    """
    if not head.endswith("\n"):
        raise ValueError("the head's last line has no end")
    digest = hashlib.sha256(payload).hexdigest()
    skip = 0
    while True:  # a number with more digits moves the payload by as many bytes
        rendered = render(head, {**tokens, "digest": digest, "skip": str(skip)}).encode()
        if skip == len(rendered) + 1:
            return rendered + payload
        skip = len(rendered) + 1
