"""The host engine: installs, switches, watches and removes releases on one machine.

Each release contains the engine and runs it with its own interpreter, as ``NAME-admin``. It uses
the standard library only. Read `switch` first: it is the central module.
"""
