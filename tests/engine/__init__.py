"""The host engine on a machine that the tests control: its disk, its systemd, its time.

`world` is that machine; `disk`, `systemd` and `programs` are its parts. `scenes` has installations
on it, and `promises` has what must hold on each of them, whatever goes wrong at whatever call.
"""
