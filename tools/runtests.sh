#!/bin/bash
# Runs test programs in parallel and counts what they report.
#
#   tools/runtests.sh PROGRAM...      cmocka programs and test/e2e/*_test.py scripts
#
# Each runs from the root of the tree, in a temporary directory of its own (TMPDIR): in memory
# (/dev/shm) when there is room, as most tests do thousands of syncs and only ask which and in what
# order; tests of os/ and of real processes run on the disk. Under a time limit, with TAP asked of cmocka. A Python script may print TAP or be a unittest; otherwise its exit
# status counts as one test (77 = skipped). Whatever fails is printed whole. The last line is
# `N passed, N failed, N skipped`; the exit status is 1 when a test failed or none was run.
#
# Environment: JOBS (programs at a time), TEST_SECONDS (limit of one program), SILT (the binary),
# SILT_SHARED (a folder of reference data; ../shared is taken when it exists).
set -u
cd "$(dirname "$0")/.." || exit 1

# One program: output to N.log, then `passed failed skipped seconds` to N.sum.
run_one() {
    local at=$1 program=$2 log="$RUN_DIR/$1.log" limit status from=$SECONDS
    limit=${TEST_SECONDS:-$(case $program in
        */crash_* | */sim_* | */golden_* | *.py) echo 900 ;;
        *) echo 180 ;;
    esac)}
    mkdir "$RUN_DIR/$at"
    local temp="$RUN_DIR/$at"
    case $program in
    */os_* | *.py) ;;
    *) [ -z "$FAST_DIR" ] || { temp="$FAST_DIR/$at"; mkdir "$temp"; } ;;
    esac
    case $program in
    *.py) set -- python3 "$program" ;;
    *) set -- "$program" ;;
    esac
    TMPDIR="$temp" CMOCKA_MESSAGE_OUTPUT=TAP PYTHONDONTWRITEBYTECODE=1 \
        timeout --kill-after=10 "$limit" "$@" >"$log" 2>&1 </dev/null
    status=$?
    awk -v status=$status -v limit="$limit" -v seconds=$((SECONDS - from)) -v sum="$RUN_DIR/$at.sum" '
        /^1\.\.[0-9]+/ { plan += substr($1, 4); tap = 1 }
        /^(not )?ok [0-9]+ # SKIP/ || /^ok .*# SKIP/ { tap = 1; skipped++; next }
        /^ok( |$)/ { tap = 1; passed++ }
        /^not ok( |$)/ { tap = 1; failed++ }
        /^Ran [0-9]+ tests? in / { ran = $2; unittest = 1 }
        unittest && /^(OK|FAILED)/ {
            n = split($0, part, /[(),]/)
            for (i = 2; i <= n; i++) {
                split(part[i], kv, "=")
                if (kv[1] ~ /skipped/) skipped += kv[2]
                else if (kv[1] ~ /failures|errors|unexpected/) failed += kv[2]
            }
            passed += ran - failed - skipped
        }
        END {
            seen = passed + failed + skipped
            if (!tap && !unittest) {
                if (status == 0) passed = 1
                else if (status == 77) { skipped = 1; status = 0 }
                else failed = 1
            } else if (tap && seen < plan) {
                failed += plan - seen; why = "stopped before its last test"
            } else if (seen == 0) {
                failed = 1; why = "ran no test"
            }
            if (status != 0 && !failed) failed = 1
            if (status == 124 || status == 137) why = "over its time limit of " limit " s"
            else if (status > 128) why = "killed by signal " (status - 128)
            else if (failed && why == "") why = "exit status " status
            print passed + 0, failed + 0, skipped + 0, seconds >sum
            print why >>sum
        }' "$log"
    local passed failed skipped seconds why
    { read -r passed failed skipped seconds; read -r why; } <"$RUN_DIR/$at.sum"
    # One write a program, so that the reports of parallel programs do not mix.
    {
        if [ "$failed" -gt 0 ]; then
            printf '\nFAIL  %s (%s)\n' "$program" "$why"
            cat "$log"
            echo
        else
            printf 'ok    %-44s %4d passed%s %3d s\n' "$program" "$passed" \
                "$([ "$skipped" -gt 0 ] && echo ", $skipped skipped")" "$seconds"
            [ "$skipped" -eq 0 ] || grep -aiE '# SKIP|skip(ped|ping)?[: ]' "$log" | head -20 | sed 's/^/      /'
        fi
    } >"$RUN_DIR/$at.out"
    cat "$RUN_DIR/$at.out"
    # A program that cannot be sure its children ended may still hold files here; try, do not insist.
    chmod -R u+w "$RUN_DIR/$at" 2>/dev/null
    rm -rf "${RUN_DIR:?}/$at" 2>/dev/null
    [ -z "$FAST_DIR" ] || { chmod -R u+w "$FAST_DIR/$at"; rm -rf "${FAST_DIR:?}/$at"; } 2>/dev/null
    return 0
}

if [ "${1:-}" = --one ]; then
    run_one "$2" "$3"
    exit
fi

if [ -z "${SILT_SHARED:-}" ] && [ -d ../shared ]; then SILT_SHARED=$(cd ../shared && pwd); fi
export SILT="${SILT:-}" SILT_SHARED="${SILT_SHARED:-}"
[ -n "$SILT_SHARED" ] || unset SILT_SHARED
RUN_DIR=$(mktemp -d "${TMPDIR:-/tmp}/silt-test.XXXXXX") || exit 1
FAST_DIR=
if [ "$(df -k --output=avail /dev/shm 2>/dev/null | tail -1)" -gt 1000000 ] 2>/dev/null; then
    FAST_DIR=$(mktemp -d /dev/shm/silt-test.XXXXXX) || FAST_DIR=
fi
chmod 711 "$RUN_DIR" ${FAST_DIR:+"$FAST_DIR"} # a test may go on as nobody
export RUN_DIR FAST_DIR
trap 'rm -rf "$RUN_DIR" ${FAST_DIR:+"$FAST_DIR"}' EXIT
trap 'exit 130' INT TERM

at=0
for program in "$@"; do
    at=$((at + 1))
    printf '%s\0%s\0' "$at" "$program"
done | xargs -0 -r -n 2 -P "${JOBS:-$(nproc)}" "$0" --one

passed=0 failed=0 skipped=0
for at in $(seq 1 $#); do
    if [ -f "$RUN_DIR/$at.sum" ]; then
        read -r p f s _ <"$RUN_DIR/$at.sum"
    else
        p=0 f=1 s=0
    fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done
[ $((passed + failed)) -gt 0 ] || echo "no test was run"
if [ "$skipped" -gt 0 ]; then
    echo "$passed passed, $failed failed, $skipped skipped"
else
    echo "$passed passed, $failed failed"
fi
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
