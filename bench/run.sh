#!/bin/sh
# The benchmarks, each with its reference measured in the same run; see bench/RESULTS.md.
#
#   bench/run.sh              all of them, about eight minutes
#   bench/run.sh NAME...      only these
#   bench/run.sh --list       their names
#
#   SILT=FILE     the program          both are built when SILT is not given
#   BENCH=DIR     the bench programs
#   TMPDIR=DIR    where the databases stand, default /var/tmp; needs 6 GB and should be a disk
set -eu
cd "$(dirname "$0")/.."
export LC_ALL=C

names='ingest single eoi eod commit query visibility live replay compress plain'

case "${1-}" in
--list) printf '%s\n' $names && exit ;;
-*) sed -n '2,11s/^# \{0,1\}//p' "$0" && exit 2 ;;
esac

if [ -z "${SILT-}" ] || [ -z "${BENCH-}" ]; then
    make -s --no-print-directory all bench-programs
    SILT=$PWD/build/release/silt BENCH=$PWD/build/release/bench
fi
export SILT

[ $# -gt 0 ] || set -- $names
printf '%s, %s processors, Linux %s\n' "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" \
    "$(nproc)" "$(uname -r)"
printf 'figure | reference of the same run | figure divided by reference\n'
failed=0
for name; do
    "$BENCH/$name" || { echo "bench: $name failed" >&2 && failed=1; }
done
exit $failed
