#!/usr/bin/env python3
"""How long a system takes to answer again after everything was killed, with rows in the stream that
no interval holds yet. Prints the figures; asserts only that the answers are right.

SILT_BIG=1 for ten million rows; otherwise two hundred thousand."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import proc, qipc as q, trades
from kit.system import QueryFailed, System, now_ns
from kit.tap import Tap

tap = Tap()
ROWS = 10_000_000 if os.environ.get("SILT_BIG") else 200_000
BATCH = 50_000
GONE = (OSError, q.Closed, q.AccessDenied, QueryFailed)


def count(s):
    answer = s.query({"table": "trade", "agg": q.lst(q.syms("n", "count", "size"))})
    return answer.columns["n"].data[0] if len(answer) else 0


def until_answered(s, rows):
    """Seconds until a query finds all rows."""
    began = time.monotonic()

    def answered():
        try:
            return count(s) == rows
        except GONE:
            s.hang_up()
            return False
    proc.wait_for(answered, "the answer", 120, 0.002)
    return time.monotonic() - began


@tap.test("after a kill of everything queries are answered again, all rows there")
def _():
    with proc.workdir() as top:
        s = System(top, freq="0D12:00:00", tables={"trade": trades.spec()},
                   sm={"memoryLimit": "8GiB"})
        with s:
            columns = trades.table(trades.Trades(1, late=0).columns(BATCH, now_ns()))
            for _ in range(ROWS // BATCH):
                s.publish("trade", columns)
            until_answered(s, ROWS)
            s.kill()
            s.start(ready=False)
            seconds = until_answered(s, ROWS)
            print(f"# everything killed, {ROWS} rows uncommitted: answered after {seconds:.3f} s "
                  f"({ROWS / seconds / 1e6:.1f} M rows/s)", flush=True)
            s.ready()
            s.eoi()
            s.kill()
            s.start(ready=False)
            seconds = until_answered(s, ROWS)
            print(f"# everything killed, nothing uncommitted: answered after {seconds:.3f} s",
                  flush=True)
            for role in ("sm", "da"):
                s.kill_role(role)
                seconds = until_answered(s, ROWS)
                print(f"# {role} killed: answered after {seconds:.3f} s", flush=True)
            s.ready()
            s.stop()


if __name__ == "__main__":
    tap.run()
