#!/bin/sh
# Jobs on real file systems whose power is cut: ../shared/tools/blockcrash.py runs them in a
# User-Mode Linux kernel on an image of each type, and judges what the device would hold at each
# flush and each acknowledgement (log), or after the kernel was killed with its page cache (cut).
#
#   block.sh [JOB...]       eoi (an interval with late rows), eod (an interval, and a day with late
#                           rows; default)
#   BLOCK_MODES="..."       default: log cut
#   BLOCKCRASH="..."        further options of the checker, which win: "--fs ext4", "--rounds 100"
#   SILT                    the binary
#
# Needs root, a checkout that is not below /tmp, and the packages user-mode-linux, kmod, dmsetup,
# e2fsprogs, xfsprogs and btrfs-progs.
set -eu
cd "$(dirname "$0")/../.."
tool=$(realpath -m "${SILT_SHARED:-../shared}/tools/blockcrash.py")
if [ ! -f "$tool" ]; then
    echo "make blockcrash: $tool is not there" >&2
    exit 2
fi
top=$(mktemp -d /var/tmp/silt-block.XXXXXX)
trap 'rm -rf "$top"' EXIT
export SILT
step="python3 $PWD/test/crash/outside.py"
$step prepare "$top/root" # links are absolute
mv "$top/root" "$top/prepared"

for job in ${*:-eod}; do
    for mode in ${BLOCK_MODES:-log cut}; do
        work="ip link set lo up; export SILT=$SILT; $step $job $top/root"
        # The job is done once, and the kernel killed while it runs or a little later.
        [ "$mode" = log ] || work="$work; sleep 1000"
        rm -rf "$top/root"
        mkdir "$top/root"
        # shellcheck disable=SC2086 # the options are words
        python3 "$tool" --root "$top/root" --init "$top/prepared" --cwd "$top/root" --modes "$mode" \
            --cmd "$work" --reader "$step ruins $top/root" --recover "$step recover $top/root" \
            --verify "$step verify $top/root" --rounds 20 --longest 6 ${BLOCKCRASH:-}
    done
done
