#!/bin/sh
# The demo: 20,000 real flights and live readings of this machine become a kdb+ database that answers
# questions all the while. `make demo` builds and runs it; every figure it shows is checked against
# the CSV it came from. Ctrl-C ends it, and with ONCE=1 it ends by itself: 0 when all was right.
#
#   ONCE=1          end after the last check, leave nothing behind
#   DEMO_DIR=DIR    keep the database in DIR (new or empty) instead of a temporary folder
#   SILT=FILE       the program, default build/release/silt
#
# Ports 10001 (manager) and 5080 (reader) are used when they are free, any others when not.
set -eu
cd "$(dirname "$0")/.."
export LC_ALL=C

silt=${SILT:-$PWD/build/release/silt}
once=${ONCE:-0}
flights=demo/data/flights-20k.csv.gz
figures='python3 demo/figures.py'
intervals=3  # how many are awaited
patience=60  # seconds that any one step may take

folder='' work='' kept='' up='' feeder='' publisher='' asker='' terminal=''
checks=0 wrong=0 stage=showing

# ---- words

say() { printf '%s\n' "$*"; }
step() { printf '\n%s\n' "$*"; }
line() { printf '   %s\n' "$*"; }
show() { sed 's/^/     /'; }
commas() { printf '%s\n' "$1" | sed -e :a -e 's/\([0-9]\)\([0-9]\{3\}\)\($\|,\)/\1,\2\3/;ta'; }

# judge TEXT COMMAND...: runs it, says whether TEXT holds.
judge() {
    claim=$1
    shift
    checks=$((checks + 1))
    if reason=$("$@" 2>&1); then
        printf '   ok      %s\n' "$claim"
    else
        wrong=$((wrong + 1))
        printf '   WRONG   %s: %s\n' "$claim" "$reason"
    fi
}

is() { [ "$1" = "$2" ] || { echo "$1 where $2 is expected"; return 1; }; }
now_ms() { echo $(($(date +%s%N) / 1000000)); }
seconds() { awk "BEGIN { printf \"%.2f\", $1 / 1000 }"; }

# until_true WHAT COMMAND...: waits for a command to succeed.
until_true() {
    what=$1 tries=$((patience * 10))
    shift
    until "$@" >/dev/null 2>&1; do
        kill -0 "$up" 2>/dev/null || give_up "silt up has ended while waiting for $what"
        tries=$((tries - 1))
        [ $tries -gt 0 ] || give_up "$what did not come within $patience seconds"
        sleep 0.1
    done
}

# ---- beginning and end

# end_process PID: asks it to end, waits, and insists after some seconds.
end_process() {
    kill "$1" 2>/dev/null || return 0
    waited=0
    while kill -0 "$1" 2>/dev/null; do
        sleep 0.1
        waited=$((waited + 1))
        [ $waited -lt 200 ] || kill -9 "$1" 2>/dev/null || true
    done
}

# Ends what was started, in the order in which rows flow, and removes what was made.
clean_up() {
    trap '' INT TERM HUP
    [ -z "$terminal" ] || stty "$terminal" </dev/tty || true
    for process in $asker $feeder $publisher $up; do
        end_process "$process"
        wait "$process" 2>/dev/null || ended=$?
    done
    asker='' feeder='' publisher='' up='' terminal=''
    [ -z "$folder" ] || [ -n "$kept" ] || rm -rf "$folder"
}

# Processes that know the folder: all of ours but this one do.
left_behind() { printf '%s\n' "$folder/" | grep -alF -f - /proc/[0-9]*/cmdline 2>/dev/null || true; }

give_up() {
    exec >&2
    step "demo: $*"
    [ ! -s "$work/trace.published" ] || say "silt pub trace: $(cat "$work/trace.published")"
    if [ -s "$folder/silt.log" ]; then
        say "the last lines of the log:"
        tail -n 15 "$folder/silt.log" | show
    fi
    exit 1
}

interrupted() {
    [ "$stage" = showing ] || exit 0
    step "demo: interrupted"
    exit 130
}

trap 'status=$?; clean_up; exit $status' EXIT
trap interrupted INT TERM HUP

# The port that is asked for when it is free, else 0: any.
free_port() {
    python3 -c 'import socket, sys
with socket.socket() as s:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        s.bind(("127.0.0.1", int(sys.argv[1])))
        print(sys.argv[1])
    except OSError:
        print(0)' "$1"
}

# The port in the line of the log that says that a process has started.
port_of() { sed -n "s/.*event=$1.*port[= ]\([0-9]*\).*/\1/p" "$folder/silt.log" | tail -n 1; }
started() { [ -n "$(port_of sm.started)" ] && [ -n "$(port_of da.started)" ]; }
port_taken() { grep -q 'event=[a-z]*\.failed.*in use' "$folder/silt.log"; }
started_or_failed() { started || port_taken; }

# start SM_PORT DA_PORT
start() {
    "$silt" up demo/assembly.yaml --idb "$folder/idb" --hdb "$folder/hdb" --sm-port "$1" --da-port "$2" \
        --log-format text 2>"$folder/silt.log" &
    up=$!
    until_true 'the start' started_or_failed
}

start_anywhere() {
    start "$(free_port 10001)" "$(free_port 5080)"
    if ! started; then # somebody was faster
        end_process "$up"
        start 0 0
    fi
    SILT_SM_PORT=$(port_of sm.started) SILT_DA_PORT=$(port_of da.started)
    export SILT_SM_PORT SILT_DA_PORT
    manager=http://127.0.0.1:$SILT_SM_PORT reader=http://127.0.0.1:$SILT_DA_PORT
    until_true 'the manager' curl -sf "$manager/readyz"
    until_true 'the reader' curl -sf "$reader/readyz"
}

# ---- questions and truths

ask() { "$silt" get --format csv "$1"; }
ask_http() { curl -sS -X POST -H 'Content-Type: application/json' --data "$1" "$reader/data"; }

everything='{"table":"flights","agg":[["flights","count","time"]]}'
by_origin='{"table":"flights","groupBy":["origin"],"agg":[["flights","count","time"],["delay","avg","delay"],["miles","max","distance"]]}'
busiest='{"table":"flights","groupBy":["origin"],"agg":[["flights","count","time"],["delay","avg","delay"],["miles","max","distance"]],"sortCols":["flights","desc"],"limit":5}'
valentine='{"table":"flights","startTS":"2001.02.14D00:00:00","endTS":"2001.02.15D00:00:00","filter":[["=","origin","ORD"]],"agg":["time","destination","delay"],"sortCols":["time","destination"]}'

make_truths() {
    gunzip -c $flights >"$work/flights.csv"
    awk -F, 'NR > 1 { n[$4]++; delay[$4] += $2; if ($3 > miles[$4]) miles[$4] = $3 }
        END { print "origin,flights,delay,miles"
              for (o in n) printf "%s,%d,%.17g,%d\n", o, n[o], delay[o] / n[o], miles[o] }' \
        "$work/flights.csv" >"$work/by_origin.truth"
    awk -F, 'NR > 1 { n[substr($1, 1, 10)]++ } END { print "date,rows"; for (d in n) print d "," n[d] }' \
        "$work/flights.csv" >"$work/dates.truth"
    awk -F, 'BEGIN { print "time,destination,delay" }
        $4 == "ORD" && $1 >= "2001.02.14" && $1 < "2001.02.15" { print $1 "," $5 "," $2 }' \
        "$work/flights.csv" >"$work/valentine.truth"
    all_flights=$(awk 'END { print NR - 1 }' "$work/flights.csv")
    airports=$(awk 'END { print NR - 1 }' "$work/by_origin.truth")
    days=$(awk 'END { print NR - 1 }' "$work/dates.truth")
}

count_by_ipc() { ask "$everything" | sed -n 2p; }
count_by_http() { ask_http "$everything" | $figures rows | sed -n 2p; }

# origins_agree IPC|HTTP
origins_agree() {
    if [ "$1" = ipc ]; then
        ask "$by_origin" >"$work/by_origin.answer"
    else
        ask_http "$by_origin" | $figures rows >"$work/by_origin.answer"
    fi
    $figures same "$work/by_origin.answer" "$work/by_origin.truth"
}

valentine_agrees() {
    ask "$valentine" >"$work/valentine.answer"
    $figures same "$work/valentine.answer" "$work/valentine.truth"
}

# Every reading before a moment three seconds ago, by sensor: they are acknowledged long since.
readings_agree() {
    moment=$(date -u -d '3 seconds ago' +%Y.%m.%dD%H:%M:%S.000000000)
    awk -F, -v moment="$moment" 'NR > 1 && $2 < moment { n[$1]++; sum[$1] += $3; if ($2 > last[$1]) last[$1] = $2 }
        END { print "sensorID,readings,mean"; for (s in n) printf "%s,%d,%.17g\n", s, n[s], sum[s] / n[s] }' \
        "$work/readings.csv" >"$work/readings.truth"
    ask '{"table":"trace","endTS":"'"$moment"'","groupBy":["sensorID"],"agg":[["readings","count","reading"],["mean","avg","reading"]]}' \
        >"$work/readings.answer"
    $figures same "$work/readings.answer" "$work/readings.truth"
}

dates_agree() {
    "$silt" part list --json | $figures dates flights >"$work/dates.answer"
    $figures same "$work/dates.answer" "$work/dates.truth"
}

# Asks the same question until it is enough, and writes down each answer.
keep_asking() {
    until [ -e "$work/enough" ]; do
        count_by_ipc || echo "no answer"
        count_by_http || echo "no answer"
    done >"$work/asked" 2>&1
}

all_asked_right() {
    [ -s "$work/asked" ] || { echo "nothing was asked"; return 1; }
    awk -v want="$all_flights" '$0 != want { print "one answer was " $0; exit 1 }' "$work/asked"
}

intervals_done() { grep -c 'event=eoi.done.* rows=[1-9]' "$folder/silt.log" || true; }
enough_intervals() { [ "$(intervals_done)" -ge "$1" ]; }
where_rows_are() { curl -sS "$reader/meta" | $figures tables; }

# ---- the demo

[ -x "$silt" ] || { echo "demo: $silt is not there; \`make\` builds it" >&2; exit 1; }
if [ -n "${DEMO_DIR:-}" ]; then
    mkdir -p "$DEMO_DIR"
    [ -z "$(ls -A "$DEMO_DIR")" ] || { echo "demo: $DEMO_DIR is not empty" >&2; exit 1; }
    folder=$(cd "$DEMO_DIR" && pwd) kept=yes
else
    folder=$(mktemp -d "${TMPDIR:-/tmp}/silt-demo.XXXXXX")
fi
work=$folder/demo # what the demo notes down for itself
mkdir "$work"
make_truths
began=$(now_ms)

say "Siltstone: a stream of rows becomes a kdb+ database that answers questions all the while"
start_anywhere
line "database  $folder"
line "manager   $manager  takes rows and writes them down"
line "reader    $reader   answers questions"

step "1. Publish"
mkfifo "$work/pipe"
"$silt" pub trace <"$work/pipe" >"$work/trace.published" 2>&1 &
publisher=$!
demo/readings.py "$work/readings.csv" >"$work/pipe" &
feeder=$!
line "readings of this machine (processor, memory, disk, network) each second: silt pub trace"
from=$(now_ms)
"$silt" pub flights <"$work/flights.csv" >"$work/flights.published" || give_up "publishing the flights failed"
took=$(($(now_ms) - from))
rows=$(sed -n 's/^rows \([0-9]*\).*/\1/p' "$work/flights.published")
line "flights within the US, January to March 2001: gunzip -c $flights | silt pub flights"
judge "$(commas "$rows") flights acknowledged in $(seconds $took) s: they are on the device now" \
    is "$rows" "$all_flights"

step "2. Ask at once"
line "silt get '$everything'"
from=$(now_ms)
answer=$(count_by_ipc)
took=$(($(now_ms) - from))
judge "$(commas "$answer") flights, by q IPC, in $took ms with the start of the program" is "$answer" "$all_flights"
line "curl --data '$everything' $reader/data"
ask_http "$everything" >"$work/answer.json"
answer=$($figures rows <"$work/answer.json" | sed -n 2p)
judge "$(commas "$answer") flights, by HTTP, in $($figures ms <"$work/answer.json") ms within the reader" \
    is "$answer" "$all_flights"
judge "average delay of each of $airports airports equals what awk finds in the CSV" origins_agree ipc
line "where the rows are (curl $reader/meta):"
where_rows_are

step "3. Intervals: every 5 seconds what has come is sorted and written as a partition"
until_true "$intervals intervals" enough_intervals $intervals
grep 'event=eoi.done.* rows=[1-9]' "$folder/silt.log" | head -n $intervals |
    sed 's/.* seq=\([0-9]*\) rows=\([0-9]*\) bytes=\([0-9]*\) .* ms=\([0-9]*\)\(\.[0-9]\)\{0,1\}.*/\1 \2 \3 \4\5/' |
    while read -r seq rows bytes ms; do
        line "interval $seq: $(commas "$rows") rows, $(commas "$bytes") bytes, in $ms ms from its end to its view"
    done
where_rows_are
judge "the same average delays, now from files and memory together" origins_agree http
judge "every reading so far is there once: count and mean of each sensor" readings_agree

step "4. The end of the day, at once: silt eod --wait"
keep_asking &
asker=$!
"$silt" eod --wait --json >"$work/eod.json" || give_up "silt eod failed"
touch "$work/enough"
wait "$asker" || ended=$?
asker=''
$figures eod <"$work/eod.json"
judge "$(awk 'END { print NR }' "$work/asked") times it was asked meanwhile: each answer $(commas "$all_flights") flights" \
    all_asked_right
line "where each date lives now (silt part list):"
"$silt" part list --json | $figures parts
where_rows_are
judge "each of the $days dates has as many flights as in the CSV" dates_agree

step "5. The same questions again, answered from the files of the days"
line "silt get '$busiest'"
"$silt" get "$busiest" | show
judge "average delay of all $airports airports, by q IPC" origins_agree ipc
judge "average delay of all $airports airports, by HTTP" origins_agree http
judge "flights from ORD on 14 February, row by row: one date is read" valentine_agrees
judge "every reading so far, in a day, intervals and memory, is there once" readings_agree

step "6. Is all of it sound?"
line "silt check $folder/hdb"
"$silt" check "$folder/hdb" >"$work/check" 2>&1 && status=0 || status=$?
head -n 20 "$work/check" | show
judge "every invariant holds" is "exit status $status" "exit status 0"
line "a plain q process may load it at any moment: q $folder/hdb/current"

step "$checks checks, $wrong wrong, $(seconds $(($(now_ms) - began))) seconds"
if [ "$once" != 0 ] || [ "$wrong" -gt 0 ]; then
    clean_up
    [ -z "$(left_behind)" ] || { echo "demo: still there:" "$(left_behind)" >&2; exit 1; }
    [ "$wrong" -eq 0 ] || exit 1
    exit 0
fi

stage=running
cat <<TEXT

It goes on: readings come in every second, an interval ends every five. In another terminal:
   export SILT_SM_PORT=$SILT_SM_PORT SILT_DA_PORT=$SILT_DA_PORT
   $silt get '{"table":"trace","groupBy":["sensorID"],"agg":[["mean","avg","reading"],["last","last","reading"]]}'
   $silt get '$busiest'
   curl -X POST $reader/data --data '{"table":"trace","filter":[["=","sensorID","cpu.busy"]],"limit":-3}'
   $silt status
   $silt part list
   $silt dump $folder/idb/wal | head
   curl $manager/metrics
   tail -f $folder/silt.log
Ctrl-C ends it$([ -n "$kept" ] || echo " and removes $folder").
TEXT

# On a terminal Ctrl-C is read as a key, so that it ends this demo and not the make that runs it.
foreground() { [ -t 1 ] && read -r text </proc/$$/stat && set -- ${text##*) } && [ "$3" = "$6" ]; }
if foreground 2>/dev/null; then
    terminal=$(stty -g </dev/tty)
    stty -isig -icanon -echo min 0 time 10 </dev/tty
fi
interrupt=$(printf '\003')
while kill -0 "$up" 2>/dev/null; do
    if [ -n "$terminal" ]; then
        [ "$(dd bs=1 count=1 2>/dev/null </dev/tty)" != "$interrupt" ] || { say "stopping"; exit 0; }
    else
        sleep 0.2
    fi
done
give_up "silt up has ended by itself"
