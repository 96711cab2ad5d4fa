#!/bin/sh
# Installs @name@ on a machine that has nothing else. A gzipped tar of the bundle follows the last
# line of this script. For the options: sh FILE.run --help
{
set -eu
unset TAR_OPTIONS GZIP EXTRACT_UNSAFE_SYMLINKS
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}
payload() { tail -c +@skip@ "$file"; }
unpack() { # PATTERN ADVICE: makes a folder and unpacks the bundle to it
    folder=$(mktemp -d "$1" 2>/dev/null) || die "could not make a folder in ${1%/*}: $2"
    trap 'rm -rf "$folder"; [ -z "${made-}" ] || rmdir "$made" 2>/dev/null || :' EXIT
    trap 'exit 1' HUP INT TERM
    said=$({ payload | gzip -dc | tar -xof - -C "$folder"; } 2>&1) && [ -d "$folder/@name@" ] && return
    die "could not unpack to $folder, where $(($(stat -f -c '%a * %S / 1024' "$folder" || echo 0))) kB are" \
        "free: $(printf '%s\n' "$said" | head -n 1); if that is too little, $2"
}
extract() {
    if [ $# -ne 1 ]; then
        echo "error: --extract needs one folder, to which the bundle is unpacked" >&2
        exit 2
    fi
    if [ -e "$1/@name@" ] || [ -L "$1/@name@" ]; then die "'$1/@name@' is there already"; fi
    [ -d "$1" ] || made=$1
    mkdir -p "$1" || die "could not make the folder '$1'"
    unpack "$1/.unpacking.XXXXXX" "choose another folder"
    mv "$folder/@name@" "$1/@name@"
    echo "unpacked to $1/@name@; next: sh '$1/@name@/Script/install.sh' --help"
}
install() {
    unpack "${TMPDIR:-/tmp}/@name@.$$.XXXXXX" "set TMPDIR to a folder with more"
    # Pass signals on and return the installer's own exit code: only it knows how far it came.
    sh "$folder/@name@/Script/install.sh" "$@" &
    trap 'kill -s TERM $!' HUP INT TERM
    code=0
    while wait $! || code=$?; kill -0 $! 2>/dev/null; do code=0; done
    [ "$code" -le 2 ] || code=1
    exit "$code"
}
for tool in gzip mktemp sha256sum tail tar; do
    command -v "$tool" >/dev/null 2>&1 || die "this machine has no '$tool' command, which this needs"
done
file=$0
[ -f "$file" ] || file=$(command -v -- "$file")
digest=$(payload | sha256sum)
[ "${digest%% *}" = @digest@ ] || die "$file is damaged or was not copied to its end: copy it again"
for left in "${TMPDIR:-/tmp}/@name@".[0-9]*.*; do # left by runs that were killed
    owner=${left#"${TMPDIR:-/tmp}/@name@."}
    # shellcheck disable=SC3067 # not in POSIX, but every system's sh has it
    if [ -d "$left" ] && [ ! -L "$left" ] && [ -O "$left" ] && ! kill -0 "${owner%%.*}" 2>/dev/null
    then
        rm -rf "$left"
    fi
done
case ${1-} in
--extract) shift && extract "$@" ;;
*) install "$@" ;;
esac
exit
}
