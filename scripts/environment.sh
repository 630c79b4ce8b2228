#!/bin/sh
# Make .venv from the lock file: `environment.sh run` for what running needs, `environment.sh test` for everything.
# Each step leaves a stamp, so that a second run does nothing. uv comes into the environment by pip.
set -eu
cd "$(dirname "$0")/.."
want=${1:-run}
say() { printf '%s\n' "$*" >&2; }

find_python() {
    for python in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.14; do
        if command -v "$python" >/dev/null 2>&1 &&
            "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' 2>/dev/null; then
            printf '%s' "$python"
            return 0
        fi
    done
    say "medtwin needs Python 3.11 to 3.14; found: $(python3 --version 2>&1 || echo none)."
    say "Install one (Debian: apt-get install python3 python3-venv; macOS: brew install python@3.13), or name one: make PYTHON=/path/to/python3."
    return 1
}

if [ "$(uname -sm)" = "Darwin x86_64" ]; then
    say "JAX and cryptography ship no packages for Intel Macs any more; use Apple silicon or Linux."
    exit 1
fi

if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11))' 2>/dev/null; then
    python=$(find_python)
    if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
        say "$python has no venv module. On Debian: apt-get install python3-venv (as root), then run this again."
        exit 1
    fi
    say "making .venv with $("$python" --version)"
    rm -rf .venv
    "$python" -m venv .venv
fi
stamps=.venv/.stamps
mkdir -p "$stamps"

# A stamp holds what it was made from: a changed lock or project file makes it again.
state=$(cat uv.lock pyproject.toml | cksum)
done_already() { [ -f "$stamps/$1" ] && [ "$(cat "$stamps/$1")" = "$state" ]; }

[ -x .venv/bin/uv ] || .venv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.5,<1'
export UV_PROJECT_ENVIRONMENT=.venv UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1
# A virtual environment of the caller's is not ours.
unset VIRTUAL_ENV

sync() {
    say "installing the locked packages ($want)"
    # shellcheck disable=SC2068
    .venv/bin/uv sync --quiet --inexact --no-install-project --python .venv/bin/python $@
}
case $want in
run)
    if ! done_already run && ! done_already test; then
        sync --frozen --no-default-groups
        printf '%s' "$state" >"$stamps/run"
    fi
    ;;
test)
    if ! done_already test; then
        sync --locked --extra postgres --extra notebook --extra fuzz
        printf '%s' "$state" >"$stamps/test"
    fi
    ;;
*)
    say "usage: environment.sh run|test"
    exit 2
    ;;
esac

if ! done_already project || [ ! -x .venv/bin/medtwin ]; then
    .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --editable .
    printf '%s' "$state" >"$stamps/project"
fi
