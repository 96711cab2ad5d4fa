#!/bin/sh
# Installs tests/npm/package-lock.json in the folder that the only argument names: whole, or not at all.
set -eu
target=$1
[ ! -e "$target" ] || exit 0
here=$(cd "$(dirname "$0")" && pwd)
part=$target.part.$$
rm -rf "$part"
mkdir -p "$part"
trap 'rm -rf "$part"' EXIT
cp "$here/npm/package.json" "$here/npm/package-lock.json" "$part"
npm ci --prefix "$part" --ignore-scripts --no-audit --no-fund --silent
mv -T "$part" "$target" 2>/dev/null || [ -e "$target" ]
