#!/bin/sh
# The import under ../shared/tools/crashpoints.py, which counts and spoils system calls from outside
# and replays what a power cut may leave. Its count of points must be that of os/fault, or something
# writes behind the seam.
#
# Environment: SILT (the binary), IMPORT (the database: made, or one of the shared ones), CRASHPOINTS
# (further options; default: all kills, a sample of errors and of power cuts).
set -eu
cd "$(dirname "$0")/../.."
tool=${SILT_SHARED:-../shared}/tools/crashpoints.py
if [ ! -f "$tool" ]; then
    echo "make crashpoints: $tool is not there" >&2
    exit 2
fi
top=$(mktemp -d "${TMPDIR:-/tmp}/silt-import.XXXXXX")
trap 'rm -rf "$top"' EXIT
step="python3 $PWD/test/crash/import_outside.py"
export SILT
$step prepare "${IMPORT:-made}" "$top"
check() {
    python3 "$tool" --root "$top/root" --init "$top/prepared" --cwd "$top" --allow-abort \
        --cmd "$step adopt $top $top/root" --recover "$step recover $top $top/root" \
        --verify "$step verify $top $top/root" "$@"
}

# Not ours: the checker's own mkdir of the root. Not a change: sync_file_range.
check --list >"$top/list"
outside=$(grep -cvE '^ *[0-9]+ (mkdir \.$|sync_file_range )|mutating calls' "$top/list")
inside=$($step count "$top" "$top/counted")
echo "changes of the disk: $outside seen from outside, $inside counted by os/fault"
[ "$outside" -eq "$inside" ] || {
    echo "make crashpoints: something writes behind os/fault" >&2
    exit 1
}
# shellcheck disable=SC2086 # the options are words
check ${CRASHPOINTS:---modes kill,ENOSPC,power --sample 60 --max-states 150}
