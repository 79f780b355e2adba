#!/usr/bin/env python3
"""The main road with real processes: rows are published in every form, answered at once, written
down by interval and by day, and stand on disk as any kdb+ reader sees it, exactly once, always."""
import json
import os
import random
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import kdbfiles, proc, qipc as q, trades
from kit.model import Model
from kit.qipc import DAY_NS
from kit.system import System, now_ns, today_ns
from kit.tap import Tap

tap = Tap()

# Every type that a column can have; filled by q messages and by CSV.
KINDS = [("time", "timestamp"), ("b", "boolean"), ("g", "guid"), ("x", "byte"), ("h", "short"),
         ("i", "int"), ("j", "long"), ("e", "real"), ("f", "float"), ("c", "char"),
         ("s", "symbol"), ("m", "month"), ("d", "date"), ("z", "datetime"), ("n", "timespan"),
         ("u", "minute"), ("v", "second"), ("t", "time"), ("text", "string")]
ORDERS = {"trade": ["sym", "time"], "kinds": ["s", "time"], "silent": ["sym", "time"]}


def tables():
    return {"trade": trades.spec(),
            "kinds": proc.table_spec(KINDS, sort_ord=["time"], sort_disk=["s", "time"]),
            "silent": proc.table_spec([("time", "timestamp"), ("sym", "symbol")])}


class Road:
    """A system, its model, and a feed that goes in by a different door each time."""

    def __init__(self, s, seed):
        self.s, self.feed = s, trades.Trades(seed)
        self.trade = Model(trades.COLUMNS, "time")
        self.kinds = Model(KINDS, "time")
        self.random = random.Random(seed)
        self.doors = [self.by_table, self.by_columns, self.by_row, self.by_async, self.by_csv,
                      self.by_json_rows, self.by_json_columns, self.by_bytes, self.by_once]
        self.turn, self.sequence, self.asked = 0, 0, 0
        self.most = {"idb": 0, "late": 0}

    # ------------------------------------------------------------------------------------- doors

    def by_table(self, c):
        self.s.publish("trade", trades.table(c))

    def by_columns(self, c):
        self.s.publish("trade", trades.column_list(c), ".u.upd")

    def by_row(self, c):
        self.s.publish("trade", trades.row_list(c, 0), ".b")

    def by_async(self, c):
        sm = self.s.sm()
        for i in range(len(c[0])):
            sm.async_(q.QList([q.sym("upd"), q.sym("trade"), trades.row_list(c, i)]))
        sm.call(".silt.tables")         # answered after everything before it

    def by_csv(self, c):
        lines = [",".join(trades.NAMES)]
        lines += [",".join(csv_of(q.CODES[t], v) for (_, t), v in zip(trades.COLUMNS, row))
                  for row in trades.rows(c)]
        got = self.s.publish_http("trade", "\n".join(lines).encode())
        assert got["rows"] == len(c[0]), got

    def by_json_rows(self, c):
        got = self.s.publish_http("trade", json.dumps(json_rows(c)), "application/json")
        assert got["rows"] == len(c[0]), got

    def by_json_columns(self, c):
        rows = json_rows(c)
        body = {n: [r[n] for r in rows] for n in trades.NAMES}
        self.s.publish_http("trade", json.dumps(body), "application/json")

    def by_bytes(self, c):
        raw = q.message(trades.table(c), q.ASYNC)
        self.s.publish_http("trade", raw, "application/octet-stream")

    def by_once(self, c):
        """Twice the same message: the second is acknowledged and not stored."""
        self.sequence += 1
        for again in (False, True):
            got = self.s.publish_once("trade", trades.table(c), "road", 7, self.sequence)
            assert bool(got["duplicate"].value) == again, got

    def publish(self, rows=60):
        """The next batch through the next door; acknowledged when it returns."""
        door = self.doors[self.turn % len(self.doors)]
        self.turn += 1
        rows = 1 if door == self.by_row else 12 if door == self.by_async else rows
        c = self.feed.columns(rows, now_ns())
        door(c)
        if door == self.by_async:
            for i in range(rows):
                self.trade.add_columns(*(x[16 * i:16 * i + 16] if t == "guid" else x[i:i + 1]
                                         for x, (_, t) in zip(c, trades.COLUMNS)))
        else:
            self.trade.add_columns(*c)

    def publish_kinds(self, rows=5):
        r = self.random
        out = []
        for _ in range(rows):
            out.append((now_ns() - r.choice([0, 0, DAY_NS]), r.random() < 0.5, r.randbytes(16),
                        r.randrange(256), r.choice([None, 0, -3, 32766]),
                        r.choice([None, 5, -2**31 + 1]), r.choice([None, 2**62, -1]),
                        r.choice([None, 1.5, -0.25]), r.choice([None, 0.1, -1e300]),
                        r.choice([b" ", b"x"]), r.choice(["", "a", "Zürich", "b c"]),
                        r.choice([None, 300]), r.choice([None, 9000]), r.choice([None, 9000.25]),
                        r.choice([None, DAY_NS + 1, -5]), r.choice([None, 61]),
                        r.choice([None, 86399]), r.choice([None, 1001]),
                        r.choice([b"", b"text", "Größe, \"q\"\n".encode(), b"x" * 300])))
        columns = {}
        for at, (n, t) in enumerate(KINDS):
            values = [row[at] for row in out]
            columns[n] = q.QList(map(q.text, values)) if t == "string" else q.vec(t, values)
        table = q.QTable(columns)
        self.s.publish("kinds", table)
        self.kinds.add(table)

    # ----------------------------------------------------------------------------------- answers

    def questions(self):
        r = self.random
        day, sym = today_ns(), r.choice(trades.SYMS)
        past = day - r.randint(1, trades.LATE_DAYS) * DAY_NS
        return [
            {"agg": [["n", "count", "id"], ["v", "sum", "size"], ["lo", "min", "price"],
                     ["hi", "max", "price"]], "groupBy": ["sym"]},
            {"startTS": past, "endTS": past + DAY_NS},
            {"filter": [("=", "sym", sym), ("within", "price", [20.0, 60.0])],
             "agg": ["time", "price", "id"], "sortCols": ["time", "id"]},
            {"agg": [["n", "count", "id"], ["p", "wavg", ["size", "price"]]], "groupBy": ["exch"],
             "filter": [("in", "sym", [sym, "S03", "nobody"])]},
            {"filter": [("or", ("like", "sym", "S1*"), (">", "size", 990))], "limit": -7},
            {"startTS": now_ns() - 2 * 10**9, "agg": [["n", "count", "id"]]},
            {"agg": [["f", "first", "id"], ["l", "last", "id"], ["d", "dev", "price"]],
             "groupBy": ["side"], "startTS": past},
        ]

    def ask(self, args=None):
        """One question, by q IPC or HTTP in turn; the answer must be the model's."""
        self.asked += 1
        if args is None:
            every = self.questions()
            args = every[self.asked % len(every)]
        want = self.trade.get_data(args)
        if self.asked % 3:
            got = self.s.query({"table": "trade", **wire_args(args)})
        else:
            codes = [9 if c == "number" else c for c in want.types]
            got = self.s.query_http({"table": "trade", **json_args(args)},
                                    dict(zip(want.names, codes)))
        try:
            want.check(got)
        except AssertionError as e:
            raise AssertionError(f"{args}: {e}") from None

    def ask_everything(self):
        self.ask({})
        for args in self.questions():
            self.ask(args)
        # Rows without text first, as lists compare by item and not by vector.
        self.kinds.check_answer({}, self.s.query({"table": "kinds"}))
        assert len(self.s.query({"table": "silent"})) == 0

    # -------------------------------------------------------------------------------------- disk

    def check_disk(self):
        """Both databases hold a prefix of the stream, the same one as soon as both have moved."""
        end = time.monotonic() + 5
        while True:
            d = self.s.disk()
            d.check_shape(ORDERS)
            try:
                for name, model in (("trade", self.trade), ("kinds", self.kinds)):
                    model.assert_prefix(d.splays(name), name)
                break
            except AssertionError:
                # Between the two links' swings; it lasts no longer than that.
                if time.monotonic() > end:
                    raise
                time.sleep(0.01)
        if d.idb is not None:
            labels = [v for v, _ in d.idb.partitions]
            assert labels == sorted(labels) and len(set(labels)) == len(labels), labels
            self.most["idb"] = max(self.most["idb"], len(labels))
        return d

    def check_at_rest(self, where):
        """After a day job everything is in the history."""
        d = self.check_disk()
        assert not d.idb.partitions, d.idb.partitions
        proc.wait_for(lambda: self.s.da_status()["liveRows"] == 0, "live rows to be dropped", 5)
        self.trade.assert_same(d.splays("trade"), where)
        self.kinds.assert_same(d.splays("kinds"), where)
        days = {t // DAY_NS for t in self.trade.kept.data[0]}
        days |= {t // DAY_NS for t in self.kinds.kept.data[0]}
        assert {v for v, _ in d.hdb.partitions} == days, d.hdb.partitions
        for part in d.hdb.tables["trade"].parts:
            f = part.splay.files["sym"]
            assert f.attr == 3 and f.exact, f"{f.path}: attribute {f.attr}"


def csv_of(code, v):
    if q.is_null(code, v):
        return ""
    if code == 10:
        return v.decode()
    return q.show(code, v)


def json_value(code, v):
    if q.is_null(code, v):
        return None
    if code in (2, 12):
        return q.show(code, v)
    return v.decode() if code == 10 else v


def json_rows(c):
    codes = [q.CODES[t] for _, t in trades.COLUMNS]
    return [{n: json_value(k, v) for n, k, v in zip(trades.NAMES, codes, row)}
            for row in trades.rows(c)]


def _filter_parts(f, value):
    if f[0] in ("and", "or", "not"):
        return [value(f[0], None)] + [_filter_parts(g, value) for g in f[1:]]
    return [value(f[0], None), value(f[1], None), value(f[2], f[0])]


def wire_args(args):
    """The arguments as q values: names are symbols, times timestamps, patterns strings."""
    def value(v, op):
        return q.text(v) if op == "like" else v
    out = dict(args)
    for k in ("startTS", "endTS"):
        if k in out:
            out[k] = q.ts(out[k])
    for k in ("groupBy", "sortCols"):
        if k in out:
            out[k] = q.syms(*out[k])
    if "filter" in out:
        out["filter"] = q.QList([q.lst(*_filter_parts(f, value)) for f in out["filter"]])
    return out


def json_args(args):
    def value(v, _):
        return v
    out = dict(args)
    for k in ("startTS", "endTS"):
        if k in out:
            out[k] = q.show(12, out[k])
    if "filter" in out:
        out["filter"] = [_filter_parts(f, value) for f in out["filter"]]
    return out


def run_for(road, seconds, each=None):
    """Publishes, asks and looks at the disk in turn."""
    end, steps = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        road.publish()
        road.ask()
        if steps % 4 == 0:
            road.publish_kinds()
        if steps % 9 == 0:
            road.check_disk()
        if each:
            each()
        steps += 1
    return steps


@tap.test("every row is answered at once, stands once on disk, through intervals, days, restarts")
def _():
    with proc.workdir() as folder, System(folder, "0D00:00:02", tables=tables()) as s:
        road = Road(s, 11)
        run_for(road, 7)
        assert s.status()["eoi"] >= 3, s.status()
        assert road.most["idb"] >= 2, road.most

        # A day is written while rows and intervals go on.
        eod = subprocess.Popen([proc.silt_path(), "eod", "--wait"], cwd=folder,
                               env={**os.environ, "SILT_SM_PORT": str(s.sm_port)},
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while eod.poll() is None:
            road.publish()
            road.ask()
        out, err = eod.communicate()
        assert eod.returncode == 0 and b"completed" in out, (out, err)
        road.check_disk()
        run_for(road, 3)

        done = s.silt("eod", "--wait", "--json")
        assert done.returncode == 0, done
        assert json.loads(done.stdout)["status"] == "completed", done.stdout
        road.check_at_rest("after the second day job")
        road.ask_everything()

        # Whatever way it ends, the next start has everything.
        for how in ("stop", "kill"):
            road.publish()
            road.publish_kinds()
            if how == "stop":
                s.stop()
            else:
                s.kill()
            d = s.disk()
            d.check_shape(ORDERS)
            s.start()
            road.ask_everything()
            run_for(road, 2.5)
        s.eod()
        road.check_at_rest("after restarts")
        road.ask_everything()
        labels = [v for v, _ in s.disk().idb.partitions]
        assert labels == [], labels
        road.publish()
        s.eoi()
        d = road.check_disk()
        assert [v for v, _ in d.idb.partitions][:1] == [0], d.idb.partitions
        counts = s.status()["intake"]
        assert counts["deadShape"] == counts["deadUnknownTable"] == 0, counts
        print(f"# {len(road.trade)} trades, {road.asked} questions, most interval parts "
              f"{road.most['idb']}", flush=True)
        s.check()       # beside a manager that runs, and at rest
        s.stop()
        s.check()


if __name__ == "__main__":
    tap.run()
