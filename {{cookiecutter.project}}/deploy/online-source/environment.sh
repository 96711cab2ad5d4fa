# shellcheck shell=sh disable=SC2154
# Read by install.sh: the environment that Pipfile.lock says, every file checked against its hash.
# The index is the one that pip and uv are set to here.

make_environment() { # FOLDER PYTHON: makes FOLDER/packages
    for installer in uv pipenv pip; do
        if has_"$installer" "$2"; then
            attempt "make the environment" with_"$installer" "$1" "$2"
            rm -rf "$1/packages/bin"
            return
        fi
    done
    die "this machine has no uv and no pipenv, and $2 has no pip: install one of them"
}

has_uv() { command -v uv >/dev/null 2>&1; }
has_pipenv() { command -v pipenv >/dev/null 2>&1; }
has_pip() { "$1" -I -c 'import ensurepip' 2>/dev/null; }

with_uv() {
    uv pip sync --quiet --require-hashes --compile-bytecode --link-mode copy \
        --no-python-downloads --python "$2" --target "$1/packages" "$kit/requirements.txt"
}

with_pipenv() {
    "$2" -m venv --without-pip "$1/venv" && cd "$1/source" &&
        VIRTUAL_ENV=$1/venv PATH=$1/venv/bin:$PATH PIPENV_VERBOSITY=-1 PIPENV_NOSPIN=1 pipenv sync &&
        mv "$1"/venv/lib/python*/site-packages "$1/packages"
}

with_pip() {
    "$2" -m venv "$1/venv" &&
        "$1/venv/bin/python" -m pip --disable-pip-version-check install --quiet --no-deps \
            --require-hashes --target "$1/packages" --requirement "$kit/requirements.txt"
}
