#!/usr/bin/env python3
"""Readings of this machine as CSV on standard output, one row a sensor, once a second.

    demo/readings.py [COPY] | silt pub trace

COPY receives the same text: the demo checks the answers of the database against it. Ends at
SIGTERM, when nobody reads any more, or when its parent is gone. A sensor that this machine does not
have (no disk, say) is left out. Everything comes from /proc and is what the kernel counts, so rates
are differences of two seconds.
"""
import os
import re
import signal
import sys
import time

WHOLE_DISK = re.compile(r"(sd[a-z]+|vd[a-z]+|xvd[a-z]+|nvme\d+n\d+|mmcblk\d+)$")


def timestamp(ns):
    """A kdb+ timestamp text of a Unix time in nanoseconds."""
    seconds, rest = divmod(ns, 10**9)
    return time.strftime("%Y.%m.%dD%H:%M:%S", time.gmtime(seconds)) + f".{rest:09d}"


def lines(path):
    try:
        with open(path, encoding="ascii", errors="replace") as f:
            return f.read().splitlines()
    except OSError:
        return []


def counters():
    """Numbers that only grow, by name."""
    found = {}
    for line in lines("/proc/stat"):
        words = line.split()
        if words[:1] == ["cpu"]:
            ticks = [int(w) for w in words[1:9]]
            found["cpu.busy"] = sum(ticks) - ticks[3] - ticks[4]
            found["cpu.all"] = sum(ticks)
        elif words[:1] == ["ctxt"]:
            found["kernel.switches"] = int(words[1])
    for line in lines("/proc/diskstats"):
        words = line.split()
        if len(words) >= 10 and WHOLE_DISK.match(words[2]):
            found["disk.read"] = found.get("disk.read", 0) + 512 * int(words[5])
            found["disk.written"] = found.get("disk.written", 0) + 512 * int(words[9])
    for line in lines("/proc/net/dev"):
        name, colon, rest = line.partition(":")
        words = rest.split()
        if colon and len(words) >= 9:
            found["net.received"] = found.get("net.received", 0) + int(words[0])
            found["net.sent"] = found.get("net.sent", 0) + int(words[8])
    return found


def readings(before, now, seconds):
    """What is published: shares and bytes as they stand, counters as a rate."""
    found = {}
    for line in lines("/proc/meminfo"):
        name, _, rest = line.partition(":")
        if name in ("MemAvailable", "Dirty", "Cached"):
            found["memory." + name.lower().removeprefix("mem")] = 1024 * int(rest.split()[0])
    for line in lines("/proc/loadavg")[:1]:
        found["load.minute"] = float(line.split()[0])
    for name, value in now.items():
        if name not in before or name.startswith("cpu."):
            continue
        found[name] = (value - before[name]) / seconds
    ticks = now.get("cpu.all", 0) - before.get("cpu.all", 0)
    if ticks > 0:
        found["cpu.busy"] = 100 * (now["cpu.busy"] - before["cpu.busy"]) / ticks
    return found


def main():
    signal.signal(signal.SIGTERM, lambda signo, frame: sys.exit(0))
    outputs = [sys.stdout]
    if len(sys.argv) > 1:
        outputs.insert(0, open(sys.argv[1], "w", encoding="ascii"))
    parent, text = os.getppid(), "sensorID,updateTS,reading\n"
    before, last = counters(), time.monotonic()
    while os.getppid() == parent:
        for out in outputs:
            out.write(text)
            out.flush()
        time.sleep(max(0.0, 1.0 - (time.monotonic() - last)))
        now, at = counters(), time.monotonic()
        stamp = timestamp(time.time_ns())
        text = "".join(f"{name},{stamp},{value!r}\n"
                       for name, value in sorted(readings(before, now, at - last).items()))
        before, last = now, at


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        os._exit(0)  # the reader is gone: nothing is left to flush to
