#!/usr/bin/env python3
"""silt repair: a damaged partition gets a new version, of its whole files and of copies that have
exactly the checksums it was written with: from a backup, or for an interval from the stream while it
still holds the rows. Nothing is changed in place, and what cannot be rebuilt is refused by name."""
import fcntl
import os
import random
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import proc, trades
from kit.model import Model
from kit.system import System, now_ns
from kit.tap import Tap

tap = Tap()
TABLES = {"trade": trades.spec()}


def make(top, *steps):
    """A stopped database and its rows."""
    feed, model = trades.Trades(8), Model(trades.COLUMNS, "time")
    s = System(top, "0D12:00:00", tables=TABLES, sm={"scrub": "0s"})
    s.start()
    for step in steps:
        c = feed.columns(300, now_ns())
        s.publish("trade", trades.table(c))
        model.add_columns(*c)
        if step:
            getattr(s, step)()
    return s, model


def largest(s, kind):
    """The folder of the part of a kind with the most rows, its name, and how many rows."""
    done = s.silt("part", "list", s.assembly.path, "--json")
    import json
    t = json.loads(done.stdout)
    rows = t if isinstance(t, list) else [dict(zip(t, v)) for v in zip(*t.values())]
    return max((r for r in rows if r["kind"] == kind), key=lambda r: r["rows"])["path"]


def damage(path, r):
    with open(path, "r+b") as f:
        data = f.read()
        at = r.randrange(len(data))
        f.seek(at)
        f.write(bytes((data[at] ^ 1,)))
    return data


def repair(s, *args, status=0):
    done = s.silt("repair", s.assembly.path, *args)
    text = (done.stdout + done.stderr).decode()
    assert done.returncode == status, f"{args}: {done.returncode} {text}"
    return text


def whole(s, model):
    """The database is clean to the last byte and answers every row."""
    for base in (s.idb, s.hdb):
        done = s.silt("check", "--deep", base)
        assert done.returncode == 0, done.stdout.decode()
    with s.start() as up:
        model.check_answer({}, up.query({"table": "trade"}))
        up.eod()
        model.check_answer({}, up.query({"table": "trade"}))
        up.check()
        up.stop()


@tap.test("a date partition is mended from a backup, and only from one of the same bytes")
def _():
    r = random.Random(3)
    with proc.workdir() as top:
        s, model = make(top, "eod", "eoi", None)
        s.stop()
        day = largest(s, "date")
        backup = os.path.join(top, "backup")
        shutil.copytree(day, os.path.join(backup, os.path.basename(os.path.dirname(day))))
        assert "every byte" in repair(s, day)
        price, sym = (os.path.join(day, "trade", c) for c in ("price", "sym"))
        before = damage(price, r)
        os.unlink(sym)
        bad = open(price, "rb").read()
        text = repair(s, day, status=3)
        assert price in text and "copy" in text, text
        damage(os.path.join(backup, os.path.basename(os.path.dirname(day)), "trade", "price"), r)
        text = repair(s, day, "--from", backup, status=7)
        assert "not those of the part" in text or "price" in text, text
        with open(os.path.join(backup, os.path.basename(os.path.dirname(day)), "trade", "price"),
                  "wb") as f:
            f.write(before)
        text = repair(s, os.path.basename(os.path.dirname(day)), "--from", backup)
        assert "2 files taken" in text, text
        assert largest(s, "date") != day
        assert open(price, "rb").read() == bad, "repaired in place"
        whole(s, model)


@tap.test("an interval is written anew from the stream while that holds its rows")
def _():
    r = random.Random(4)
    with proc.workdir() as top:
        s, model = make(top, "eod", "eoi", "eoi")
        s.stop()
        done = s.silt("part", "list", s.assembly.path, "--json")
        newest = max((p for p in os.listdir(os.path.join(s.idb, "data"))), default=None)
        folders = [os.path.join(s.idb, "data", d, n) for d in os.listdir(os.path.join(s.idb, "data"))
                   for n in os.listdir(os.path.join(s.idb, "data", d)) if n.isdigit()]
        last = max(int(os.path.basename(f)) for f in folders)
        mine = [f for f in folders if int(os.path.basename(f)) == last]
        assert mine and newest, done
        for part in mine:
            for column in ("size", "time", ".d"):
                damage(os.path.join(part, "trade", column), r)
            assert "3 files taken" in repair(s, part)
        whole(s, model)


@tap.test("lost checksums are made anew where the operator says so")
def _():
    with proc.workdir() as top:
        s, model = make(top, "eod", "eoi", None)
        s.stop()
        day = largest(s, "date")
        os.unlink(day + ".sums")
        repair(s, day, status=7)
        assert "takes its place" in repair(s, day, "--accept")
        whole(s, model)
        repair(s, "1999.01.01", status=3)


@tap.test("a repair does not begin while workers of a manager that was killed still run")
def _():
    with proc.workdir() as top:
        s, model = make(top, "eod", None)
        s.kill()
        day = largest(s, "date")
        fd = os.open(os.path.join(s.idb, "stage"), os.O_RDONLY)
        fcntl.flock(fd, fcntl.LOCK_SH)          # as a worker does for all its life
        assert "still run" in repair(s, day, status=9)
        os.close(fd)
        assert "every byte is what was written" in repair(s, day)
        whole(s, model)


@tap.test("killed anywhere, a repair has happened or has not")
def _():
    r = random.Random(5)
    with proc.workdir() as top:
        s, model = make(top, "eod", None)
        s.stop()
        day = largest(s, "date")
        backup = os.path.join(top, "backup")
        shutil.copytree(day, backup)
        damage(os.path.join(day, "trade", "price"), r)
        count = os.path.join(top, "count")
        tree = os.path.join(top, "tree")
        for base in (s.idb, s.hdb):
            shutil.copytree(base, os.path.join(tree, os.path.basename(base)), symlinks=True)

        def again():
            for base in (s.idb, s.hdb):
                shutil.rmtree(base)
                shutil.copytree(os.path.join(tree, os.path.basename(base)), base, symlinks=True)
        done = proc.run(["repair", s.assembly.path, day, "--from", backup],
                        {"SILT_FAULT": f"count:{count}"}, top)
        assert done.returncode == 0, done
        points = int(open(count).read())
        assert points > 20, points
        took = 0
        for k in range(1, points + 1):
            again()
            done = proc.run(["repair", s.assembly.path, day, "--from", backup],
                            {"SILT_FAULT": f"kill:{k}"}, top)
            assert done.returncode not in (0, 7), done
            if k % 5 == 0 or k == points:
                text = repair(s, os.path.basename(os.path.dirname(day)), "--from", backup)
                took += "takes its place" in text
                done = s.silt("check", "--deep", s.idb)
                assert done.returncode == 0, f"point {k}: {done.stdout.decode()}"
        print(f"# {points} points, {took} of those looked at repaired afterwards", flush=True)
        assert took > 0
        whole(s, model)


if __name__ == "__main__":
    tap.run()
