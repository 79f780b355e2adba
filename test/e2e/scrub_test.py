#!/usr/bin/env python3
"""Silent corruption under running processes: the scrub finds it, tells it, queries that need a
damaged file fail by name while the rest is served; a write-down refuses damaged sources and keeps
them; a file that is cut while a reader has it mapped ends the query and not the reader."""
import os
import sys
import time
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import proc, trades
from kit.model import Model
from kit.system import QueryFailed, System, now_ns
from kit.tap import Tap

tap = Tap()
TABLES = {"trade": trades.spec()}


def fill(s, feed, model, *steps, rows=200):
    for step in steps:
        c = feed.columns(rows, now_ns())
        s.publish("trade", trades.table(c))
        model.add_columns(*c)
        getattr(s, step)()


def parts(s, kind):
    """{path: rows} of the parts of a kind."""
    r = s.http("GET", "/v1/partitions").json()
    rows = r if isinstance(r, list) else [dict(zip(r, v)) for v in zip(*r.values())]
    return {p["path"]: p["rows"] for p in rows if p["kind"] == kind}


def flip(path, at):
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes((byte ^ 16,)))
        f.flush()
        os.fsync(f.fileno())


def refused(s, args):
    try:
        s.query(args)
    except QueryFailed as e:
        return e.text
    return None


def log_of(s):
    out = []
    for name in os.listdir(s.folder):
        if name.endswith(".err"):
            with open(os.path.join(s.folder, name), errors="replace") as f:
                out += f.readlines()
    return out


@tap.test("the scrub finds a flipped bit, tells it, and queries that need the file fail by name")
def _():
    with proc.workdir() as top:
        feed, model = trades.Trades(5), Model(trades.COLUMNS, "time")
        with System(top, "0D12:00:00", tables=TABLES, sm={"scrub": "1s"}) as s:
            fill(s, feed, model, "eod", "eoi", "eoi")
            proc.wait_for(lambda: s.status()["scrub"]["pass"] > 1, "a pass of the scrub")
            assert s.status()["scrub"]["damagedFiles"] == 0, s.status()["scrub"]
            day = max(parts(s, "date").items(), key=lambda p: p[1])[0]
            price = os.path.join(day, "trade", "price")
            model.check_answer({}, s.query({"table": "trade"}))
            flip(price, 16 + 8 * 3)
            found = lambda: s.status()["scrub"]["damaged"]
            proc.wait_for(found, "the damage", 30)
            assert found()[0]["part"] == day and found()[0]["file"] == "trade/price", found()
            assert found()[0]["toRow"] == parts(s, "date")[day], found()
            text = proc.wait_for(lambda: refused(s, {"table": "trade"}), "the reader's news", 30)
            text = refused(s, {"table": "trade"})
            assert price in text and "damaged" in text and "rows 0 to" in text, text
            # What does not need the file is answered: another column, another part, live rows.
            c = feed.columns(50, now_ns())
            s.publish("trade", trades.table(c))
            model.add_columns(*c)
            got = s.query({"table": "trade", "agg": trades_agg("size")})
            model.check_answer({"agg": [["v", "sum", "size"]]}, got)
            assert "silt_damaged_files 1" in s.http("GET", "/metrics").body.decode()
            proc.wait_for(lambda: any("damage.found" in line and "trade/price" in line
                                      for line in log_of(s)), "the log event")
            # The state survives the scrub and the manager; the scrub comes back by itself.
            s.kill_role("scrub")
            proc.wait_for(lambda: s.roles().get("scrub"), "the scrub", 30)
            s.hang_up()
            s.kill_role("sm")
            s.ready()
            assert refused(s, {"table": "trade"})
            flip(price, 16 + 8 * 3)                             # the device gives the right byte again
            proc.wait_for(lambda: not s.status()["scrub"]["damaged"], "a clean pass", 30)
            proc.wait_for(lambda: refused(s, {"table": "trade"}) is None, "the reader's news", 30)
            model.check_answer({}, s.query({"table": "trade"}))
            s.check()
            s.stop()


def trades_agg(column):
    from kit import qipc as q
    return q.QList([q.lst("v", "sum", column)])


@tap.test("each view knows the checksum of its symbols, also one that adds none")
def _():
    with proc.workdir() as top:
        feed, model = trades.Trades(8), Model(trades.COLUMNS, "time")
        with System(top, "0D12:00:00", tables=TABLES, sm={"scrub": "0s"}) as s:
            for steps in (("eoi",), ("eod",), ("eoi", "eoi")):
                fill(s, feed, model, *steps)
                with open(os.path.join(s.idb, "manifest", f"view.{s.status()['view']}")) as f:
                    sym = next(line.split() for line in f if line.startswith("sym "))
                assert sym[2] != "none", (steps, sym)
            s.stop()


@tap.test("a pass that has little to compare is not begun again before its period is over")
def _():
    with proc.workdir() as top:
        feed, model = trades.Trades(7), Model(trades.COLUMNS, "time")
        with System(top, "0D12:00:00", tables=TABLES, sm={"scrub": "3h"}) as s:
            passes = lambda: [line for line in log_of(s) if "event=scrub.done" in line]
            time.sleep(1)                       # some looks at nothing
            assert not passes(), passes()
            fill(s, feed, model, "eoi")
            time.sleep(1)
            assert len(passes()) <= 1, passes()
            s.stop()


@tap.test("a clock that went back does not stop the scrub")
def _():
    with proc.workdir() as top:
        feed, model = trades.Trades(9), Model(trades.COLUMNS, "time")
        s = System(top, "0D12:00:00", tables=TABLES, sm={"scrub": "1s"})
        passes = lambda: s.status()["scrub"]["pass"]
        with s.start(env={"SILT_NOW_OFFSET_NS": str(30 * 86400 * 10**9)}):
            fill(s, feed, model, "eoi")
            proc.wait_for(lambda: passes() > 0, "a pass")
            s.stop()
        with s.start():
            before = passes()
            proc.wait_for(lambda: passes() > before + 1, "another pass")
            s.stop()


@tap.test("a day job refuses a damaged source, names it, keeps it; restored, the day is written")
def _():
    with proc.workdir() as top:
        feed, model = trades.Trades(6), Model(trades.COLUMNS, "time")
        with System(top, "0D12:00:00", tables=TABLES, sm={"scrub": "0s"}) as s:
            fill(s, feed, model, "eod", "eoi", "eoi")
            assert "scrub" not in s.roles()
            for source in ("interval", "date"):
                source = max(parts(s, source).items(), key=lambda p: p[1])[0]
                size = os.path.join(source, "trade", "size")
                view = s.status()["view"]
                flip(size, os.path.getsize(size) - 1)
                s.sm().call(".silt.eod")
                line = proc.wait_for(lambda: [line for line in log_of(s) if "eod.failed" in line and
                                              size in line], "the refusal", 60)[0]
                assert "checksum" in line and "rows 0 to" in line, line
                assert s.status()["view"] <= view + 1               # that of the signal
                assert os.path.exists(size)
                flip(size, os.path.getsize(size) - 1)
                proc.wait_for(lambda: s.status()["intervalParts"] == 0, "the day", 60)
                model.check_answer({}, s.query({"table": "trade"}))
                fill(s, feed, model, "eoi")
            s.check()
            s.stop()


@tap.test("a file that is cut under a reader's mapping ends the queries that need it, not the reader")
def _():
    with proc.workdir() as top:
        feed, model = trades.Trades(7), Model(trades.COLUMNS, "time")
        with System(top, "0D12:00:00", tables=TABLES, sm={"scrub": "0s"}) as s:
            fill(s, feed, model, "eod", rows=20_000)
            fill(s, feed, model, "eoi")
            day = max(parts(s, "date").items(), key=lambda p: p[1])[0]
            price = os.path.join(day, "trade", "price")
            model.check_answer({}, s.query({"table": "trade"}))      # everything is mapped now
            pid = s.roles()["da"]
            errors, stop = [], threading.Event()

            def ask():
                while not stop.is_set():
                    try:
                        s.query({"table": "trade", "agg": trades_agg("size")})
                        refused(s, {"table": "trade", "agg": trades_agg("price")})
                    except (QueryFailed, OSError) as e:
                        errors.append(repr(e))
                        return
                s.hang_up()
            threads = [threading.Thread(target=ask) for _ in range(3)]
            for t in threads:
                t.start()
            with open(price, "rb") as f:
                whole = f.read()
            os.truncate(price, 4096)
            for _ in range(20):
                text = refused(s, {"table": "trade", "agg": trades_agg("price")})
                assert text and price in text, text
            stop.set()
            for t in threads:
                t.join()
            assert not errors, errors
            model.check_answer({"agg": [["v", "sum", "size"]]},
                               s.query({"table": "trade", "agg": trades_agg("size")}))
            assert s.roles()["da"] == pid, "the reader ended"
            done = s.silt("check", s.idb)
            assert done.returncode == 7 and price in done.stdout.decode(), done
            with open(price, "r+b") as f:
                f.write(whole)
            s.stop()


if __name__ == "__main__":
    tap.run()
