"""The host engine: installs, switches, watches and removes releases on one machine.

Each release carries it and runs it with its own interpreter, as ``NAME-admin``. Standard library
only. `switch` is the heart of it: read that first.
"""
