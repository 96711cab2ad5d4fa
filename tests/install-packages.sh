#!/bin/sh
# Installs what the tests run besides Python, on Debian 12 or newer; does nothing where all is there.
set -eu
packages="
    apt-utils
    createrepo-c
    dnf
    dpkg-dev
    git
    gnupg
    iproute2
    man-db
    mmdebstrap
    openssh-client
    busybox-static
    qemu-user-static
    rpm
    shellcheck
    systemd-container
"
missing=
for package in $packages; do
    case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
    *' installed') ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # a list of names
apt-get install -y -qq --no-install-recommends $missing
