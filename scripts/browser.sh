#!/bin/sh
# See that a Chromium is there for the browser tests: MEDTWIN_CHROMIUM, else one on PATH, else Debian's own, installed.
set -eu
say() { printf '%s\n' "$*" >&2; }
if [ -n "${MEDTWIN_CHROMIUM:-}" ]; then
    [ -x "$MEDTWIN_CHROMIUM" ] && exit 0
    say "MEDTWIN_CHROMIUM is $MEDTWIN_CHROMIUM, which is no program: name a Chromium or Chrome, or unset it."
    exit 1
fi
for name in chromium chromium-browser google-chrome google-chrome-stable chrome; do
    command -v "$name" >/dev/null 2>&1 && exit 0
done
[ -x "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" ] && exit 0
[ -x "/Applications/Chromium.app/Contents/MacOS/Chromium" ] && exit 0
if [ "$(id -u)" = 0 ] && grep -qs '^ID=debian' /etc/os-release; then
    say "no browser found: installing Debian's chromium"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq </dev/null >&2
    apt-get install -y -qq --no-install-recommends chromium </dev/null >&2
    exit 0
fi
say "The browser tests need Chromium and found none. Debian or Ubuntu: sudo apt-get install chromium;"
say "macOS: brew install --cask chromium. Or set MEDTWIN_CHROMIUM=/path/to/chromium (or chrome)."
exit 1
