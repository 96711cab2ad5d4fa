"""Make ``python -m`` do the same as the installed command."""

import sys

from . import NAME
from .program import find
from .reference import ProgramError

try:
    command = find()
except ProgramError as error:
    sys.exit(f"error: {error}")
sys.argv[0] = NAME
sys.exit(command())
