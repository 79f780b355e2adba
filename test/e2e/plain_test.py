#!/usr/bin/env python3
"""Databases that nobody manages: `silt da DIR`, `silt get -d DIR` and `silt check DIR` over every
database that kdb+ wrote for us, and over those made here: all shapes, all rules."""
import collections
import datetime
import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import kdbfiles, proc, qipc as q, trades
from kit.plain import Domain, Reader, enum32, enum64, same, splay, symbols, vector, write
from kit.qipc import DAY_NS
from kit.system import QueryFailed, System, now_ns
from kit.tap import Skip, Tap, need_shared

tap = Tap()
NUMBERS = {1, 4, 5, 6, 7, 8, 9}
TIMES = {12: "timestamp", 14: "date", 16: "timespan", 19: "time"}

# Every folder of the shared data that is a database, and how many tables it has in which place.
WHOLE = {
    "advancedkdb/hdb": 3,
    "dremio-kdb/src/test/resources/data/db": 4,
    "enterprise-components/components/stream/test/data/hdb": 3,
    "memories/db": 1,
    "torq/tests/dataaccess/queryorder/hdb": 2,
    "torq-air-g/hdb": 1,
    "torq-crypto/hdb/database": 1,
    "torq-finance-starter-pack/dqe/dqcdb/database": 2,
    "torq-finance-starter-pack/dqe/dqedb/database": 2,
    "torq-finance-starter-pack/hdb": 3,
}
# Incomplete ones, as they were published: what is wrong, and a column that can be read all the
# same.
PARTIAL = {
    "advancedkdb/tick/hdb": ("bid", "sym", "bid/sym: its domain sym is not there (P-18)", "price"),
    "torq-air/hdb": ("flights", "sym", "flights: a symbol's index is beyond the domain (P-18)",
                     "flightNumber"),
    "torq-crypto-zip/hdb/database": ("binance", "time", "binance/time", "bid"),
}


def shared(*parts):
    return need_shared("data", "kdb", *parts)


# ------------------------------------------------------------------------------------- real ones

def plain_items(column):
    """A column of an answer as Python values."""
    data = q.to_py(column)
    return [bytes((b,)) for b in data] if isinstance(data, (bytes, bytearray)) else list(data)


def named(v, domains):
    """Enumerations within a value as the names that a reader answers."""
    if isinstance(v, q.QEnum):
        return v.names(domains[v.domain])
    if isinstance(v, dict):
        return {k: named(x, domains) for k, x in v.items()}
    return [named(x, domains) for x in v] if isinstance(v, (list, tuple)) else v


def right_items(splay, name):
    """What the independent decoder says of a column."""
    f, data = splay.files[name], splay.column(name)
    if f.type == 10:
        return [bytes((b,)) for b in data]
    items = []
    for v in data:
        if isinstance(v, q.Value):
            v = named(q.to_py(v), splay.domains)
        items.append(list(v) if isinstance(v, (tuple, list)) else v)
    return items


def check_column(r, table, name, code, right, where):
    got = plain_items(r.get(table, agg=[name]).columns[name])
    assert len(got) == len(right), (where, table, name, len(got), len(right))
    for i, (a, b) in enumerate(zip(got, right)):
        assert same(a, b), f"{where} {table}.{name} row {i}: {a!r}, not {b!r}"
    return 1


def check_sums(r, table, name, code, right, where):
    if code not in NUMBERS or not right:
        return
    null = q.NULL.get(code)
    known = [v for v in right if not (v == null or v != v)]
    row = r.columns(table, agg=[["n", "count", name], ["s", "sum", name], ["low", "min", name],
                                ["high", "max", name]])
    assert row["n"] == [len(right)], (where, table, name, row)
    if code in (1, 4):
        assert row["s"][0] == sum(right), (where, table, name, row)
    elif known and all(abs(v) < (1e300 if code in (8, 9) else 1 << 40) for v in known):
        assert abs(row["s"][0] - sum(known)) <= 1e-9 * max(1, sum(map(abs, known))), (table, name)
        assert (row["low"][0], row["high"][0]) == (min(known), max(known)), (table, name, row)


def right_columns(table):
    """name -> (type, all values) of a partitioned or splayed table."""
    splays = [p.splay for p in table.parts] if hasattr(table, "parts") else [table]
    types = splays[-1].types()
    return {n: (t, [v for s in splays for v in right_items(s, n)]) for n, t in types.items()}


def check_table(r, name, table, virtual, where):
    rows = table.rows
    assert r.q.sync(f"count {name}").value == rows, (where, name)
    columns = right_columns(table)
    wanted = ([virtual] if virtual else []) + list(columns)
    assert list(q.to_py(r.q.sync(f"cols {name}"))) == wanted, (where, name)
    seen = sum(check_column(r, name, c, code, right, where)
               for c, (code, right) in columns.items())
    for c, (code, right) in columns.items():
        check_sums(r, name, c, code, right, where)
    if rows > 0:
        symbol = next((c for c, (code, _) in columns.items() if code == 11), None)
        if symbol:
            check_groups(r, name, symbol, columns[symbol][1], where)
    if virtual:
        check_partitions(r, name, table, virtual, where)
    return seen


def check_groups(r, name, symbol, right, where):
    counts = collections.Counter(right)
    got = r.columns(name, agg=[["n", "count", symbol]], groupBy=[symbol])
    assert dict(zip(got[symbol], got["n"])) == dict(counts), (where, name, symbol)
    assert list(got[symbol]) == sorted(counts), (where, name, symbol)
    one = counts.most_common(1)[0][0]
    got = r.columns(name, agg=[["n", "count", symbol]], filter=[["=", symbol, one]])
    assert got["n"] == [counts[one]], (where, name, symbol, one)


def check_partitions(r, name, table, virtual, where):
    got = r.columns(name, agg=[["n", "count", virtual]], groupBy=[virtual])
    right = collections.Counter()
    for p in table.parts:
        right[p.value] += p.rows
    right = {k: n for k, n in right.items() if n}
    assert dict(zip(got[virtual], got["n"])) == right, (where, name, got, right)
    for value, n in right.items():
        atom = q.QAtom({"date": 14, "month": 13, "year": 6, "int": 7}[virtual], value)
        got = r.columns(name, agg=[["n", "count", virtual]],
                        filter=q.QList([q.QList([q.text("="), q.sym(virtual), atom])]))
        assert got["n"] == [n], (where, name, value, got)


def check_object(r, name, f, where):
    table = q.unkey(f.values) if not isinstance(f.values, q.QTable) else f.values
    assert r.q.sync(f"count {name}").value == len(q.to_py(next(iter(table.columns.values()))))
    for c, column in table.columns.items():
        right = q.to_py(column)
        code = column.type if isinstance(column, q.QVector) else 11
        right = [bytes((b,)) for b in right] if isinstance(right, (bytes, bytearray)) else right
        if isinstance(column, q.QEnum):
            continue
        check_column(r, name, c, code, list(right), where)


@tap.test("every database that kdb+ wrote opens, counts, sums and queries right")
def _():
    columns = 0
    for where, tables in WHOLE.items():
        folder = shared(where)
        db = kdbfiles.load_db(folder)
        with Reader(folder) as r:
            names = list(q.to_py(r.q.sync("tables[]")))
            objects = {n: f for n, f in db.objects.items()
                       if isinstance(f.values, q.QTable) or
                       (isinstance(f.values, q.QDict) and isinstance(f.values.keys, q.QTable))}
            assert names == sorted([*db.tables, *db.splayed, *objects]), (where, names)
            assert len(names) == tables, (where, names)
            for name, table in db.tables.items():
                columns += check_table(r, name, table, db.virtual, where)
            for name, table in db.splayed.items():
                columns += check_table(r, name, table, None, where)
            for name, f in objects.items():
                check_object(r, name, f, where)
    print(f"# {len(WHOLE)} databases, {columns} columns read value by value")


@tap.test("expected.json: rows and sums of every column of every partition")
def _():
    seen = 0
    for where in WHOLE:
        top = where.split("/")[0]
        with open(shared(top, "expected.json")) as f:
            files = {e["path"]: e for e in json.load(f)}
        folder = shared(where)
        db = kdbfiles.load_db(folder)
        with Reader(folder) as r:
            for name, table in db.tables.items():
                for part in table.parts:
                    for c in table.columns:
                        path = os.path.relpath(os.path.join(part.path, c), shared(top))
                        e = files.get(path)
                        if e is None or "rows" not in e or len(table.parts) > 1:
                            continue
                        row = r.columns(name, agg=[["n", "count", c]])
                        assert row["n"] == [e["rows"]], (path, row, e)
                        seen += 1
                        kind = e.get("kind", "")
                        if e["rows"] and "sum" in e and "infs" not in e and kind in ("vector int", "vector long",
                                                                 "vector float"):
                            row = r.columns(name, agg=[["s", "sum", c]])
                            assert abs(float(row["s"][0]) - float(e["sum"])) <= \
                                1e-9 * max(1.0, abs(float(e["sum"]))), (path, row, e["sum"])
    assert seen > 60, seen
    print(f"# {seen} columns")


@tap.test("incomplete databases: what is damaged is named, what is whole is answered")
def _():
    for where, (table, bad, text, good) in PARTIAL.items():
        with Reader(shared(where)) as r:
            try:
                r.get(table, agg=[bad])
            except QueryFailed as e:
                assert text in e.text, e
                print(f"# {e.text}")
            else:
                raise AssertionError(f"{where}: {table}.{bad} was answered")
            assert r.columns(table, agg=[good])[good] is not None


@tap.test("one splayed table is a database of its own; its domain stands above")
def _():
    folder = shared("torq-finance-starter-pack/hdb")
    right = kdbfiles.load_splayed(os.path.join(folder, "2015.01.07", "trade"))
    with Reader(os.path.join(folder, "2015.01.07", "trade")) as r:
        assert q.to_py(r.q.sync("tables[]")) == ["trade"]
        assert list(q.to_py(r.q.sync("cols trade"))) == right.names()
        assert r.columns("trade", agg=["sym"])["sym"] == list(right.column("sym"))
    with Reader(os.path.join(folder, "2015.01.07")) as r:
        assert q.to_py(r.q.sync("tables[]")) == ["quote_iex", "trade", "trade_iex"]
        assert r.q.sync("count trade").value == right.rows


@tap.test("silt get -d asks without a reader and prints what a reader's rows would")
def _():
    folder = shared("torq-finance-starter-pack/hdb")
    ask = {"table": "trade", "agg": [["n", "count", "sym"], ["s", "sum", "size"]],
           "groupBy": ["date", "sym"]}
    got = proc.run(["get", "-d", folder, json.dumps(ask), "--format", "json"])
    assert got.returncode == 0, got.stderr
    rows = json.loads(got.stdout)
    assert len(rows) == 10 and rows[0] == {"date": "2015-01-07", "sym": "AAPL", "n": 19995,
                                           "s": rows[0]["s"]}
    assert sum(row["s"] for row in rows) == 9639450
    with Reader(folder) as r:
        assert r.http("POST", "/data", ask).json()["payload"] == rows
    for args, status, text in ([["get", "-d", folder, '{"table":"nosuch"}'], 3, "nosuch"],
                               [["get", "-d", "/nowhere", '{"table":"t"}'], 3, "/nowhere"],
                               [["get", "-d", folder, '{"table":"trade"}', "x.yaml"], 2, "assembly"],
                               [["get", "-d", __file__, '{"table":"trade"}'], 7, __file__]):
        got = proc.run(args)
        assert got.returncode == status and text in got.stderr.decode(), (args, got)


@tap.test("q texts that tools send: tables, cols, meta, count, select")
def _():
    with Reader(shared("dremio-kdb/src/test/resources/data/db")) as r:
        assert q.to_py(r.q.sync("tables[]")) == ["daily", "depth", "mas", "trade"]
        assert q.to_py(r.q.sync("cols trade"))[:2] == ["date", "sym"]
        meta = q.to_py(q.unkey(r.q.sync("meta trade")))
        assert meta["c"][0] == "date" and bytes(meta["t"])[:3] == b"dst", meta
        assert meta["a"][:2] == ["", "p"]
        assert r.q.sync("count trade").value == 30296
        rows = q.to_py(r.q.sync("select[3] from trade"))
        assert len(rows["sym"]) == 3 and list(rows)[0] == "date"
        assert r.http("GET", "/meta").json()["tables"][3]["table"] == "trade"
        assert r.http("GET", "/v1/status").json()["ready"] is True


@tap.test("silt schema infer proposes an assembly that silt config check takes, or says why not")
def _():
    taken = {"torq-finance-starter-pack/hdb": ["quote_iex", "trade", "trade_iex"],
             "torq-crypto/hdb/database": ["zb"],
             "torq-air-g/hdb": ["flights"],
             "torq/tests/dataaccess/queryorder/hdb": ["packets", "quote"],
             "torq-finance-starter-pack/dqe/dqcdb/database": ["configtable", "results"]}
    with proc.workdir() as work:
        for where in WHOLE:
            got = proc.run(["schema", "infer", shared(where)])
            assert got.returncode == 0, (where, got)
            path = os.path.join(work, "assembly.yaml")
            write(path, got.stdout)
            text = got.stdout.decode()
            checked = proc.run(["config", "check", path])
            if where not in taken:
                assert "Not taken: " in text or "No table can be" in text, (where, text)
                assert checked.returncode == 2 and b"tables: V-0" in checked.stderr, checked
                continue
            assert checked.returncode == 0, (where, checked, text)
            db = kdbfiles.load_db(shared(where))
            for name in taken[where]:
                assert f"\n  {name}:\n    type: partitioned\n    prtnCol: " in text, (name, text)
                for c, code in db.tables[name].columns.items():
                    kind = q.NAMES.get(code)
                    if kind:
                        assert f"{{name: {c}, type: {kind}" in text, (name, c, kind)
        got = proc.run(["schema", "infer", shared("torq-finance-starter-pack/hdb")])
        assert b"sortColsDisk: [sym, time]" in got.stdout and b"# a guess: or srctime" in got.stdout
        for args in (["schema", "infer"], ["schema", "infer", "/nowhere"], ["schema", "x", "/"]):
            assert proc.run(args).returncode in (2, 3), args


# ------------------------------------------------------------------------------------- made ones

NAMES = ["", "AAPL", "DOW", "GOOG", "IBM", "MSFT", "ORCL", "Z"]
ORDER = ["time", "sym", "price", "size"]


def day_of(text):
    """Days since 2000.01.01 of `2009.06.01`."""
    return (datetime.date(*map(int, text.split("."))) - datetime.date(2000, 1, 1)).days


def name_of(day):
    return (datetime.date(2000, 1, 1) + datetime.timedelta(day)).strftime("%Y.%m.%d")


class Rows:
    """Rows of a table `trade`, by partition value; the model of what must be answered."""

    def __init__(self, seed):
        self.random, self.parts = random.Random(seed), {}

    def fill(self, value, day, count):
        """Random rows of a day under a partition's value."""
        r = self.random
        times = sorted(r.sample(range(1, DAY_NS), count))
        rows = [(day * DAY_NS + t, r.choice(NAMES), r.choice([None, r.randrange(1, 9000) / 8]),
                 r.choice([None, r.randrange(1, 10**6)])) for t in times]
        rows.sort(key=lambda x: x[1])
        self.parts[value] = rows
        return rows

    def all(self):
        return [(value, *row) for value in sorted(self.parts) for row in self.parts[value]]


def columns_of(rows):
    kinds = ("timestamp", "symbol", "float", "long")
    return {n: (kind, [row[i] for row in rows]) for i, (n, kind) in enumerate(zip(ORDER, kinds))}


def put(path, rows, domain, old=False):
    splay(os.path.join(path, "trade"), columns_of(rows), domain, old)


def summary(rows):
    """What the questions below must be answered, by the rows with their partition's value."""
    sizes = [row[4] for row in rows if row[4] is not None]
    prices = [row[3] for row in rows if row[3] is not None]
    by_part, by_name = collections.Counter(), collections.Counter()
    for row in rows:
        by_part[row[0]] += 1
        by_name[row[2]] += row[4] or 0
    return {"n": len(rows), "size": sum(sizes), "price": sum(prices),
            "low": min(prices, default=math.inf), "high": max(prices, default=-math.inf),
            "by_part": dict(by_part), "by_name": dict(by_name)}


def asked(r, virtual, **args):
    row = r.columns("trade", agg=[["n", "count", "sym"], ["size", "sum", "size"],
                                  ["price", "sum", "price"], ["low", "min", "price"],
                                  ["high", "max", "price"]], **args)
    out = {k: v[0] for k, v in row.items()}
    by = r.columns("trade", agg=[["n", "count", "sym"]], groupBy=[virtual], **args)
    out["by_part"] = dict(zip(by[virtual], by["n"]))
    by = r.columns("trade", agg=[["s", "sum", "size"]], groupBy=["sym"], **args)
    out["by_name"] = dict(zip(by["sym"], by["s"]))
    return out


def check_answers(r, model, virtual="date"):
    """The whole, each partition, each symbol, and the rows themselves."""
    rows = model.all()
    right = summary(rows)
    assert asked(r, virtual) == right, (asked(r, virtual), right)
    for name in {row[2] for row in rows}:
        got = asked(r, virtual, filter=[["=", "sym", name]])
        assert got == summary([row for row in rows if row[2] == name]), (name, got)
    for value in model.parts:
        some = [row for row in rows if row[0] == value]
        if not some:
            continue
        got = asked(r, virtual, filter=part_filter(virtual, "=", value))
        assert got == summary(some), (value, got)
    got = r.columns("trade")
    assert list(got) == [virtual, *ORDER]
    null = (-(1 << 63), None)
    items = sorted((a, b, c, None if d != d else d, None if e in null else e)
                   for a, b, c, d, e in zip(*got.values()))
    key = lambda row: tuple((x is not None, x) for x in row)
    assert sorted(items, key=key) == sorted(rows, key=key)


def part_filter(virtual, op, value):
    code = {"date": 14, "month": 13, "year": 6, "int": 7}[virtual]
    return q.QList([q.QList([q.text(op), q.sym(virtual), q.QAtom(code, value)])])


def check_rules(folder):
    """(rule, file, warning) of everything that silt check finds, and its exit status."""
    got = proc.run(["check", folder, "--json"])
    found = [json.loads(line) for line in got.stdout.splitlines()]
    return [(f["rule"], f["file"], f.get("warning", False) or f.get("kind") == "warning")
            for f in found], got.returncode


def sound(folder, warnings=()):
    found, status = check_rules(folder)
    assert status == 0 and {rule for rule, _, _ in found} == set(warnings), found


def split_by_helper(day, lines):
    return day % lines


PRINTED = {0: ["2009.06.01", "2009.06.05", "2009.06.11"],
           1: ["2009.06.02", "2009.06.08", "2009.06.12"],
           2: ["2009.06.03", "2009.06.09", "2009.06.15"],
           3: ["2009.06.04", "2009.06.10", "2009.06.16"]}


@tap.test("P-60: plain, four segments by helper placement, any placement, split by symbol")
def _():
    with proc.workdir() as work:
        for shape in ("plain", "helper", "printed", "split", "lines"):
            root = os.path.join(work, shape, "db")
            os.makedirs(root)
            model, domain = Rows(shape), Domain()
            days = sorted(day_of(d) for line in PRINTED.values() for d in line)
            line_of = {day_of(d): line for line, ds in PRINTED.items() for d in ds}
            for day in days:
                rows = model.fill(day, day, model.random.randrange(1, 60))
                if shape == "split":
                    halves = [[x for x in rows if x[1] < "G"], [x for x in rows if x[1] >= "G"]]
                    for line, some in enumerate(halves):
                        put(os.path.join(work, shape, f"seg{line}", name_of(day)), some, domain)
                    continue
                line = {"plain": None, "helper": split_by_helper(day, 4)}.get(shape, line_of[day])
                folder = root if line is None else os.path.join(work, shape, f"seg{line}")
                put(os.path.join(folder, name_of(day)), rows, domain, old=day % 2 == 1)
            domain.save(root)
            lines = {"plain": None,
                     "helper": "".join(f"{work}/helper/seg{i}\n" for i in range(4)),
                     "printed": "".join(f"../seg{i}\n" for i in range(4)),
                     "split": "../seg0\n../seg1",
                     "lines": f"../seg0\r\n{work}/lines/link\r\n../seg2 \t\n../seg3\n"
                              "s3://bucket/db\n"}[shape]
            if lines is not None:
                write(os.path.join(root, "par.txt"), lines.encode())
            if shape == "lines":
                os.symlink("seg1", os.path.join(work, shape, "link"))
            else:
                db = kdbfiles.load_db(root)
                assert db.tables["trade"].rows == len(model.all())
            sound(root, ("P-15", "P-40") if shape == "lines" else ())
            with Reader(root) as r:
                check_answers(r, model)


@tap.test("P-62: rows placed at random over 1 to 8 segments answer as the unsplit table does")
def _():
    with proc.workdir() as work:
        for seed in range(6):
            model, domain = Rows(seed), Domain()
            count = model.random.randrange(1, 9)
            top = os.path.join(work, str(seed))
            root = os.path.join(top, "db")
            os.makedirs(root)
            for day in model.random.sample(range(8000, 8400), model.random.randrange(1, 12)):
                rows = model.fill(day, day, model.random.randrange(0, 80))
                places = collections.defaultdict(list)
                spread = model.random.sample(range(count), model.random.randrange(1, count + 1))
                for row in rows:
                    places[model.random.choice(spread)].append(row)
                for line in spread[:1] if not rows else places:
                    put(os.path.join(top, f"s{line}", name_of(day)), places[line], domain)
            domain.save(root)
            used = sorted(d for d in os.listdir(top) if d != "db")
            model.random.shuffle(used)
            write(os.path.join(root, "par.txt"), "".join(f"../{d}\n" for d in used).encode())
            sound(root)
            with Reader(root) as r:
                check_answers(r, model)


@tap.test("partitions by month, year and long; their value is a column to filter and group by")
def _():
    shapes = {
        "month": {288: ("2024.01", 8766), 289: ("2024.02", 8797), 290: ("2024.03", 8826)},
        "year": {1999: ("1999", -300), 2024: ("2024", 8800), 2025: ("2025", 9200)},
        "int": {7: ("7", 8766), 12: ("12", 8767), 451353600000000000: ("451353600000000000", 9000)},
    }
    with proc.workdir() as work:
        for virtual, parts in shapes.items():
            root = os.path.join(work, virtual)
            os.makedirs(root)
            model, domain = Rows(virtual), Domain()
            for value, (name, day) in parts.items():
                put(os.path.join(root, name), model.fill(value, day, 30), domain)
            domain.save(root)
            sound(root)
            assert kdbfiles.load_db(root).virtual == virtual
            with Reader(root) as r:
                check_answers(r, model, virtual)
                middle = sorted(parts)[1]
                for op, test in ((">", lambda v: v > middle), ("<=", lambda v: v <= middle),
                                 ("<>", lambda v: v != middle)):
                    got = asked(r, virtual, filter=part_filter(virtual, op, middle))
                    assert got == summary([x for x in model.all() if test(x[0])]), (virtual, op)


@tap.test("startTS and endTS choose partitions, then rows by their first timestamp column")
def _():
    with proc.workdir() as work:
        root = os.path.join(work, "db")
        os.makedirs(root)
        model, domain = Rows(3), Domain()
        for day in range(8770, 8776):
            put(os.path.join(root, name_of(day)), model.fill(day, day, 50), domain)
            for table, kind, unit in (("ticks", "time", 1000), ("spans", "timespan", 10**9),
                                      ("seconds", "second", 1)):
                splay(os.path.join(root, name_of(day), table),
                      {"t": (kind, [s * unit for s in range(10)])})
            splay(os.path.join(root, name_of(day), "daily"), {"close": ("float", [1.5, day * 1.0])})
        domain.save(root)
        with Reader(root) as r:
            for low, high in ((8771 * DAY_NS, 8773 * DAY_NS), (8771 * DAY_NS + 12345678901,
                              8774 * DAY_NS + DAY_NS // 2), (0, 8772 * DAY_NS + 1)):
                got = asked(r, "date", startTS=q.ts(low), endTS=q.ts(high))
                right = [x for x in model.all() if low <= x[1] < high]
                assert got == summary(right), (low, high)
            for low, high in ((8771 * DAY_NS + 10**9, 8773 * DAY_NS + 7 * 10**9 + 1), (0, 2**62),
                              (8771 * DAY_NS + 3 * 10**9 + 1, 8772 * DAY_NS),
                              (8771 * DAY_NS + 2 * 10**9, 8771 * DAY_NS + 5 * 10**9)):
                for table in ("ticks", "spans", "seconds"):
                    got = r.columns(table, startTS=q.ts(low), endTS=q.ts(high),
                                    agg=[["n", "count", "t"]], groupBy=["date"])
                    right = collections.Counter(
                        day for day in range(8770, 8776) for s in range(10)
                        if low <= day * DAY_NS + s * 10**9 < high)
                    assert dict(zip(got["date"], got["n"])) == dict(right), (table, low, got)
            got = r.columns("daily", startTS=q.ts(8771 * DAY_NS + 5), endTS=q.ts(8772 * DAY_NS + 1))
            assert got == {"date": [8771, 8771, 8772, 8772], "close": [1.5, 8771.0, 1.5, 8772.0]}


@tap.test("the last partition is the model: tables and columns that older ones lack")
def _():
    with proc.workdir() as work:
        root = os.path.join(work, "db")
        os.makedirs(root)
        domain, other = Domain(), Domain("exch")
        put(os.path.join(root, "2024.01.01"), [(8766 * DAY_NS + 1, "A", 1.0, 1)], domain, old=True)
        put(os.path.join(root, "2024.01.02"), [(8767 * DAY_NS + 1, "B", 2.0, 2),
                                               (8767 * DAY_NS + 2, "", 3.0, 3)], domain)
        last = columns_of([(8768 * DAY_NS + 1, "C", 4.0, 4)])
        last["venue"] = ("symbol", ["X"])
        table = os.path.join(root, "2024.01.03", "trade")
        splay(table, {k: v for k, v in last.items() if k != "venue"}, domain)
        symbols(os.path.join(table, ".d"), list(last) + ["count", "flag", "hour"])
        write(os.path.join(table, "venue"), enum64("exch", [other.index("X")]))
        write(os.path.join(table, "count"), vector("int", [7]))
        write(os.path.join(table, "flag"), vector("boolean", [1]))
        write(os.path.join(table, "hour"), vector("minute", [60]))
        splay(os.path.join(root, "2024.01.03", "quote"), {"bid": ("float", [1.0, 2.0])})
        splay(os.path.join(root, "2024.01.02", "gone"), {"x": ("long", [1])})
        domain.save(root)
        other.save(root)
        with Reader(root) as r:
            assert q.to_py(r.q.sync("tables[]")) == ["quote", "trade"]
            assert r.q.sync("count trade").value == 4 and r.q.sync("count quote").value == 2
            got = r.columns("trade")
            assert got["sym"] == ["A", "B", "", "C"] and got["venue"] == ["", "", "", "X"], got
            assert list(got["count"]) == [-2**31] * 3 + [7], got
            assert list(got["flag"]) == [0, 0, 0, 1] and list(got["hour"]) == [-2**31] * 3 + [60]
            assert r.columns("trade", agg=[["s", "sum", "count"]])["s"] == [7]
            by = r.columns("trade", agg=[["n", "count", "sym"], ["s", "sum", "size"]],
                           groupBy=["venue"])
            assert by == {"venue": ["", "X"], "n": [3, 1], "s": [6, 4]}, by
            for column, value, rows in (("venue", "X", ["C"]), ("sym", "B", ["B"]),
                                        ("venue", "nosuch", [])):
                got = r.columns("trade", agg=["sym"], filter=[["=", column, value]])
                assert list(got["sym"]) == rows, (column, value, got)
            by = r.columns("trade", agg=[["n", "count", "sym"]], groupBy=["date", "venue"])
            assert by == {"date": [8766, 8767, 8768], "venue": ["", "", "X"], "n": [1, 2, 1]}, by
            got = r.columns("trade", sortCols=["venue", "desc", "sym"])
            assert got["sym"][0] == "C", got
            got = r.columns("quote", agg=[["n", "count", "bid"]], groupBy=["date"])
            assert got == {"date": [8768], "n": [2]}, got
        found, status = check_rules(root)
        assert status == 7 and {rule for rule, _, _ in found} == {"P-17"}, found


@tap.test("a query on one date opens the files of that date alone")
def _():
    with proc.workdir() as work:
        root = os.path.join(work, "db")
        os.makedirs(root)
        model, domain = Rows(8), Domain()
        for day in range(8770, 8790):
            put(os.path.join(root, name_of(day)), model.fill(day, day, 40), domain)
        domain.save(root)
        for day in range(8770, 8789):       # what cannot be read must not be touched
            if day != 8775:
                for name in (".d", *ORDER):
                    path = os.path.join(root, name_of(day), "trade", name)
                    write(path, b"damaged: " + bytes(range(40)))
        right = [(8775, *row) for row in model.parts[8775]]
        with Reader(root) as r:
            assert asked(r, "date", filter=part_filter("date", "=", 8775)) == summary(right)
            low, high = q.ts(8775 * DAY_NS), q.ts(8776 * DAY_NS)
            assert asked(r, "date", startTS=low, endTS=high) == summary(right)
            names = sorted({os.readlink(f"/proc/{r.proc.pid}/fd/{n}")
                            for n in os.listdir(f"/proc/{r.proc.pid}/fd")})
            with open(f"/proc/{r.proc.pid}/maps") as f:
                mapped = {w for line in f for w in line.split() if w.startswith(root)}
            assert all("/2024.01.10/" in m for m in mapped), (mapped, names)
            assert len(mapped) >= 3, mapped
            try:
                asked(r, "date")
            except QueryFailed as e:
                assert root in e.text, e
            else:
                raise AssertionError("damaged dates were answered")


@tap.test("new partitions are seen after .silt.reload, POST /v1/reload or SIGHUP")
def _():
    with proc.workdir() as work:
        root = os.path.join(work, "db")
        os.makedirs(root)
        model, domain = Rows(5), Domain()
        def more(day):
            put(os.path.join(root, name_of(day)), model.fill(day, day, 20), domain)
            domain.save(root)
        more(8770)
        with Reader(root) as r:
            assert r.q.sync("count trade").value == 20
            more(8771)
            assert r.q.sync("count trade").value == 20
            assert r.q.call(".silt.reload").value == 2
            check_answers(r, model)
            more(8772)
            assert r.http("POST", "/v1/reload").status == 200
            check_answers(r, model)
            more(8773)
            r.proc.signal(signal.SIGHUP)
            proc.wait_for(lambda: r.q.sync("count trade").value == 80, "the partition")
            check_answers(r, model)
            write(os.path.join(root, "2024.13.13", "x"), b"")
            answer = r.http("POST", "/v1/reload")
            assert answer.status == 500 and b"P-02" in answer.body, answer.body
            check_answers(r, model)     # the database that was open still answers


@tap.test("a view of a managed database is a plain one, too")
def _():
    feed = trades.Trades(77)
    with proc.workdir() as work:
        with System(work, "0D12:00:00", tables={"trade": trades.spec()}) as s:
            columns = feed.columns(500, now_ns())
            s.publish("trade", trades.table(columns))
            s.eod()
            right = s.query({"table": "trade", "agg": [["n", "count", "id"], ["v", "sum", "size"]],
                             "groupBy": ["sym"]})
            view = s.disk().hdb.root
            with Reader(view) as r:
                got = r.get("trade", agg=[["n", "count", "id"], ["v", "sum", "size"]],
                            groupBy=["sym"])
                assert q.to_py(got) == q.to_py(right)
            base = os.path.dirname(view)
            got = proc.run(["get", "-d", base, '{"table":"trade"}'])
            assert got.returncode == 2 and b"/current" in got.stderr, got
            got = proc.run(["get", "-d", os.path.join(base, "current"), '{"table":"trade"}'])
            assert got.returncode == 0 and len(got.stdout.splitlines()) == 501, got
            s.stop()


# ------------------------------------------------------------------------------------- bad ones

def segmented(work):
    """A sound segmented database of two lines and three dates."""
    root, model, domain = os.path.join(work, "db"), Rows(1), Domain()
    os.makedirs(root)
    for day, line in ((8770, "one"), (8771, "two"), (8772, "one")):
        put(os.path.join(work, line, name_of(day)), model.fill(day, day, 12), domain)
    domain.save(root)
    write(os.path.join(root, "par.txt"), b"../one\n../two\n")
    return root


def empty_line(work, root):
    os.makedirs(os.path.join(work, "three"))
    write(os.path.join(root, "par.txt"), b"../one\n../two\n../three\n")
    return "three"


def foreign(work, root):
    write(os.path.join(work, "one", ".DS_Store"), b"x")
    return "one/.DS_Store"


def wrong_day(work, root):
    rows = [(8770 * DAY_NS + 5, "A", 1.0, 1), (8771 * DAY_NS + 5, "A", 1.0, 1)]
    shutil.rmtree(os.path.join(work, "one", name_of(8770)))
    domain = Domain()
    domain.index("A")
    put(os.path.join(work, "one", name_of(8770)), rows, domain)
    return f"{name_of(8770)}/trade"


def doubled(work, root):
    shutil.copytree(os.path.join(work, "one", name_of(8770)),
                    os.path.join(work, "two", name_of(8770)))
    return f"two/{name_of(8770)}/trade"


def object_slash(work, root):
    write(os.path.join(root, "par.txt"), b"../one\n../two\ns3://bucket/db/\n")
    return "par.txt"


def another_type(work, root):
    write(os.path.join(work, "two", name_of(8771), "trade", "size"), vector("int", [1] * 12))
    return f"{name_of(8771)}/trade"


def table_lost(work, root):
    shutil.rmtree(os.path.join(work, "two", name_of(8771), "trade"))
    return name_of(8771)


def table_hidden(work, root):
    shutil.rmtree(os.path.join(work, "one", name_of(8772), "trade"))
    return f"one/{name_of(8770)}/trade"


def beyond(work, root):
    symbols(os.path.join(root, "sym"), ["AAPL"])
    return "trade/sym"


def domain_lost(work, root):
    os.unlink(os.path.join(root, "sym"))
    return "trade/sym"


@tap.test("P-61: silt check names the rule of everything that is wrong")
def _():
    for rule, warns, damage in (("P-05", False, empty_line), ("P-06", False, foreign),
                                ("P-08", True, wrong_day), ("P-09", False, doubled),
                                ("P-15", False, object_slash), ("P-17", False, another_type),
                                ("P-17", False, table_lost), ("P-17", False, table_hidden), ("P-18", False, beyond),
                                ("P-18", False, domain_lost)):
        with proc.workdir() as work:
            root = segmented(work)
            sound(root)
            where = damage(work, root)
            found, status = check_rules(root)
            assert status == (0 if warns else 7), (rule, damage.__name__, status, found)
            assert any(r == rule and f.endswith(where) for r, f, _ in found), (rule, where, found)


def refused(folder, *texts, ask='{"table":"trade"}', env=None, user=None):
    """silt get, check and da refuse a folder and name what is wrong; nobody crashes or hangs."""
    for args in (["get", "-d", folder, ask], ["check", folder], ["da", folder, "--da-port", "0"]):
        got = subprocess.run([proc.silt_path(), *args], capture_output=True, timeout=60, user=user,
                             env={**os.environ, **(env or {})}, check=False)
        said = (got.stdout + got.stderr).decode(errors="replace")
        assert 0 < got.returncode < 128, (args, got.returncode, said)
        assert all(text in said for text in texts), (args, texts, said)


@tap.test("two lines of par.txt that lead to one folder are refused by name")
def _():
    for line in ("../db/../one", "../same"):
        with proc.workdir() as work:
            root = segmented(work)
            os.symlink("one", os.path.join(work, "same"))
            write(os.path.join(root, "par.txt"), f"../one\n../two\n{line}\n".encode())
            refused(root, "line 3", "P-09")


@tap.test("links in circles and to nothing are refused by name")
def _():
    for place, rule in (("one/2024.01.09", "P-16"), ("round", "P-04")):
        for target in (None, "nowhere"):
            with proc.workdir() as work:
                root = segmented(work)
                path = os.path.join(work, place)
                os.symlink(target or os.path.basename(path), path)
                if rule == "P-04":
                    write(os.path.join(root, "par.txt"), b"../one\n../round\n")
                refused(root, rule, place)
    with proc.workdir() as work:        # a partition that leads back to the root is no table
        root = segmented(work)
        os.symlink(root, os.path.join(work, "one", "2024.01.31"))
        with Reader(root) as r:
            assert list(q.to_py(r.q.sync("tables[]"))) == []


@tap.test("files that are cut off or lie about their counts are refused by name, within memory")
def _():
    with proc.workdir() as work:
        root = segmented(work)
        last = os.path.join(work, "one", name_of(8772), "trade")
        with open(os.path.join(last, "size"), "rb") as f:
            sound_bytes = f.read()
        hostile = {
            "size": [sound_bytes[:9], sound_bytes[:-3],
                     b"\xfe\x20\x07\x03" + sound_bytes[4:8] + b"\xff" * 7 + b"\x7f",
                     b"kxzipped" + b"\xff" * 60, b""],
            ".d": [b"\xff\x01\x0b\0\xff\xff\xff\x7ftime", b"\xff\x01\x0b",
                   b"\xff\x01\x0b\0\1\0\0\0../../../sym\0"],
        }
        for name, many in hostile.items():
            path = os.path.join(last, name)
            with open(path, "rb") as f:
                kept = f.read()
            for data in many:
                write(path, data)
                for args in (["get", "-d", root, '{"table":"trade"}'], ["check", root]):
                    got = proc.run(args)
                    said = (got.stdout + got.stderr).decode(errors="replace")
                    assert 0 < got.returncode < 128, (name, data[:12], args, said)
                    assert "trade" in said, (name, data[:12], args, said)
            write(path, kept)
        sound(root)
        for data in (b"\xff\x01\x0b\0\xff\xff\xff\x7fA", b"\xff\x01\x0b\0\1\0\0\0A"):
            write(os.path.join(root, "sym"), data)
            refused(root, "sym")
        write(os.path.join(root, "sym"), b"")
        got = proc.run(["get", "-d", root, '{"table":"trade"}'])
        assert got.returncode == 7 and b"trade/sym" in got.stderr, got


@tap.test("folders that may not be read are refused by name; nothing is written to any other")
def _():
    with proc.workdir() as work:
        if os.geteuid() != 0:
            raise Skip("only root can become nobody")
        os.chmod(work, 0o755)
        root = segmented(work)
        env = {"TMPDIR": "/tmp"}
        for top, folders, files in os.walk(work):
            os.chmod(top, 0o555)
            for f in files:
                os.chmod(os.path.join(top, f), 0o444)
        before = sorted((p, os.stat(os.path.join(d, p)).st_mtime_ns)
                        for d, _, files in os.walk(work) for p in files)
        try:
            got = subprocess.run([proc.silt_path(), "get", "-d", root, '{"table":"trade"}'],
                                 user="nobody", capture_output=True, timeout=60, check=False)
        except PermissionError as e:
            raise Skip(f"nobody may not run the program: {e}") from None
        assert got.returncode == 0 and b"sym" in got.stdout, got
        got = subprocess.run([proc.silt_path(), "check", root], user="nobody", capture_output=True,
                             timeout=60, check=False)
        assert got.returncode == 0, got
        assert before == sorted((p, os.stat(os.path.join(d, p)).st_mtime_ns)
                                for d, _, files in os.walk(work) for p in files)
        two = os.path.join(work, "two")
        os.chmod(two, 0)
        refused(root, "two", env=env, user="nobody")
        os.chmod(two, 0o555)
        os.chmod(root, 0)
        refused(root, root, env=env, user="nobody")
        for top, _, _ in os.walk(work):
            os.chmod(top, 0o755)


@tap.test("a folder of 10^6 entries is refused by name, within memory")
def _():
    if not os.environ.get("SILT_BIG"):
        raise Skip("only with SILT_BIG=1")
    with proc.workdir() as work:
        root = segmented(work)
        crowd = os.path.join(work, "one")
        for i in range(10**6):
            os.symlink("x", os.path.join(crowd, f"3{i:07}"))
        import resource
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        refused(root, "/one", "524288")
        after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        print(f"# {after >> 10} MiB at most (before: {before >> 10})")
        assert after < 512 << 10


if __name__ == "__main__":
    tap.run()
