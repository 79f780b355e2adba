#!/bin/sh
# Jobs under ../shared/tools/crashpoints.py, which knows nothing of ours: it counts system calls from
# outside, spoils them, and replays what a power cut may leave. Jobs: eoi (an interval with late
# rows), eod (an interval, and a day with late rows; both with a start and publishing around them),
# import. The count of points must be that of os/fault, or something writes behind the seam.
#
#   outside.sh [JOB...]         default: all three, a sample of each mode, about ten minutes
#   CRASH_ALL=1                 every point and every state (days): kills and errors at each change,
#                               cuts at each, in each recovery too, each sync failing, 400 damages
#   CRASHPOINTS="..."           further options of the checker, which win: "--max-states 2000",
#                               "--seed 7"
#   CRASHPOINTS_MODES="..."     default: kill EIO ENOSPC+ short power powernest fsyncgate corrupt
#   IMPORT=...                  the database that is imported: made (default) or a shared one
#   SILT                        the binary
set -eu
cd "$(dirname "$0")/../.."
tool=${SILT_SHARED:-../shared}/tools/crashpoints.py
if [ ! -f "$tool" ]; then
    echo "make crashpoints: $tool is not there" >&2
    exit 2
fi
top=$(mktemp -d "${TMPDIR:-/tmp}/silt-outside.XXXXXX")
trap 'rm -rf "$top"' EXIT
export SILT
export OUTSIDE_IDLE="$top/idle"
here=$PWD/test/crash

# The job in words for a shell, and what judges a tree; further arguments are the checker's.
check() {
    if [ "$job" = import ]; then
        python3 "$tool" --root "$top/root" --init "$top/prepared" --cwd "$top" --allow-abort --timeout 120 \
            --cmd "$step $work $top $top/root" --recover "$step recover $top $top/root" \
            --verify "$step verify $top $top/root" --detect "$step detect $top $top/root" "$@"
    else
        python3 "$tool" --root "$top/root" --init "$top/prepared" --cwd "$top" --allow-abort --timeout 120 \
            --cmd "$step $work $top/root" --reader "$step ruins $top/root" \
            --recover "$step recover $top/root" --verify "$step verify $top/root" \
            --detect "$step detect $top/root" "$@"
    fi
}

prepare() {
    rm -rf "$top/prepared" "$top/root" "$top/counted"
    if [ "$job" = import ]; then
        step="python3 $here/import_outside.py"
        $step prepare "${IMPORT:-made}" "$top"
        work=adopt
        folders=$top
    else
        step="python3 $here/outside.py"
        $step prepare "$top/root" # links are absolute
        mv "$top/root" "$top/prepared"
        work=$job
        folders=
    fi
}

# Not ours: the checker's own mkdir of the root, the page that the job's driver writes over itself.
# Not a change: sync_file_range only starts writing what a later sync waits for. Not seen: syncs of
# the folders above the root, of which there are a few. Sweeps and groups of the stream fall a
# little differently in each run.
slack=12
count() {
    check --list >"$top/list"
    outside=$(grep -cvE '^ *[0-9]+ (mkdir \.$|sync_file_range |pwrite64 idb/wal/durable)|mutating calls' "$top/list")
    if [ "$job" = import ]; then
        inside=$($step count "$top" "$top/counted")
    else
        inside=$($step "count-$job" "$top/prepared")
    fi
    echo "$job: changes of the disk: $outside seen from outside, $inside counted by os/fault"
    [ $((outside - inside)) -le "$slack" ] && [ $((inside - outside)) -le "$slack" ] || {
        echo "make crashpoints: something writes behind os/fault" >&2
        exit 1
    }
}

# Damage is found only where there are checksums, and a tree without any must pass.
undamaged() {
    [ "$job" != import ] || work=accept
    rm -rf "$top/root"
    cp -a "$top/prepared" "$top/root"
    # shellcheck disable=SC2086 # may be no word
    $step $work $folders "$top/root" >"$top/acks"
    # shellcheck disable=SC2086
    CP_ACKS="$top/acks" CP_OP="nothing is-spoilt" $step detect $folders "$top/root"
}

# How much of a mode the usual run takes.
sample() {
    if [ "${CRASH_ALL:-}" = 1 ]; then
        echo "--flips 400"
        return
    fi
    case $1 in
    power) echo "--max-states 20" ;;
    powernest) echo "--sample 4 --max-states 12" ;;
    fsyncgate) echo "--sample 24" ;;
    corrupt) echo "--flips 10" ;;
    short) echo "--sample 16" ;;
    *) echo "--sample 10" ;;
    esac
}

bad=0
for job in ${*:-eoi eod import}; do
    case $job in
    eoi | eod | import) ;;
    *)
        echo "outside.sh: $job is none of eoi, eod, import" >&2
        exit 2
        ;;
    esac
    prepare
    count
    for mode in ${CRASHPOINTS_MODES:-kill EIO ENOSPC+ short power powernest fsyncgate corrupt}; do
        [ "$mode" != corrupt ] || undamaged
        : >"$OUTSIDE_IDLE"
        # shellcheck disable=SC2046,SC2086 # the options are words
        check --modes "$mode" $(sample "$mode") ${CRASHPOINTS:-} >"$top/told" || bad=1
        sed -n "/mutating calls/d; /^[0-9]* points, /d; /^note:/d; s/^/$job: /p" "$top/told"
        [ ! -s "$OUTSIDE_IDLE" ] ||
            echo "$job: $mode: $(wc -l <"$OUTSIDE_IDLE") of these hit what nobody relies on"
    done
done
[ $bad -eq 0 ] || echo "make crashpoints: failures" >&2
exit $bad
