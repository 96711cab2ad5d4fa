"""The tests of the template."""

import sys

# Some tests import modules from the template's folder: a bake from here would copy their bytecode.
sys.dont_write_bytecode = True
