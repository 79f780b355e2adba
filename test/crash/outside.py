#!/usr/bin/env python3
"""Jobs in steps, for a checker that watches system calls from outside (outside.sh).

    outside.py prepare|eoi|eod|ruins|recover|verify|detect ROOT
    outside.py count-eoi|count-eod PREPARED     the changes that os/fault counts in the same job

`eoi` and `eod` do that job and print the number of each batch once it is acknowledged; `verify`
reads those that had been printed from the file that CP_ACKS names."""
import functools
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import job
from job import proc


def sent(every):
    return {t: {r for b in every if b.table == t for r in b.tuples} for t in job.ORDERS}


def acknowledged():
    """Lines that are numbers: a kernel that boots says other things on the same console."""
    with open(os.environ["CP_ACKS"]) as f:
        return {int(line) for line in f if line.strip().isdigit()}


WORK = {"eoi": job.interval, "eod": job.day}


def run_job(work, root, beside):
    todo = job.batches()
    run = job.Run(root, todo, beside, lambda b: print(todo.index(b), flush=True))
    run.start()
    try:
        work(run)
    except job.Stopped:
        sys.exit(1)
    status = run.p.terminate(60)
    show_page(os.path.join(run.a.idb, "wal", "durable"))
    sys.exit(status)


def show_page(path):
    """Writes the page that the processes share, which they change through a mapping only, over
    itself: the checker knows a file by the calls that wrote it."""
    with open(path, "r+b", buffering=0) as f:
        os.pwrite(f.fileno(), f.read(), 0)


def ruins(root, beside):
    job.judge_ruins(job.Run(root, [], beside), sent(job.batches_of_past() + job.batches()))


def recover(root, beside):
    run = job.Run(root, [], beside)
    run.start()
    sys.exit(run.p.terminate(60))


def verify(root, beside):
    past, todo, told = job.batches_of_past(), job.batches(), acknowledged()
    for b in past:
        b.state = "acknowledged"
    for i, b in enumerate(todo):
        b.state = "acknowledged" if i in told else "sent"
    run = job.Run(root, todo, beside)
    run.start()
    job.judge_result(run, past + todo)
    status = run.p.terminate(60)
    assert status == 0, f"the manager ended with {status}: {run.p.tail()}"
    for base in (run.a.idb, run.a.hdb):
        done = proc.run(["check", base])
        assert done.returncode == 0, f"silt check {base}: {done}"


def counts(root):
    """Whether anybody relies on what was damaged, whose path CP_OP tells: not on partitions that a
    newer view has replaced, the lock's text, the page that is advice only."""
    path = os.environ["CP_OP"].split()[1]
    where = os.path.join(root, path)
    kept = {os.path.join(root, "idb", "current"), os.path.join(root, "hdb", "current")}
    if path in ("idb/lock", "idb/wal/durable"):
        return False
    if not path.startswith(("idb/data/", "hdb/data/", "hdb/imported/")):
        return True
    named = {os.path.realpath(os.path.join(p, name)) for p in kept for name in os.listdir(p)}
    return any(where.startswith((n + "/", n + ".sums")) for n in named)


def must_count(root):
    """For the checker damage that nobody relies on is found, too; OUTSIDE_IDLE gets a line of it."""
    if not counts(root):
        with open(os.environ.get("OUTSIDE_IDLE", os.devnull), "a") as f:
            print(os.environ["CP_OP"], file=f)
        sys.exit("nobody relies on that")


def detect(root, beside):
    """Fails when something is damaged: by the checksums first, else by what a restart finds."""
    must_count(root)
    run = job.Run(root, [], beside)
    for base in (run.a.idb, run.a.hdb):
        done = proc.run(["check", "--deep", base])
        assert done.returncode == 0, f"silt check --deep {base}: {done}"
    verify(root, beside)


def count(work, prepared, scratch):
    print(sum(job.count_points(scratch, prepared, role, work) for role in ("sm", "eoi", "eod")))


STEPS = {"prepare": job.prepare, "ruins": ruins, "recover": recover, "verify": verify,
         "detect": detect}
for name, work in WORK.items():
    STEPS[name] = functools.partial(run_job, work)
    STEPS["count-" + name] = functools.partial(count, work)


if __name__ == "__main__":
    step, where = sys.argv[1:]
    os.makedirs(where, exist_ok=True)
    with proc.workdir() as scratch:
        try:
            STEPS[step](where, scratch)
        except (AssertionError, job.Stopped) as e:
            sys.exit(f"{step}: {e!r}")
