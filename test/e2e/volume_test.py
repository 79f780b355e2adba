#!/usr/bin/env python3
"""Millions of trades while intervals turn, a day is written and queries never stop: every answer is
that of a prefix of the stream between what was acknowledged before it and sent before its end; at
the end each row stands on disk exactly once.

The usual run publishes 500 thousand rows. SILT_BIG=1 publishes 10 million (VOLUME_ROWS: another
number) over at least a minute."""
import array
import os
import random
import sys
import threading
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import proc, qipc as q, trades
from kit.model import Model
from kit.qipc import DAY_NS
from kit.system import System, now_ns
from kit.tap import Tap

tap = Tap()
BIG = os.environ.get("SILT_BIG") == "1"
TEMPLATES = 16
STEP = 500              # ns between two rows
LATE = 60               # each 60th row is of each of the three past dates: 5 %
WINDOW = 8              # messages on the way
SYMS = trades.SYMS
BY_SYM = {"agg": [["n", "count", "id"], ["v", "sum", "size"], ["lo", "min", "price"],
                  ["hi", "max", "price"]], "groupBy": ["sym"]}


class Template:
    """A message whose times and guids are filled in later; its sums by day and symbol."""

    def __init__(self, rows, seed):
        self.rows = rows
        self.columns = trades.Trades(seed, late=0).columns(rows, 0)
        whole = q.encode(q.QList([q.text("upd"), q.sym("trade"), trades.table(self.columns)]))
        times, ids = self.columns[0].tobytes(), self.columns[7]
        at = whole.index(times)
        self.head, self.middle = whole[:at], whole[at + len(times):-len(ids)]
        assert whole[-len(ids):] == ids
        self.sums = [self.sums_of(d) for d in range(1 + trades.LATE_DAYS)]

    def late_rows(self, day):
        return range(7 * day, self.rows, LATE)

    def sums_of(self, days_back):
        """{symbol: (count, sum of size, min and max of price)} of the rows that so late are."""
        late = {i for d in range(1, 1 + trades.LATE_DAYS) for i in self.late_rows(d)}
        chosen = self.late_rows(days_back) if days_back else \
            [i for i in range(self.rows) if i not in late]
        _, syms, prices, sizes = self.columns[:4]
        out = {}
        for i in chosen:
            out[syms[i]] = plus(out.get(syms[i]), (1, sizes[i], prices[i], prices[i]))
        return out

    def times(self, start):
        out = array.array("q", range(start, start + self.rows * STEP, STEP))
        for d in range(1, 1 + trades.LATE_DAYS):
            r = self.late_rows(d)
            base = start - d * DAY_NS
            out[r.start::LATE] = array.array(
                "q", range(base + r.start * STEP, base + self.rows * STEP, LATE * STEP))
        return out


def plus(a, b):
    if a is None or b is None:
        return a or b
    return a[0] + b[0], a[1] + b[1], min(a[2], b[2]), max(a[3], b[3])


class Volume:
    def __init__(self, s, rows, per_message, seconds):
        self.s, self.per_message, self.seconds = s, per_message, seconds
        self.messages = rows // per_message
        self.templates = [Template(per_message, 100 + i) for i in range(TEMPLATES)]
        self.random = random.Random(5)
        self.model = Model(trades.COLUMNS, "time")
        self.sent = self.acked = 0
        self.starts = []                # of each message sent
        self.after = [{}]               # {day: {symbol: sums}} after each number of messages
        self.wrong, self.done = [], threading.Event()
        self.asked, self.slowest = 0, 0.0

    # ------------------------------------------------------------------------------- publishing

    def send_one(self, conn):
        t = self.random.choice(self.templates)
        start = max(now_ns(), self.starts[-1] + t.rows * STEP if self.starts else 0)
        if (start + t.rows * STEP) // DAY_NS != start // DAY_NS:
            start = (start // DAY_NS + 1) * DAY_NS      # no message on both sides of midnight
        times, ids = t.times(start), self.random.randbytes(16 * t.rows)
        self.model.add_columns(times, *t.columns[1:7], ids)
        state = dict(self.after[-1])
        for days_back, sums in enumerate(t.sums):
            day = start // DAY_NS - days_back
            was = state.get(day, {})
            state[day] = {sym: plus(was.get(sym), sums.get(sym)) for sym in {**was, **sums}}
        self.after.append(state)
        self.starts.append(start)
        self.sent += 1
        conn.send_raw(q.message(t.head + times.tobytes() + t.middle + ids, q.SYNC))

    def publish(self):
        began, conn = time.monotonic(), self.s.sm()
        for n in range(self.messages):
            if n - self.acked >= WINDOW:
                conn.response()
                self.acked += 1
            if self.wrong:
                return
            self.send_one(conn)
            ahead = self.seconds * n / self.messages - (time.monotonic() - began)
            if ahead > 0:
                while self.acked < self.sent:
                    conn.response()
                    self.acked += 1
                time.sleep(ahead)
        while self.acked < self.sent:
            conn.response()
            self.acked += 1

    # ----------------------------------------------------------------------------------- asking

    def sums(self, messages, day=None):
        out = {}
        for d, sums in self.after[messages].items():
            if day is None or d == day:
                for sym, v in sums.items():
                    out[sym] = plus(out.get(sym), v)
        return out

    def timed(self, args):
        """(answer, messages acknowledged before, messages sent before its end)."""
        low, began = self.acked, time.monotonic()
        got = self.s.query({"table": "trade", **args})
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.asked += 1
        return got, low, self.sent

    @staticmethod
    def by_sym(got):
        t = q.unkey(got)
        assert t.names() == ["sym", "n", "v", "lo", "hi"], t.names()
        return {r[0]: r[1:] for r in t.rows()}

    def ask_all(self):
        got, low, high = self.timed(BY_SYM)
        got = self.by_sym(got)
        rows = sum(v[0] for v in got.values())
        k, rest = divmod(rows, self.per_message)
        assert rest == 0 and low <= k <= high, f"{rows} rows, {low} to {high} messages"
        assert got == self.sums(k), f"sums after {k} messages: {got}"

    def ask_day(self):
        day = now_ns() // DAY_NS - self.random.randint(0, trades.LATE_DAYS)
        got, low, high = self.timed({**BY_SYM, "startTS": q.ts(day * DAY_NS),
                                     "endTS": q.ts((day + 1) * DAY_NS)})
        got = self.by_sym(got)
        assert any(got == self.sums(k, day) for k in range(low, high + 1)), \
            f"day {q.date_text(day)}, {low} to {high} messages: {got}"

    def ask_rows(self):
        """One symbol's rows of one message, all columns."""
        if not self.acked:
            return
        j, sym = self.random.randrange(self.acked), self.random.choice(SYMS)
        start = self.starts[j]
        got, _, _ = self.timed({"startTS": q.ts(start), "filter": q.QList([q.lst(
            q.text("="), q.sym("sym"), q.sym(sym))]),
            "endTS": q.ts(start + self.per_message * STEP)})
        c = self.columns_of(j)
        syms, times = c[1], c[0]
        want = [row for i, row in enumerate(trades.rows(c))
                if syms[i] == sym and times[i] >= start]
        assert sorted(map(repr, want)) == sorted(map(repr, self.tuples(got))), \
            f"message {j}, symbol {sym}: {len(got)} rows, expected {len(want)}"

    @staticmethod
    def tuples(table):
        return list(zip(*(c.tolist() for c in table.columns.values())))

    def columns_of(self, j):
        a, b = j * self.per_message, (j + 1) * self.per_message
        return [d[16 * a:16 * b] if t == "guid" else d[a:b]
                for d, (_, t) in zip(self.model.kept.data, trades.COLUMNS)]

    def ask(self, seed):
        r = random.Random(seed)
        try:
            while not self.done.is_set():
                r.choice([self.ask_all, self.ask_day, self.ask_rows])()
                time.sleep(0.01)
        except Exception:
            self.wrong.append(traceback.format_exc())

    # -------------------------------------------------------------------------------------- all

    def run(self):
        askers = [threading.Thread(target=self.ask, args=(n,), daemon=True) for n in range(2)]
        eod = threading.Thread(target=self.day_in_the_middle, daemon=True)
        for t in askers + [eod]:
            t.start()
        began = time.monotonic()
        self.publish()
        took = time.monotonic() - began
        self.done.set()
        for t in askers + [eod]:
            t.join(120)
        assert not self.wrong, "\n".join(self.wrong)
        rows = self.messages * self.per_message
        assert len(self.model) == rows and self.acked == self.messages
        print(f"# {rows} rows in {took:.1f} s, {self.asked} questions, the slowest "
              f"{1000 * self.slowest:.0f} ms, {self.s.status()['eoi']} intervals", flush=True)

    def day_in_the_middle(self):
        try:
            while self.sent < self.messages // 2 and not self.wrong:
                time.sleep(0.02)
            self.s.eod(120)
        except Exception:
            self.wrong.append(traceback.format_exc())

    def check_end(self):
        for _ in range(2):
            self.ask_all()
            self.ask_day()
            self.ask_rows()
        d = self.s.disk()
        d.check_shape({"trade": ["sym", "time"]})
        days = {v for v, _ in d.hdb.partitions}
        assert days == set(self.after[-1]) and not d.idb.partitions, (days, d.idb.partitions)
        self.model.assert_same(d.splays("trade"), "on disk")
        self.s.check()


def go(rows, per_message, freq, seconds):
    tables = {"trade": trades.spec()}
    with proc.workdir() as folder, System(folder, freq, tables=tables) as s:
        v = Volume(s, rows, per_message, seconds)
        v.run()
        s.eod(240)
        v.check_end()
        if not BIG:
            v.model.assert_same(s.query({"table": "trade"}), "answered")
        s.stop()


@tap.test("every answer is a prefix of the stream, every row stands once on disk")
def _():
    if BIG:
        go(int(os.environ.get("VOLUME_ROWS", "10000000")), 5000, "0D00:00:04", 60)
    else:
        go(500_000, 1000, "0D00:00:01", 8)


if __name__ == "__main__":
    tap.run()
