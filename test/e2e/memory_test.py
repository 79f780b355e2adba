#!/usr/bin/env python3
"""Memory stays within the configured bound whatever the volume: manager, eoi and eod through
intervals that are larger than the bound and a day of all rows; a reader's live rows cost at most
1.3 times their binary size.

The usual run publishes 2.4 million rows of 32 bytes with a bound of 64 MiB; SILT_BIG=1 publishes
40 million with 256 MiB."""
import array
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import proc, qipc as q
from kit.system import System, memory_of, today_ns
from kit.tap import Tap

tap = Tap()
BIG = os.environ.get("SILT_BIG") == "1"
MIB = 1 << 20
PER_MESSAGE = 20_000
TEMPLATES = 8
WINDOW = 8
COLUMNS = [("time", "timestamp"), ("sym", "symbol", {"attrOrd": "parted", "attrDisk": "parted"}),
           ("price", "float"), ("size", "long")]
WIDTH = 32              # bytes of a row: a symbol is an enumeration of 8 bytes
SYMS = [f"S{i:02d}" for i in range(50)]


def template(seed):
    """(message, {symbol: (count, sum of size)}) of rows of today."""
    r = random.Random(seed)
    start = today_ns() + seed * 10**9
    times = array.array("q", range(start, start + PER_MESSAGE * 1000, 1000))
    syms = r.choices(SYMS, k=PER_MESSAGE)
    sizes = array.array("q", [r.randint(1, 1000) for _ in times])
    table = q.QTable({"time": q.QVector(12, times), "sym": q.QVector(11, syms),
                      "price": q.QVector(9, array.array("d", [r.random() for _ in times])),
                      "size": q.QVector(7, sizes)})
    sums = {}
    for s, n in zip(syms, sizes):
        a = sums.get(s, (0, 0))
        sums[s] = a[0] + 1, a[1] + n
    return q.message(q.QList([q.text("upd"), q.sym("tick"), table]), q.SYNC), sums


class Watch:
    """The highest RssAnon of each role, and of a reader the dearest live row."""

    def __init__(self, s):
        self.s, self.most, self.ratio, self.rows = s, {}, 0.0, 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stop.wait(0.03):
            for role, pid in self.s.roles().items():
                self.most[role] = max(self.most.get(role, 0), memory_of(pid))
            try:
                d = self.s.da_status()
            except OSError:
                continue
            if d["liveRows"] >= 500_000:
                self.rows = max(self.rows, d["liveRows"])
                self.ratio = max(self.ratio, d["liveBytes"] / (WIDTH * d["liveRows"]))


def check_disk(s, rows, sums):
    """Counts and sums by symbol as they lie on disk; of 40 million rows silt looks itself."""
    if BIG:
        s.check()
        return
    d = s.disk()
    assert d.rows("tick") == rows and not d.idb.partitions
    for splay in d.splays("tick"):
        size, sym = splay.files["size"].values.data, splay.files["sym"].values.data
        names = splay.domain_of("sym")
        assert sum(size) == sum(v for _, v in sums.values())
        assert {names[i]: sym.count(i) for i in set(sym)} == {k: n for k, (n, _) in sums.items()}


@tap.test("ingest, intervals and a day stay below memoryLimit; live rows below 1.3 times their size")
def _():
    rows, bound, intervals = (40_000_000, 256 * MIB, 3) if BIG else (2_400_000, 64 * MIB, 1)
    tables = {"tick": proc.table_spec(COLUMNS)}
    made = [template(i) for i in range(TEMPLATES)]
    sums = {}
    with proc.workdir() as folder, System(folder, "0D01:00:00", tables=tables,
                                          sm={"memoryLimit": f"{bound // MIB}MiB"}) as s:
        watch, conn, began = Watch(s), s.sm(), time.monotonic()
        messages = rows // PER_MESSAGE
        for part in range(intervals):
            todo = range(messages * part // intervals, messages * (part + 1) // intervals)
            waiting = 0
            for n in todo:
                raw, of = made[n % TEMPLATES]
                conn.send_raw(raw)
                for sym, (c, v) in of.items():
                    a = sums.get(sym, (0, 0))
                    sums[sym] = a[0] + c, a[1] + v
                waiting += 1
                while waiting > (0 if n == todo[-1] else WINDOW):
                    conn.response()
                    waiting -= 1
            conn.sock.settimeout(120)
            s.eoi()
        ingested = time.monotonic() - began
        s.eod(300)
        took = time.monotonic() - began
        watch.stop.set()
        watch.thread.join()
        shown = ", ".join(f"{r} {watch.most[r] / MIB:.0f}" for r in ("sm", "eoi", "eod", "da"))
        print(f"# {rows} rows, intervals done after {ingested:.1f} s, day after {took:.1f} s; most "
              f"MiB: {shown}; live rows cost {watch.ratio:.2f} times their size ({watch.rows} seen)",
              flush=True)
        got = q.unkey(s.query({"table": "tick", "groupBy": ["sym"],
                               "agg": [["n", "count", "size"], ["v", "sum", "size"]]}))
        assert {r[0]: r[1:] for r in got.rows()} == sums, got
        assert s.roles()["eoi"] and s.status()["workers"]["eoi"]["restarts"] == 0
        assert s.status()["workers"]["eod"]["restarts"] == 0
        check_disk(s, rows, sums)
        for role in ("sm", "eoi", "eod"):
            assert watch.most[role] < bound, f"{role}: {watch.most[role] / MIB:.0f} MiB"
        assert 0 < watch.ratio <= 1.3, watch.ratio
        s.stop()


if __name__ == "__main__":
    tap.run()
