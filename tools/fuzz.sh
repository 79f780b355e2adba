#!/bin/sh
# Runs fuzzers, one on each core, at low priority; exit status 1 when one finds something.
#   tools/fuzz.sh SECONDS PROGRAM...       FUZZ_SEED makes it choose the same inputs each time
# Inputs that reach new code are kept in corpus/NAME beside the programs, and are where the next run
# begins; what breaks a program lies there as found/NAME-crash-...
set -u
seconds=$1
shift
here=$(dirname "$0")
home=$(dirname "$1")
python3 "$here/fuzz_seeds.py" "$home/seeds"
mkdir -p "$home/found"

# Called by xargs below for one program.
one='
    seconds=$1 program=$2
    home=$(dirname "$program") name=$(basename "$program")
    mkdir -p "$home/corpus/$name" "$home/seeds/$name"
    if nice -n 10 "$program" -max_total_time="$seconds" -max_len=32768 -timeout=60 -rss_limit_mb=2048 \
        -seed="${FUZZ_SEED:-0}" \
        -print_final_stats=1 -artifact_prefix="$home/found/$name-" \
        "$home/corpus/$name" "$home/seeds/$name" >"$home/$name.log" 2>&1; then
        echo "ok    $name: $(awk "/number_of_executed_units/ { print \$2 }" "$home/$name.log") runs"
    else
        { echo "FAIL  $name: $home/$name.log"; tail -n 30 "$home/$name.log"; }
        exit 1
    fi'
printf '%s\n' "$@" | xargs -P "$(nproc)" -I '{}' sh -c "$one" fuzz "$seconds" '{}'
[ $? -eq 0 ]
