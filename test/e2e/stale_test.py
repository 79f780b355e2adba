#!/usr/bin/env python3
"""A reader that cannot open a newer view (its manifest, a segment, or the names that were added to the
symbol file are damaged, or cannot be read) lives: it answers every query from the view that it has and
the stream after it, says so, and goes on by itself when a view can be opened. One that starts then begins
with the newest older view that can be opened."""
import contextlib
import os
import shutil
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import proc, qipc as q
from kit.model import Model
from kit.system import QueryFailed, System, now_ns
from kit.tap import Tap

tap = Tap()
COLUMNS = [("time", "timestamp"), ("sym", "symbol"), ("size", "long")]
TABLES = {"trade": proc.table_spec(COLUMNS, sort_ord=["sym", "time"], sort_disk=["sym", "time"])}


class Feed:
    """Rows with names that were never seen before, so that each interval adds to the domain."""

    def __init__(self):
        self.next = 0

    def rows(self, count):
        numbers = list(range(self.next, self.next + count))
        self.next += count
        t = now_ns()
        return {"time": q.vec("timestamp", [t + i for i in numbers]),
                "sym": q.syms(*[f"name{i}" for i in numbers]), "size": q.vec("long", numbers)}


def publish(s, feed, seen, count=20):
    c = feed.rows(count)
    s.publish("trade", q.QTable(c))
    seen.extend(c["size"].data)


def answers(s, seen):
    got = s.query({"table": "trade"})
    assert sorted(got.columns["size"].data) == sorted(seen), (len(got.columns["size"].data), len(seen))
    names = [f"name{i}" for i in got.columns["size"].data]
    assert [bytes_of(x) for x in got.columns["sym"].data] == names


def bytes_of(x):
    return x.decode() if isinstance(x, bytes) else x


def newest(s):
    n = int(os.readlink(os.path.join(s.idb, "current")).rpartition(".")[2])
    return n, os.path.join(s.idb, "manifest", f"view.{n}")


def flip(path, at):
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes((byte ^ 1,)))


def metric(s, name):
    text = s.http("GET", "/metrics", port=s.da_port).body.decode()
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith(name + " ")))


def events(s, name):
    out = []
    for f in os.listdir(s.folder):
        if f.endswith(".err"):
            with open(os.path.join(s.folder, f), errors="replace") as h:
                out += [line for line in h if f"event={name} " in line]
    return out


def segment_of(s, number):
    """A segment file that this view was the first to name."""
    folder = os.path.join(s.idb, "manifest")
    return next(os.path.join(folder, f) for f in os.listdir(folder) if f.startswith("i.")
                and f.endswith(f".{number}"))


DAMAGES = ("manifest", "segment", "sym", "gone")


def damage(s, what):
    """Damages the newest view: its number, the file, and what it held."""
    number, manifest = newest(s)
    path = {"manifest": manifest, "gone": manifest, "segment": segment_of(s, number),
            "sym": os.path.join(s.hdb, "sym")}[what]
    with open(path, "rb") as f:
        whole = f.read()
    if what == "gone":
        os.unlink(path)
    else:
        flip(path, len(whole) - 5)
    return number, path, whole


@contextlib.contextmanager
def running():
    """(folder, system, its feed, ids of the rows that were published)."""
    with proc.workdir() as top, \
            System(top, "0D12:00:00", tables=TABLES, sm={"scrub": "0s"}) as s:
        yield top, s, Feed(), []


def interval(s, feed, seen):
    publish(s, feed, seen)
    s.eoi()


def restart_reader(s):
    """Kills the reader; returns when the next one answers."""
    s.hang_up()
    pid = s.roles()["da"]
    s.kill_role("da")
    proc.wait_for(lambda: s.roles().get("da") not in (None, pid), "another reader")
    s.ready()


@tap.test("a reader serves its view on while newer ones are damaged, and says so")
def _():
    with running() as (top, s, feed, seen):
        interval(s, feed, seen)
        proc.wait_for(lambda: s.da_status()["view"] == newest(s)[0], "the reader's view")
        pid = s.roles()["da"]
        for what in DAMAGES:
            s.kill_role("da", signal.SIGSTOP)
            interval(s, feed, seen)
            number, path, whole = damage(s, what)
            told = len(events(s, "da.stale"))
            s.kill_role("da", signal.SIGCONT)
            proc.wait_for(lambda: len(events(s, "da.stale")) > told, f"the news of {what}")
            assert path in events(s, "da.stale")[-1], events(s, "da.stale")
            answers(s, seen)
            publish(s, feed, seen)
            answers(s, seen)
            state = s.da_status()
            assert state["view"] < number and path in state["stale"]["reason"], state
            assert metric(s, "silt_da_stale_tries_total") >= 1
            assert metric(s, "silt_da_stale_seconds") > 0
            assert path in s.silt("status", "--reader").stdout.decode()
            with open(path, "wb") as f:
                f.write(whole)
            proc.wait_for(lambda: s.da_status()["view"] == number, f"the view after {what}")
            answers(s, seen)
            assert "stale" not in s.da_status() and metric(s, "silt_da_stale_seconds") == 0
            assert len(events(s, "da.stale")) == told + 1, events(s, "da.stale")
        assert s.roles()["da"] == pid, "the reader ended"
        s.check()
        s.stop()


@tap.test("the next view that is whole frees a reader that could not open the last one")
def _():
    with running() as (top, s, feed, seen):
        interval(s, feed, seen)
        proc.wait_for(lambda: s.da_status()["view"] == newest(s)[0], "the reader's view")
        s.kill_role("da", signal.SIGSTOP)
        interval(s, feed, seen)
        flip(newest(s)[1], 30)
        s.kill_role("da", signal.SIGCONT)
        proc.wait_for(lambda: "stale" in s.da_status(), "the damage")
        publish(s, feed, seen)
        for step in (s.eoi, s.eod, s.eoi):
            publish(s, feed, seen)
            step()
            answers(s, seen)
        proc.wait_for(lambda: s.da_status()["view"] == newest(s)[0], "the newest view")
        answers(s, seen)
        s.stop()


@tap.test("a reader that starts on a damaged view serves the one before and the stream after it")
def _():
    with running() as (top, s, feed, seen):
        interval(s, feed, seen)
        publish(s, feed, seen)
        s.eod()
        for what in DAMAGES:
            interval(s, feed, seen)
            number, path, whole = damage(s, what)
            restart_reader(s)
            answers(s, seen)
            publish(s, feed, seen)
            answers(s, seen)
            state = s.da_status()
            assert state["view"] == number - 1 and path in state["stale"]["reason"], state
            assert metric(s, "silt_da_stale_seconds") > 0
            assert path in events(s, "da.stale")[-1], events(s, "da.stale")
            # The view that it serves is kept, with the log, though newer ones come.
            if what == "manifest":
                pid = s.roles()["da"]
                flip(path, len(whole) - 5)
                s.kill_role("da", signal.SIGSTOP)
                flip(path, len(whole) - 5)
                for _ in range(3):
                    interval(s, feed, seen)
                s.kill_role("da", signal.SIGCONT)
                proc.wait_for(lambda: "stale" not in s.da_status(), "a newer view")
                answers(s, seen)
                assert s.roles()["da"] == pid
            with open(path, "wb") as f:
                f.write(whole)
            proc.wait_for(lambda: s.da_status()["view"] == newest(s)[0], f"the view after {what}")
            answers(s, seen)
            assert "stale" not in s.da_status() and metric(s, "silt_da_stale_seconds") == 0
        s.check()
        s.stop()


@tap.test("a reader without a manager begins with an older view, too; without one it says why")
def _():
    with running() as (top, s, feed, seen):
        for _ in range(2):
            interval(s, feed, seen)
        publish(s, feed, seen)
        number, path, whole = damage(s, "manifest")
        s.kill()
        s.start(ready=False)
        proc.wait_for(lambda: not s.up.running(), "the refusal to start")
        assert events(s, "sm.failed")
        da = lambda: proc.start(["da", s.assembly.path], {}, top)
        alone = da().wait_ready(port=s.da_port)
        answers(s, seen)
        assert s.da_status()["view"] == number - 1
        s.hang_up()
        alone.terminate()
        older = [os.path.join(s.idb, "manifest", f"view.{n}") for n in range(1, number)]
        older = [p for p in older if os.path.exists(p)]
        assert older
        for p in older:
            flip(p, 30)
        alone = da()
        proc.wait_for(lambda: not alone.running(), "the reader's refusal")
        assert alone.popen.returncode == 7, alone.tail()
        assert path in alone.tail() and "no older view can be opened" in alone.tail(), alone.tail()
        with open(path, "wb") as f:
            f.write(whole)
        s.start(ready=False)
        s.up.wait_ready(port=s.da_port)
        answers(s, seen)
        s.stop()


@tap.test("a reader that starts while an import is not over waits for its end")
def _():
    with running() as (top, s, feed, seen):
        interval(s, feed, seen)
        s.kill()
        journal = os.path.join(s.hdb, "adopt.journal")
        with open(journal, "w"):
            pass
        alone = proc.start(["da", s.assembly.path], {}, top)
        proc.wait_for(lambda: "an import is not over" in alone.stderr(), "the reader to wait")
        assert alone.running() and "da.started" not in alone.stderr(), alone.tail()
        os.remove(journal)
        alone.wait_ready(port=s.da_port)
        answers(s, seen)
        s.hang_up()
        alone.terminate()


@tap.test("a reader that starts while parts are damaged serves the others")
def _():
    with running() as (top, s, feed, seen):
        publish(s, feed, seen)
        s.eod()
        interval(s, feed, seen)
        publish(s, feed, seen)
        day = next(p for p in s.http("GET", "/v1/partitions").json() if p["kind"] == "date")["path"]
        size, kept = os.path.join(day, "trade", "size"), os.path.join(top, "kept")
        for how in ("cut", "gone", "part", "sidecar"):
            if how == "cut":
                shutil.copy(size, kept)
                os.truncate(size, 20)
            else:
                what = {"gone": size, "part": day, "sidecar": day + ".sums"}[how]
                os.rename(what, kept)
            restart_reader(s)
            for column, fine in (("time", how != "part"), ("size", how == "sidecar")):
                try:
                    s.query({"table": "trade", "agg": q.QList([q.lst("n", "max", column)])})
                    assert fine, (how, column)
                except QueryFailed as e:
                    assert not fine and day in e.text, (how, column, e.text)
            assert "stale" not in s.da_status()
            os.rename(kept, size if how == "cut" else what)
        restart_reader(s)
        answers(s, seen)
        s.check()
        s.stop()


if __name__ == "__main__":
    tap.run()
