#!/bin/sh
# Starts @program@ on the Python that this release was made with, and on nothing else that is here.
_start_self=$0
[ ! -L "$_start_self" ] || _start_self=$(readlink -f "$_start_self")
_start_tree=$(cd -P "${_start_self%/*}/.." && pwd) || exit 127
exec "%PYTHON%" -I -S -B -c '@code@' "$_start_tree/packages" "$@"
