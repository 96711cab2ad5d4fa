"""The socket in a folder of systemd's at which the program answers health checks."""

import socket
from collections.abc import Mapping
from pathlib import Path

BACKLOG = 2048
"""How many connections may wait to be accepted (the system may allow fewer)."""
HEALTH = "health.sock"
"""The name of the socket in the folder that systemd makes for a program while it runs."""


class SocketError(Exception):
    """The program cannot listen; the message is one line that says why."""


def listen(environ: Mapping[str, str]) -> socket.socket | None:
    """Listen at ``health.sock`` in the first RUNTIME_DIRECTORY, if systemd provides one.

    Only the program's own user and root can connect. Raise SocketError if listening fails.
    """
    folder = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    if not folder:
        return None
    path = Path(folder, HEALTH)
    sock = socket.socket(socket.AF_UNIX)
    try:
        path.unlink(missing_ok=True)  # left by a process that was killed
        sock.bind(str(path))
        path.chmod(0o600)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise SocketError(f"cannot listen on {path}: {why(error)}") from None
    return sock


def why(error: OSError) -> str:
    """Return the reason of an error, for a line that names the address itself."""
    # create_server() adds the address
    return str(error.strerror or error).partition(" (while")[0].lower()
