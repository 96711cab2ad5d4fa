"""Plain users of a machine, who install below their home folder."""

from dataclasses import dataclass
from pathlib import Path

from .machine import Machine, Result
from .releases import NAME
from .service import active, eventually


@dataclass(frozen=True)
class User:
    """A plain user; make it with `add_user`."""

    machine: Machine
    name: str

    @property
    def home(self) -> str:
        """Return the home folder."""
        return f"/home/{self.name}"

    @property
    def base(self) -> str:
        """Return where the project is installed without a prefix."""
        return f"{self.home}/.local/opt/{NAME}"

    @property
    def admin(self) -> str:
        """Return the command that administers it."""
        return f"{self.home}/.local/bin/{NAME}-admin"

    @property
    def become(self) -> tuple[str, ...]:
        """Return the words that run a command as this user, with HOME set as by a login."""
        user = ("setpriv", f"--reuid={self.name}", f"--regid={self.name}", "--init-groups")
        return (*user, "env", f"HOME={self.home}")

    def run(self, *command: str | Path, check: bool = True, seconds: float = 120) -> Result:
        """Run a command as this user."""
        return self.machine.run(*self.become, *command, check=check, seconds=seconds)

    def sh(self, script: str, *, check: bool = True, seconds: float = 120) -> Result:
        """Run a shell script as this user."""
        return self.run("sh", "-c", script, check=check, seconds=seconds)

    def ctl(self, *arguments: str, check: bool = True) -> str:
        """Run systemctl for the user's own systemd, and return its output."""
        script = 'XDG_RUNTIME_DIR=/run/user/$(id -u) exec systemctl --user "$@"'
        return self.run("sh", "-c", script, "sh", *arguments, check=check).stdout.strip()

    def active(self) -> str | None:
        """Return the version that `current` names."""
        return active(self.machine, self.base)


def add_user(machine: Machine, name: str, *, lingering: bool) -> User:
    """Add a user; with `lingering`, its own systemd runs from now on and after each boot."""
    machine.run("useradd", "--create-home", name)
    user = User(machine, name)
    if lingering:
        machine.run("loginctl", "enable-linger", name)
        await_manager(user)
    return user


def await_manager(user: User) -> None:
    """Wait until the user's own systemd is up."""
    up = {"running", "degraded"}
    eventually(lambda: user.ctl("is-system-running", check=False) in up, "a user's systemd")
