"""End the process, whatever the program's own threads do."""

import os
import threading

END_SECONDS = 1.0
"""How long the program's own threads get to end once the program has stopped."""


def end(code: int = 0) -> None:
    """End the process soon, even if a thread of the program, such as a WSGI request's, hangs."""
    last = threading.Timer(END_SECONDS, os._exit, [code])
    last.daemon = True
    last.start()
