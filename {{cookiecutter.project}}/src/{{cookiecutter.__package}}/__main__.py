"""``python -m`` is the same as the installed command."""

from .cli import main

main()
