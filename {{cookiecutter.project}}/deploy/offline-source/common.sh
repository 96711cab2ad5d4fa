# shellcheck shell=sh disable=SC2034,SC2154
# Read by the scripts beside it: their options, whether the bundle is whole, and how a release is
# made of it. What places and machines are like, the release's own host/*.sh know; they are read
# (by read_host) after the bundle was found whole.
bundle=$(dirname "$(dirname "$(readlink -f "$0")")")
sums=$bundle/Script/SHA256SUMS
# The release, all but its Python
parts=$bundle/Script/release

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

misuse() {
    printf 'error: %s (see %s --help)\n' "$*" "${0##*/}" >&2
    exit 2
}

options() { # ALLOWED ARGUMENT...: ALLOWED names the options, and OPERAND where one may stand
    allowed=" $1 " below='' given_settings='' given_key='' required='' older='' purge='' operand=''
    shift
    while [ $# -gt 0 ]; do
        case $1 in
        -h | --help)
            usage
            exit
            ;;
        -*) case $allowed in *" $1 "*) ;; *) misuse "unknown option '$1'" ;; esac ;;
        esac
        case $1 in
        --prefix | --settings | --key)
            [ -n "${2-}" ] || misuse "$1 needs a value"
            case $1 in
            --prefix) below=$2 ;;
            --settings) given_settings=$2 ;;
            --key) given_key=$2 ;;
            esac
            shift
            ;;
        --require-signature) required=yes ;;
        --allow-downgrade) older=allowed ;;
        --purge) purge=yes ;;
        *)
            case $allowed$operand in *' OPERAND ') ;; *) misuse "unexpected argument '$1'" ;; esac
            operand=$1
            ;;
        esac
        shift
    done
    [ -z "$given_key" ] || [ -f "$given_key" ] || misuse "there is no file '$given_key'"
}

faults() { # a line for each file that is not as the bundle was made
    if ! grep -q . "$sums" 2>/dev/null; then
        echo "missing: Script/SHA256SUMS"
        return
    fi
    cd "$bundle" || return
    find . ! -type f ! -type d | sed 's|^\./|neither file nor folder: |'
    grep -v '^[0-9a-f]\{64\}  .' "$sums" | sed 's/^/not a checksum: /'
    listed=$(sed 's/^[0-9a-f]*  //' "$sums")
    present=$(find . -type f ! -path ./Script/SHA256SUMS ! -path ./Script/SHA256SUMS.sig |
        sed 's|^\./||')
    printf '%s\n' "$listed" "$present" "$present" | sort | uniq -u | sed 's/^/missing: /'
    printf '%s\n' "$listed" "$listed" "$present" | sort | uniq -u | sed 's/^/not of the bundle: /'
    sha256sum -c "$sums" 2>/dev/null | sed -n 's/: FAILED.*$//p' | while read -r file; do
        [ ! -f "$file" ] || printf 'changed: %s\n' "$file"
    done
}

require_whole() { # names every file that is not
    wrong=$(faults)
    [ -n "$wrong" ] || return 0
    printf '%s\n' "$wrong" >&2
    die "$bundle is not whole, nothing was done: its files that are wrong are named above"
}

know_places() { # sets name, base and their like (place.sh)
    read_host
    here_tree=$parts
    use_place "$parts" "$below"
}

read_host() {
    host=$parts/host
    [ -f "$host/release.conf" ] || die "$bundle is not whole: Script/release/host is missing"
    # shellcheck source=../host/common.sh
    . "$host/common.sh"
    # shellcheck source=../host/place.sh
    . "$host/place.sh"
    # shellcheck source=../host/lock.sh
    . "$host/lock.sh"
    # shellcheck source=../host/tree.sh
    . "$host/tree.sh"
    # shellcheck source=../host/signature.sh
    . "$host/signature.sh"
    # shellcheck source=../host/settings.sh
    . "$host/settings.sh"
}

make_tree() { # BUNDLE TREE: the release, ready to run; whoever installs it compares its checksums
    set -- "$1" "$2" "$1"/Python*/
    if [ $# -ne 3 ] || [ ! -d "$3" ]; then die "$1 is not whole: there is not one Python in it"; fi
    said=$(copy_parts "$@" 2>&1) || die "could not write $2: $(last_line "$said")"
    said=$(sh "$2/python/bin/python3" -I -B "$1/Script/environment.py" "$1" "$2" 2>&1) ||
        die "could not make the environment: $(last_line "$said" | sed 's/^error: //')"
}

copy_parts() { # BUNDLE TREE PYTHON
    # Media may have lost the modes, or hold what nobody may write to.
    mkdir "$2" && cp -R "$1/Script/release/." "$2/" && cp -R "$3" "$2/python" &&
        chmod -R u+rwX,go+rX,go-w "$2" && cd "$2" &&
        find . -type f \( -path './bin/*' -o -path './host/*' -o -path './python/bin/*' \
            -o -name 'ld-*.so*' \) -exec chmod 755 {} +
}

last_line() { printf '%s\n' "$1" | tail -n 1; }
