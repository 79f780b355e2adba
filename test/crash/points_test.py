#!/usr/bin/env python3
"""Every change of the disk that a job makes, in turn: the process is killed before it, or it fails
once or for good, or is cut short. Before recovery both databases load; after it every acknowledged
row is there exactly once.

The usual run takes a sample. CRASH_ALL=1 runs every point (`make crash`), CRASH_JOBS at a time;
CRASH_MODES and CRASH_ROLES limit both."""
import concurrent.futures
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import job
from job import proc
from kit.tap import Tap

tap = Tap()
ALL = os.environ.get("CRASH_ALL") == "1"
JOBS = int(os.environ.get("CRASH_JOBS", "2"))
ROLES = os.environ.get("CRASH_ROLES", "sm eoi eod").split()
# A mode, and how many of its points the usual run takes for each role.
MODES = ["kill:{}", "short:{}", "error:{}:EINTR"] + [
    f"error:{{}}{lasting}:{name}" for name in ("ENOSPC", "EIO", "EDQUOT", "EMFILE", "EACCES")
    for lasting in ("", "+")]
FIRST = {mode: 0 for mode in MODES} | {"kill:{}": 3, "error:{}:ENOSPC": 1, "error:{}:EIO": 1}
HISTORY = {mode: 0 for mode in MODES} | {
    "kill:{}": 4, "error:{}:ENOSPC": 1, "error:{}:EIO": 1, "error:{}+:ENOSPC": 1,
    "error:{}+:EIO": 1, "short:{}": 1, "error:{}:EMFILE": 1, "error:{}+:EACCES": 1}


def chosen(count, most):
    """All points, or `most` of them spread over the whole job."""
    if ALL:
        return list(range(1, count + 1))
    return sorted({1 + (2 * i + 1) * count // (2 * most) for i in range(most)}) if count else []


def points(top, prepared, sample):
    """(fault, role) of every point to run, and the counts by role."""
    counts = {role: job.count_points(top, prepared, role) for role in ROLES}
    modes = os.environ.get("CRASH_MODES", "").split() or sample
    out = []
    for mode in modes:
        for role, count in counts.items():
            out += [(mode.format(k), role) for k in chosen(count, sample[mode])]
    return out, counts


def run_all(name, top, prepared, past, sample):
    """Runs the points and prints the line that reports them; AssertionError lists the failures."""
    began = time.monotonic()
    todo, counts = points(top, prepared, sample)
    met, wrong = 0, []

    def one(point):
        try:
            return job.run_point(top, prepared, past, *point)[0]
        except AssertionError as e:
            wrong.append(f"{point[1]} {point[0]}: {e}")
            return True
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for hit in pool.map(one, todo):
            met += hit
    where = ", ".join(f"{role} {count}" for role, count in counts.items())
    print(f"# {name}: {len(todo)} points, {len(wrong)} failures ({met} met; changes: {where}; "
          f"{time.monotonic() - began:.0f} s)", flush=True)
    assert not wrong, "\n".join(wrong[:20])
    assert met > len(todo) / 2, "most faults were not met"


@tap.test("a database that is just made: publish, interval, day")
def _():
    with proc.workdir() as top:
        run_all("first start", top, None, [], FIRST)


@tap.test("a database with history: recovery, publish, intervals with late rows, day")
def _():
    with proc.workdir() as top:
        prepared = os.path.join(top, "prepared")
        os.makedirs(prepared)
        past = job.prepare(prepared)
        run_all("with history", top, prepared, past, HISTORY)


if __name__ == "__main__":
    tap.run()
