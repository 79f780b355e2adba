#!/usr/bin/env python3
"""List columns of every type and mixed columns: published in every form, equal at once, from an
interval, from a day with late rows merged in, and after a restart; read by an independent decoder;
and refused by name where they have no place."""
import json
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import kdbfiles, proc, qipc as q
from kit.qipc import DAY_NS
from kit.system import QueryFailed, System, now_ns
from kit.tap import Tap

tap = Tap()

# The list types of a schema and the type of their elements.
LISTS = {("string" if n == "char" else n + "s"): code for n, code in q.CODES.items()}
COLUMNS = ([("time", "timestamp"), ("sym", "symbol"), ("id", "long")] +
           [(f"l_{name}", name) for name in LISTS] +
           [("mix", ""), ("anymap", "", {"anymap": True})])
LIST_COLUMNS = [c for c in COLUMNS if c[1] == "" or c[1] in LISTS]
BIG = 64 << 20                      # bytes of one row's list


def table_spec(**more):
    return proc.table_spec(COLUMNS, sort_disk=["sym", "time"], sort_ord=["sym", "time"], **more)


def element(r, code):
    if r.random() < 0.15:
        return None
    if code == 1:
        return r.randrange(2)
    if code == 2:
        return r.randbytes(16)
    if code == 4:
        return r.randrange(256)
    if code in q.FLOATS:
        return r.choice([0.5, -2.25, 1024.0])
    if code == 10:
        return r.choice([b"a", b"Z", b"\xc3"])
    if code == 11:
        return r.choice(["", "one", "two", "Zürich", f"n{r.randrange(40)}"])
    return r.randrange(-900, 900)


def vector(r, code, n=None):
    """Short lists are packed in the heap, long ones objects of their own."""
    n = r.choice([0, 0, 1, 2, 3, 8, 130]) if n is None else n
    values = [element(r, code) for _ in range(n)]
    values = [q.NULL[code] if v is None else v for v in values]
    if code in (2, 10):
        return q.QVector(code, b"".join(values))
    return q.QVector(code, values)


def mixed(r, depth=0):
    """Anything that a mixed column may hold."""
    kind = r.randrange(8 if depth < 3 else 4)
    if kind == 0:
        return q.QList([])
    if kind == 1:
        code = r.choice(sorted(q.CODES.values()))
        v = element(r, code)
        return q.QAtom(code, q.NULL[code] if v is None else v)
    if kind <= 3:
        return vector(r, r.choice(sorted(q.CODES.values())))
    if kind == 4:
        return q.QList([vector(r, 7), q.text("text"), mixed(r, depth + 1)])
    if kind == 5:
        return q.QDict(q.syms("a", "b"), q.QList([mixed(r, depth + 1), vector(r, 9)]))
    if kind == 6:
        return q.QTable({"k": vector(r, 11, 2), "v": vector(r, 7, 2)})
    return q.QDict(q.QTable({"k": vector(r, 11, 3)}), q.QTable({"v": vector(r, 9, 3)}))


class Rows:
    """What was published: by id the time, the symbol and a value for each list column."""

    def __init__(self, seed):
        self.random, self.all = random.Random(seed), {}

    def make(self, count, time=None):
        r, out = self.random, []
        for _ in range(count):
            row = {"id": len(self.all), "time": now_ns() if time is None else time + len(self.all),
                   "sym": r.choice(["A", "B", "C", ""])}
            for name, kind, *_ in LIST_COLUMNS:
                row[name] = mixed(r) if kind == "" else vector(r, LISTS[kind])
            self.all[row["id"]] = row
            out.append(row)
        return out

    def check(self, got, where):
        """`got`: columns by name, each a sequence of values as q IPC gives them."""
        assert sorted(got["id"]) == sorted(self.all), f"{where}: {len(got['id'])} rows"
        for name, *_ in LIST_COLUMNS:
            for i, v in zip(got["id"], got[name]):
                want = self.all[i][name]
                assert v == want, f"{where}: {name} of row {i} is {v!r}, not {want!r}"
        for i, time, sym in zip(got["id"], got["time"], got["sym"]):
            assert (time, sym) == (self.all[i]["time"], self.all[i]["sym"]), f"{where}: row {i}"


def fixed_columns(rows):
    return {"time": q.vec("timestamp", [r["time"] for r in rows]),
            "sym": q.vec("symbol", [r["sym"] for r in rows]),
            "id": q.vec("long", [r["id"] for r in rows])}


def table(rows):
    lists = {n: q.QList([r[n] for r in rows]) for n, *_ in LIST_COLUMNS}
    return q.QTable({**fixed_columns(rows), **lists})


def column_list(rows):
    return q.QList(list(table(rows).columns.values()))


def row_list(row):
    atoms = [q.ts(row["time"]), q.sym(row["sym"]), q.long(row["id"])]
    return q.QList(atoms + [row[n] for n, *_ in LIST_COLUMNS])


def answered(t):
    """The columns of an answer, lists as sequences of values."""
    out = {n: t[n].data for n in ("time", "sym", "id")}
    for n, *_ in LIST_COLUMNS:
        column = t[n]
        atoms = isinstance(column, q.QVector)   # atoms of one type are a vector to q
        out[n] = [q.QAtom(column.type, v) for v in column] if atoms else column.items
    return out


def on_disk(disk):
    """The same of all rows that a q session would load."""
    out = {n: [] for n, *_ in COLUMNS}
    for splay in disk.splays("t"):
        for n, kind, *_ in COLUMNS:
            values = list(splay.column(n))
            if n in ("time", "sym", "id"):
                out[n] += values
                continue
            out[n] += [q.QVector(10, v) if isinstance(v, bytes) else v for v in values]
    return out


class Road:
    def __init__(self, s, seed):
        self.s, self.rows, self.turn = s, Rows(seed), 0

    def publish(self, count, time=None):
        rows = self.rows.make(count, time)
        form = self.turn % 3
        self.turn += 1
        if form == 0:
            self.s.publish("t", table(rows))
        elif form == 1:
            self.s.publish("t", column_list(rows))
        else:
            for row in rows:
                self.s.publish("t", row_list(row))

    def check(self, where):
        self.rows.check(answered(self.s.query({"table": "t"})), where)
        # sorted, cut and chosen: the same values by other roads
        t = answered(self.s.query({"table": "t", "sortCols": "id"}))
        assert list(t["id"]) == sorted(self.rows.all), where
        self.rows.check(t, where + ", sorted")
        some = self.s.query({"table": "t", "filter": q.QList([q.lst("=", q.sym("sym"),
                                                                      q.sym("A"))]),
                             "agg": q.syms("id", "mix", "l_symbols", "l_longs")})
        ids = list(some["id"].data)
        assert sorted(ids) == sorted(i for i, r in self.rows.all.items() if r["sym"] == "A"), where
        for name in ("l_symbols", "l_longs"):
            assert all(v == self.rows.all[i][name] for i, v in zip(ids, some[name])), where
        top = answered(self.s.query({"table": "t", "sortCols": q.syms("id", "desc"), "limit": 2}))
        for i, v in zip(top["id"], top["mix"]):
            assert v == self.rows.all[i]["mix"], where
        self.check_ends(where)

    def check_ends(self, where):
        """first, last, count and distinct, by symbol."""
        names = [n for n, *_ in LIST_COLUMNS]
        agg = [q.syms(f"f_{n}", "first", n) for n in names]
        agg += [q.syms(f"e_{n}", "last", n) for n in names]
        agg += [q.syms("n", "count", "mix"), q.syms("i", "first", "id"), q.syms("j", "last", "id")]
        got = self.s.query({"table": "t", "groupBy": q.sym("sym"), "agg": q.QList(agg)})
        for at in range(len(got)):
            first, last = (self.rows.all[got[k].data[at]] for k in ("i", "j"))
            assert got["n"].data[at] == sum(r["sym"] == first["sym"]
                                            for r in self.rows.all.values()), where
            for n in names:
                for key, row in ((f"f_{n}", first), (f"e_{n}", last)):
                    column = got[key]
                    v = column.items[at] if isinstance(column, q.QList) else \
                        q.QAtom(column.type, list(column)[at])
                    assert v == row[n], f"{where}: {key} of {row['id']}: {v!r}, not {row[n]!r}"
        for n in ("mix", "l_symbols", "l_ints"):
            some = self.s.query({"table": "t", "agg": q.QList([q.syms("d", "distinct", n)])})["d"]
            found = {bytes(q.encode(v)) for v in some.items[0]}
            want = {bytes(q.encode(r[n])) for r in self.rows.all.values()}
            assert found == want, f"{where}: distinct {n}: {len(found)}, not {len(want)}"

    def check_disk(self, where):
        d = self.s.disk()
        d.check_shape({"t": ["sym", "time"]})
        self.rows.check(on_disk(d), where)
        for splay in d.splays("t"):
            assert "sym" in splay.domains
            for n, *_ in LIST_COLUMNS:
                assert splay.files[n].kind in ("anymap", "list"), (n, splay.files[n].kind)


def run(seed, compression=None, **more):
    tiers = None if compression is None else [
        {"name": "idb", "mount": "idb", "schedule": {"freq": "0D01:00:00"}},
        {"name": "hdb", "mount": "hdb", "compression": compression,
         "schedule": {"freq": "1D00:00:00", "snap": "00:00:00"}}]
    with proc.workdir() as folder, System(folder, tables={"t": table_spec(**more)},
                                          freq="0D01:00:00", tiers=tiers) as s:
        road = Road(s, seed)
        for _ in range(3):
            road.publish(20)
        road.check("live")
        s.eoi()
        road.check_disk("after an interval, on disk")
        road.check("after an interval")
        road.publish(15)
        road.publish(6, now_ns() - 2 * DAY_NS)
        road.publish(6, now_ns() - DAY_NS)
        road.check("late rows, live")
        s.eoi()
        road.check_disk("late rows, on disk")
        road.check("late rows, after an interval")
        s.eod()
        road.check_disk("after a day, on disk")
        road.check("after a day")
        road.publish(10, now_ns() - 2 * DAY_NS)
        road.publish(10)
        road.publish(1)
        road.check("rows for a day that is written")
        s.stop()
        s.start()
        road.check("after a restart")
        s.eod()
        road.check_disk("after another day, on disk")
        road.check("after another day")
        s.check()
        done = s.silt("dump", os.path.join(s.hdb, "current"))
        assert done.returncode == 0, done
        s.stop()


@tap.test("every list type and mixed values: equal live, in intervals, in days, after a restart")
def _():
    run(1)


@tap.test("the same when each interval spills to disk")
def _():
    run(2, blockSize=7)


@tap.test("the same when days are compressed")
def _():
    run(3, {"algorithm": "gzip", "block": 12, "level": 6})


@tap.test("JSON and CSV: lists by their natural form, mixed values from JSON alone")
def _():
    columns = [("time", "timestamp"), ("ints", "ints"), ("names", "symbols"), ("mix", "")]
    spec = proc.table_spec(columns, sort_ord=["time"], sort_disk=["time"])
    with proc.workdir() as folder, System(folder, "0D01:00:00", tables={"t": spec}) as s:
        at = "2024.01.01D00:00:0"
        rows = [{"time": at + "0", "ints": [1, None, 3], "names": ["a", "b c"],
                 "mix": {"k": [1, 2.5], "deep": ["x", {"y": None}]}},
                {"time": at + "1", "ints": [], "names": [], "mix": None},
                {"time": at + "2", "ints": [7], "names": [None], "mix": "text"}]
        assert s.publish_http("t", json.dumps(rows), "application/json")["rows"] == 3
        csv = f'time,ints,names,mix\n{at}3,4 0N 5,x y,\n{at}4,,,\n'
        assert s.publish_http("t", csv.encode())["rows"] == 2
        want = [([1, None, 3], ["a", "b c"], {"k": [1.0, 2.5], "deep": ["x", {"y": []}]}),
                ([], [], []), ([7], [""], "text"), ([4, None, 5], ["x", "y"], []), ([], [], [])]
        for step in ("live", "interval", "day"):
            got = s.query_http({"table": "t", "sortCols": "time"})
            found = [(r["ints"], [n or "" for n in r["names"]], r["mix"]) for r in got]
            assert found == want, (step, found)
            if step == "live":
                s.eoi()
            if step == "interval":
                s.eod()
        # silt get, asking a reader and looking itself
        ask = json.dumps({"table": "t", "agg": ["ints", "names", "mix"],
                          "startTS": at + "0", "endTS": at + "3"})
        for way in ((), ("-d", os.path.join(s.hdb, "current"))):
            out = {f: s.silt("get", ask, "--format", f, *way) for f in ("csv", "json", "table")}
            assert all(o.returncode == 0 for o in out.values()), out
            assert json.loads(out["json"].stdout) == [
                {"ints": a, "names": b, "mix": c} for a, b, c in want[:3]], (way, out["json"].stdout)
            lines = out["csv"].stdout.decode().splitlines()
            assert lines[0] == "ints,names,mix" and lines[3] == "7,,text", (way, lines)
            assert lines[1].startswith('1  3,a b c,"{""k"":[1,2.5]'), (way, lines)
            assert '"deep"' in out["table"].stdout.decode(), out["table"].stdout
        r = s.http("POST", "/v1/publish/t", f"time,ints,names,mix\n{at}5,,,1 2\n".encode(),
                   {"Content-Type": "text/csv"})
        assert r.status == 400 and b"mix" in r.body and b"mixed" in r.body, r
        r = s.http("POST", "/v1/publish/t", json.dumps({"time": at + "6", "names": "ab"}),
                   {"Content-Type": "application/json"})
        assert r.status == 400 and b"names" in r.body, r
        s.stop()


def refused(s, rows, part):
    try:
        s.publish("t", rows)
    except q.QError as e:
        assert part in str(e), (part, e)
        return
    raise AssertionError(f"taken, though {part}")


@tap.test("what does not fit is refused by name: types, functions, sizes, filters, attributes")
def _():
    with proc.workdir() as folder, System(folder, "0D01:00:00", tables={"t": table_spec()}) as s:
        rows = Rows(3)
        good = rows.make(1)[0]

        def with_cell(name, value):
            return table([{**good, name: value}])
        refused(s, with_cell("l_longs", q.QVector(6, [1])), "column l_longs")
        refused(s, with_cell("l_symbols", q.text("text")), "column l_symbols")
        refused(s, with_cell("mix", q.QPrimitive(101, 0)), "column mix: a function or ::")
        refused(s, with_cell("mix", q.QList([q.text("x"), q.QPrimitive(101, 0)])), "column mix")
        refused(s, with_cell("l_string", q.text(bytes(BIG))), "column l_string: a list of")
        refused(s, with_cell("mix", q.text(bytes(BIG))), "column mix: a value larger")
        deep = q.text("x")
        for _ in range(40):
            deep = q.QList([deep])
        refused(s, with_cell("mix", deep), "column mix: a value nested too deeply")
        columns = table([good]).columns
        refused(s, q.QTable({**columns, "l_longs": q.QVector(7, [1])}), "column l_longs")
        two = q.QList([q.text("a"), q.text("b")])
        refused(s, q.QList([v if n != "mix" else two for n, v in columns.items()]), "column mix")
        s.publish("t", table([good]))
        for args, part in (
                ({"filter": q.QList([q.lst("=", q.sym("l_longs"), q.long(1))])}, "l_longs"),
                ({"filter": q.QList([q.lst("in", q.sym("mix"), q.long(1))])}, "mix"),
                ({"filter": q.QList([q.lst("like", q.sym("l_symbols"), q.text("a*"))])},
                 "l_symbols"),
                ({"groupBy": q.sym("mix")}, "mix"),
                ({"groupBy": q.sym("l_symbols")}, "l_symbols"),
                ({"sortCols": q.sym("mix")}, "mix"),
                ({"agg": q.QList([q.syms("x", "max", "l_longs")])}, "l_longs"),
                ({"agg": q.QList([q.syms("x", "sum", "mix")])}, "mix")):
            try:
                s.query({"table": "t", **args})
            except QueryFailed as e:
                assert part in e.text, (args, e)
            else:
                raise AssertionError(f"answered: {args}")
        rows.check(answered(s.query({"table": "t"})), "the good row")
        like = s.query({"table": "t", "filter": q.QList([q.lst("like", q.sym("l_string"),
                                                                 q.text("*"))])})
        assert len(like) == 1
        s.stop()
    with proc.workdir() as folder:
        spec = proc.table_spec([("time", "timestamp"), ("x", "longs", {"attrDisk": "grouped"}),
                                ("y", "", {"attrMem": "sorted"})], sort_ord=[], sort_disk=[])
        a = proc.write_assembly(os.path.join(folder, "a.yaml"), tables={"t": spec})
        done = proc.run(["config", "check", a.path], folder=folder)
        text = (done.stdout + done.stderr).decode()
        assert done.returncode != 0 and text.count("a column of lists takes no attribute") == 2, text


if __name__ == "__main__":
    tap.run()
