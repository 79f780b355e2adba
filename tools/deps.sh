#!/bin/sh
# Installs the Debian packages of packages.txt that are missing; does nothing when all are there.
#   tools/deps.sh                 what building, testing and the demo need
#   tools/deps.sh --check-tools   and what `make check` needs
set -eu
cd "$(dirname "$0")/.."

sections=build
case "${1:-}" in
'') ;;
--check-tools) sections='build check' ;;
*) echo "usage: tools/deps.sh [--check-tools]" >&2; exit 2 ;;
esac

wanted=$(awk -v sections="$sections" '
    BEGIN { n = split(sections, s, " "); for (i = 1; i <= n; i++) on["[" s[i] "]"] = 1 }
    /^\[/ { take = ($1 in on); next }
    /^#/ || NF == 0 { next }
    take { print $1 }' packages.txt)

if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
    echo "deps: this system has no apt-get; provide the equivalents of:" $wanted >&2
    exit 0
fi

missing=
for package in $wanted; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=none
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || {
        echo "deps: as root, run: apt-get install --no-install-recommends$missing" >&2
        exit 1
    }
    as_root=sudo
fi

echo "deps: installing with apt-get:$missing"
lock='-o DPkg::Lock::Timeout=600'
$as_root apt-get $lock -qq update || echo "deps: apt-get update failed; trying the lists at hand" >&2
$as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get $lock -qq -y --no-install-recommends install $missing >&2
echo "deps: done"
