#!/usr/bin/env python3
"""A kdb+ database is handed over: imported at the first start or by hand, queried, fed with late rows
of imported dates, written down by day, and given out again as plain kdb+."""
import collections
import glob
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import imports, kdbfiles, proc, qipc as q
from kit.system import System
from kit.tap import Tap

tap = Tap()
LATE = 3        # rows that are published again, of each table and date


def column(kind, values):
    if kind == "string":
        return q.QList([q.QVector(10, v) for v in values])
    if kind == "" or kind.endswith("s"):
        return q.QList(list(values))
    if kind in ("char", "boolean", "byte"):
        return q.QVector(q.CODES[kind], bytes(v if isinstance(v, int) else v[0] for v in values))
    if kind == "symbol":
        return q.QVector(11, list(values))
    return q.QVector(q.CODES[kind], values)


def again(splay, spec):
    """The first rows of a table, as a message."""
    out = {}
    for c in spec["columns"]:
        values = splay.column(c["name"]) if c["name"] in splay.files else None
        out[c["name"]] = column(c["type"], values[:LATE]) if values is not None else None
    return None if None in out.values() else q.QTable(out)


def rows_of(splay):
    return collections.Counter(str(r) for r in splay.tuples())


def merged(db, s):
    """Late rows of imported dates are merged; the view holds both, the old folder goes."""
    wanted, sent = {}, 0
    for (part, table), splay in db.held.items():
        if table not in db.tables:
            continue
        if not splay.rows:
            continue
        wanted[part, table] = rows_of(splay)
        message = again(splay, db.tables[table])
        if message is None or splay.rows < LATE:
            continue
        s.publish(table, message)
        sent += 1
        for row in splay.tuples()[:LATE]:
            wanted[part, table][str(row)] += 1
    assert sent > 0, "no table to publish to"
    s.eoi()
    s.eod()
    history = kdbfiles.load_db(os.path.join(s.hdb, "current"))
    parts = {os.path.basename(p): p for _, p in history.partitions}
    for (part, table), rows in wanted.items():
        splay = kdbfiles.load_splayed(os.path.join(parts[part], table), history.domains)
        if splay.names() == db.held[part, table].names():
            assert rows_of(splay) == rows, f"{part}/{table} after the day"
    return history


def files(folder):
    out = {}
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as f:
            out[name] = f.read()
    return out


def exported(s, target, source, wanted, *options):
    """`silt export` gives a database that any kdb+ reader loads, with the rows of the view."""
    done = s.silt("export", source, target, *options)
    assert done.returncode == 0, done
    twice = s.silt("export", source, target, *options)
    assert twice.returncode == 3 and b"exists already" in twice.stderr, twice
    assert not os.path.exists(target + ".export")
    got = kdbfiles.load_db(target)
    assert [v for v, _ in got.partitions] == [v for v, _ in wanted.partitions]
    for table in wanted.tables:
        for x, y in zip(got.tables[table].parts, wanted.tables[table].parts):
            assert x.name == y.name and files(x.path) == files(y.path), f"{table} {x.path}"
    check = s.silt("check", target)
    assert check.returncode == 0, check
    return got


def swept(s, db, parts):
    """The folders of imported dates that newer parts have replaced go with the views that named
    them."""
    table, splay = next((t, x) for (_, t), x in db.held.items()
                        if t in db.tables and x.rows >= LATE and again(x, db.tables[t]))
    for _ in range(3):
        s.publish(table, again(splay, db.tables[table]))
        s.eoi()
    done = s.silt("export", s.assembly.path, os.path.join(s.folder, "open"), "--intervals")
    assert done.returncode == 0, done
    got, wanted = (kdbfiles.load_db(p) for p in (os.path.join(s.folder, "open"),
                                                 os.path.join(s.idb, "current")))
    assert got.virtual == "int" and len(got.partitions) == len(wanted.partitions) > 0
    assert str(got.tables[table].tuples()) == str(wanted.tables[table].tuples())
    why = s.silt("part", "list", "--json").stdout
    assert b"imported" in why or len(parts) == len({p for p, _ in db.held}), why
    for part in parts:
        path = os.path.join(s.hdb, "imported", part)
        proc.wait_for(lambda p=path: not os.path.exists(p), f"{path} to be swept")


def life(name):
    with proc.workdir() as top:
        db = imports.Database(name, top)
        first = os.path.join(top, "first")
        done = proc.run(["export", db.data, first])
        assert done.returncode == 0, done
        assert imports.partitions(first) == imports.partitions(db.data)
        for (part, table), splay in db.held.items():
            assert files(os.path.join(first, part, table)) == files(splay.path), f"{part}/{table}"
        shutil.rmtree(first)
        s = System(top, tables=db.tables, freq="1D00:00:00", sm={"initialImport": True})
        unlisted = {t for _, t in db.held} - set(db.tables)
        if unlisted:    # the manager refuses them; a person decides
            done = s.silt("adopt", s.assembly.path, "--apply", "--keep-unlisted")
            assert done.returncode == 0, done
        with s:
            counted = {}
            for (_, table), splay in db.held.items():
                counted[table] = counted.get(table, 0) + splay.rows
            for table in db.tables:
                got = s.query({"table": table, "agg": [["n", "count", "time"]]}) \
                    if any(c["name"] == "time" for c in db.tables[table]["columns"]) else None
                if got is not None and counted.get(table):
                    assert got.columns["n"].data[0] == counted[table], f"{table}: {got}"
            history = merged(db, s)
            exported(s, os.path.join(top, "out"), s.assembly.path, history)
            exported(s, os.path.join(top, "out2"), os.path.join(s.hdb, "current"), history, "--copy")
            s.check()
            swept(s, db, {part for part, table in db.held if table in db.tables and
                      db.held[part, table].names() == [c["name"] for c in
                                                       db.tables[table]["columns"]] and
                      db.held[part, table].rows >= LATE})
            exported(s, os.path.join(top, "out3"), s.assembly.path, history)
            s.check()
            s.stop()


def imported(top, **sm):
    """A system that has a made database to import at its first start, and the paths of its parts."""
    db = imports.Database("made", top)
    s = System(top, tables=db.tables, freq="1D00:00:00", sm={"initialImport": True, **sm})
    if {t for _, t in db.held} - set(db.tables):
        s.silt("adopt", s.assembly.path, "--apply", "--keep-unlisted")
    return s, db, [os.path.join(s.hdb, "imported", p) for p in sorted({p for p, _ in db.held})]


def bare(s):
    return s.status()["scrub"]["withoutChecksums"]


def deep(s, left=0):
    done = s.silt("check", "--deep", s.hdb)
    assert done.returncode == 0, done
    assert (f"{left} parts have no checksums" in done.stdout.decode()) == (left > 0), done


@tap.test("imported partitions have no checksums: counted, and made where the operator says so")
def _():
    with proc.workdir() as top:
        s, _, paths = imported(top, scrub="0s")
        with s:
            assert bare(s) == s.status()["dateParts"] == len(paths) > 2, s.status()
            assert f"silt_unsummed_parts {bare(s)}" in s.http("GET", "/metrics").body.decode()
            s.stop()
        one = os.path.basename(paths[-1])
        for args, text, left in (((one,), "it has no checksums", 0), ((one, "--accept"), "1 part", 1),
                                 ((one, "--accept"), "every byte is what was written", 1),
                                 (("--accept",), f"{len(paths) - 1} part", len(paths)),
                                 (("--accept",), "0 part", len(paths))):
            done = s.silt("repair", s.assembly.path, *args)
            assert done.returncode == 0 and text in done.stdout.decode(), (args, done)
            deep(s, len(paths) - left)
        with s.start():
            assert bare(s) == 0
            s.check()
            s.stop()
        assert s.silt("repair", s.assembly.path).returncode == 2


@tap.test("the scrub reads imported partitions once and gives them checksums; then it compares them")
def _():
    with proc.workdir() as top:
        s, db, paths = imported(top, scrub="1s")
        before = {p: files(p) for t in db.tables for p in glob.glob(f"{s.hdb}/data/*/{t}")}
        with s:
            proc.wait_for(lambda: bare(s) == 0, "checksums", 30)
            assert all(os.path.exists(p + ".sums") for p in paths)
            for path, held in before.items():
                now = files(path.replace("/data/", "/imported/"))
                assert all(now[n] == held[n] for n in held if n != ".d"), f"{path} was touched"
            deep(s)
            s.check()
            table = os.listdir(paths[0])[0]
            price = os.path.join(paths[0], table, next(
                n for n in os.listdir(os.path.join(paths[0], table)) if n != ".d"))
            with open(price, "r+b") as f:
                f.seek(-1, 2)
                byte = f.read(1)[0]
                f.seek(-1, 2)
                f.write(bytes((byte ^ 1,)))
            found = lambda: s.status()["scrub"]["damaged"]
            proc.wait_for(found, "the damage", 30)
            assert found()[0]["part"] == paths[0] and price.endswith(found()[0]["file"]), found()
            with open(price, "r+b") as f:
                f.seek(-1, 2)
                f.write(bytes((byte,)))
            proc.wait_for(lambda: not found(), "a clean pass", 30)
            # Late rows replace a part: folder and sidecar go with the views that named it.
            (part, table), splay = next((k, x) for k, x in db.held.items() if k[1] in db.tables and
                                        x.rows >= LATE and again(x, db.tables[k[1]]))
            path = os.path.join(s.hdb, "imported", part)
            s.publish(table, again(splay, db.tables[table]))
            s.eoi()
            s.eod()
            for _ in range(3):
                s.publish(table, again(splay, db.tables[table]))
                s.eoi()
            proc.wait_for(lambda: not os.path.exists(path) and not os.path.exists(path + ".sums"),
                          "the old part to be swept")
            deep(s)
            s.check()
            s.stop()


@tap.test("a scrub that is killed, or whose disk is full, while it makes checksums: they are made later")
def _():
    with proc.workdir() as top:
        s, _, paths = imported(top, scrub="1s")
        fault = {"SILT_FAULT_ROLE": "scrub"}
        for k, kind in ((1, "kill:{}"), (1, "error:{}+:ENOSPC"), (2, "kill:{}"), (3, "kill:{}"),
                        (3, "error:{}:EIO"), (6, "kill:{}"), (1000, "kill:{}")):
            # A scrub that starts again after its death is killed at the same change of its own.
            with s.start(env={**fault, "SILT_FAULT": kind.format(k)}):
                told = ("event=scrub.sums", "event=scrub.failed", 'event=worker.ended text="scrub')
                ends = lambda: any(t in s.up.tail(100) for t in told)
                proc.wait_for(ends, f"the fault {kind.format(k)}", 30)
                assert k == 1000 or kind[0] == "k" or bare(s) > 0
                s.kill()
            done = s.silt("check", s.hdb)
            assert done.returncode == 0, done
        with s.start():
            proc.wait_for(lambda: bare(s) == 0, "checksums", 30)
            deep(s)
            s.check()
            s.stop()


NAMES = ["made", "torq-air", "torq-air-g", "torq-crypto-zip", "torq", "torq-finance-dqcdb"]
if os.environ.get("SILT_BIG"):
    NAMES += ["torq-finance", "torq-crypto"]
for _name in NAMES:
    if _name == "made" or imports.shared():
        tap.test(f"{_name}: imported, queried, late rows merged")(lambda name=_name: life(name))


if __name__ == "__main__":
    tap.run()
