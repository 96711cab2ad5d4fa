#!/bin/sh
# Starts @program@ with the Python that this release was made with, and with its own packages only.
_start_self=$0
[ ! -L "$_start_self" ] || _start_self=$(readlink -f "$_start_self")
_start_tree=$(cd -P "${_start_self%/*}/.." && pwd) || exit 127
exec "%PYTHON%" -I -S -B -c '@code@' "$_start_tree/packages" "$@"
