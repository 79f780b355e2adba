#!/usr/bin/env python3
"""Databases that nobody manages: `silt da DIR`, `silt get -d DIR` and `silt check DIR` over every
database that kdb+ wrote for us, and over those made here: all shapes, all rules."""
import collections
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import kdbfiles, proc, qipc as q
from kit.plain import Reader, same
from kit.system import QueryFailed
from kit.tap import Tap, need_shared

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


if __name__ == "__main__":
    tap.run()
