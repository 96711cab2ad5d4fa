"""Make ``python -m`` do the same as the installed command."""

from .cli import main

main()
