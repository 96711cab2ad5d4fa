"""Django's commands: ``pipenv run manage``, and ``my-service manage`` where it is installed."""

import os
import sys

import django
from django.core.management import call_command, execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "my_service.config.settings")


def main() -> None:
    """Run the command that the command line names."""
    execute_from_command_line(sys.argv)


def before_switch() -> None:
    """Migrate the database, before a new release takes over."""
    django.setup()
    call_command("migrate", interactive=False)


if __name__ == "__main__":
    main()
