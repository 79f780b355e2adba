#!/bin/sh
# Runs fuzzers, one after the other, at low priority; exit status 1 when one finds something.
#   tools/fuzz.sh SECONDS PROGRAM...
# Inputs that reach new code are kept in corpus/NAME beside the programs, and are where the next run
# begins; what breaks a program lies there as found/NAME-crash-...
set -u
seconds=$1
shift
here=$(dirname "$0")
home=$(dirname "$1")
python3 "$here/fuzz_seeds.py" "$home/seeds"
mkdir -p "$home/found"
failed=0
for program; do
    name=$(basename "$program")
    mkdir -p "$home/corpus/$name" "$home/seeds/$name"
    if nice -n 10 "$program" -max_total_time="$seconds" -max_len=32768 -timeout=20 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="$home/found/$name-" \
        "$home/corpus/$name" "$home/seeds/$name" >"$home/$name.log" 2>&1; then
        echo "ok    $name: $(awk '/number_of_executed_units/ { print $2 }' "$home/$name.log") runs"
    else
        echo "FAIL  $name: $home/$name.log"
        tail -n 30 "$home/$name.log"
        failed=1
    fi
done
exit $failed
