"""The tests of the template."""

import sys

# Some import modules from the folder that is baked: who bakes from here would get their bytecode.
sys.dont_write_bytecode = True
