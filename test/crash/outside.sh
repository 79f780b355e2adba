#!/bin/sh
# The crash job under ../shared/tools/crashpoints.py, which counts and spoils system calls from
# outside. The count of its points must be that of os/fault, or something writes behind the seam.
#
# Environment: SILT (the binary), CRASHPOINTS (further options; default: a sample of kills and of
# what power cuts may leave, about ten minutes).
set -eu
cd "$(dirname "$0")/../.."
tool=${SILT_SHARED:-../shared}/tools/crashpoints.py
if [ ! -f "$tool" ]; then
    echo "make crashpoints: $tool is not there" >&2
    exit 2
fi
top=$(mktemp -d "${TMPDIR:-/tmp}/silt-outside.XXXXXX")
trap 'rm -rf "$top"' EXIT
step="python3 $PWD/test/crash/outside.py"
export SILT
$step prepare "$top/prepared"
check() {
    python3 "$tool" --root "$top/root" --init "$top/prepared" --cwd "$top" --allow-abort \
        --cmd "$step job $top/root" --reader "$step ruins $top/root" \
        --recover "$step recover $top/root" --verify "$step verify $top/root" \
        --detect "$step detect $top/root" "$@"
}

# Not ours: the checker's own mkdir of the root, the page that the job's driver writes over itself.
# Not a change: sync_file_range only starts writing what a later sync waits for.
check --list >"$top/list"
outside=$(grep -cvE '^ *[0-9]+ (mkdir \.$|sync_file_range |pwrite64 idb/wal/durable)|mutating calls' "$top/list")
inside=$($step count "$top/prepared")
echo "changes of the disk: $outside seen from outside, $inside counted by os/fault"
# Sweeps and groups of the stream fall a little differently in each run.
[ $((outside - inside)) -le 12 ] && [ $((inside - outside)) -le 12 ] || {
    echo "make crashpoints: something writes behind os/fault" >&2
    exit 1
}
# shellcheck disable=SC2086 # the options are words
check ${CRASHPOINTS:---modes kill,power --sample 40 --max-states 100}
