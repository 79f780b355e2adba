#!/usr/bin/env python3
"""Roles are killed at random under load: each acknowledged row is there exactly once, nothing else
is, and both databases can be loaded at every moment, also before recovery.

KILL_SECONDS sets the length (default 22), KILL_SEED the history (default 1)."""
import os
import random
import signal
import sys
import threading
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import proc, qipc as q, trades
from kit.model import Model
from kit.system import QueryFailed, System, now_ns
from kit.tap import Tap

tap = Tap()
SECONDS = float(os.environ.get("KILL_SECONDS", "22"))
SEED = int(os.environ.get("KILL_SEED", "1"))
ROLES = ["sm", "eoi", "eod", "da", "sm", "eoi", "eod", "all"]
BUSY = 110                  # application code of E_BUSY in a getData header
GONE = (OSError, q.Closed, q.AccessDenied)
TABLES = {"trade": ["sym", "time"], "loose": ["sym", "time"]}


class Load:
    """Publishers, a looker at the disk, and what went wrong in any of them."""

    def __init__(self, s):
        self.s = s
        self.stop, self.lock, self.wrong = threading.Event(), threading.Lock(), []
        self.trade, self.loose = Model(trades.COLUMNS, "time"), Model(trades.COLUMNS, "time")
        self.sent = self.asked = 0
        self.retries = self.looks = self.days = self.duplicates = 0
        self.threads = []

    def spawn(self, body, *args):
        def run():
            try:
                body(*args)
            except Exception:
                self.wrong.append(traceback.format_exc())
                self.stop.set()
        t = threading.Thread(target=run, daemon=True)
        self.threads.append(t)
        t.start()

    def publisher(self, number):
        """Sends batches with sequence numbers, several at a time; after a lost connection all that
        were not acknowledged go again, in order."""
        feed, sequence = trades.Trades(1000 * SEED + number), 0
        r = random.Random(number)
        while not self.stop.is_set():
            batches = []
            for _ in range(r.randint(1, 8)):
                sequence += 1
                batches.append((sequence, feed.columns(r.randint(1, 30), now_ns())))
            with self.lock:
                self.sent += sum(len(c[0]) for _, c in batches)
            while batches:
                try:
                    conn = self.s.sm()
                    for n, c in batches:
                        conn.send(q.QList([q.text(".silt.upd"), q.sym("trade"), trades.table(c),
                                           q.sym(f"p{number}"), q.long(5), q.long(n)]), q.SYNC)
                    while batches:
                        got = conn.response()
                        _, c = batches.pop(0)
                        with self.lock:
                            self.trade.add_columns(*c)
                            self.duplicates += bool(got["duplicate"].value)
                except GONE:
                    self.s.hang_up()
                    self.retries += 1
                    time.sleep(0.03)
            time.sleep(r.random() * 0.1)

    def careless(self):
        """Sends without numbers and never again: what was not acknowledged may be there or not."""
        feed = trades.Trades(1000 * SEED + 77)
        while not self.stop.is_set():
            c = feed.columns(5, now_ns())
            try:
                self.s.sm()
            except GONE:
                time.sleep(0.05)
                continue
            try:
                self.s.publish("loose", trades.table(c))
                self.loose.add_columns(*c)
            except GONE:
                self.s.hang_up()
                self.loose.doubt(trades.table(c))
            time.sleep(0.03)

    def days_run(self):
        """Asks for a day job every few seconds, as long as there is a manager to ask."""
        while not self.stop.wait(1.2):
            try:
                self.s.sm().call(".silt.eod")
                self.days += 1
            except GONE + (q.QError,):
                self.s.hang_up()

    def asker(self):
        """Asks all the time: what was acknowledged before is in every answer, nothing else is."""
        counts = {"table": "trade", "agg": [["n", "count", "id"]]}
        while not self.stop.is_set():
            low = len(self.trade)
            try:
                got = self.s.query(counts)["n"][0]
                if self.asked % 10 == 0:
                    self.s.query({"table": "trade"})
            except GONE:
                self.s.hang_up()
                time.sleep(0.05)
                continue
            except QueryFailed as e:
                assert e.ac == BUSY, e      # it has just started
                continue
            self.asked += 1
            assert low <= got <= self.sent, f"{got} rows, {low} acknowledged, {self.sent} sent"

    def looker(self):
        """Loads what `current` leads to, all the time, in whatever state the system is."""
        while not self.stop.is_set():
            d = self.s.disk()
            d.check_shape(TABLES)
            self.looks += 1
            time.sleep(0.1)


def check_rows(load, s, where):
    """Everything once: on disk after a day job, by the independent reader and by a query."""
    proc.wait_for(lambda: tried(s.eod), f"a day job {where}", 60)
    d = s.disk()
    d.check_shape(TABLES)
    load.trade.assert_same(d.splays("trade"), where)
    load.loose.assert_same(d.splays("loose"), where)
    got = s.query({"table": "trade"})
    load.trade.assert_same(got, f"{where}, answered")


def tried(call):
    try:
        call()
        return True
    except GONE + (q.QError,):
        return False


@tap.test("kill -9 of any role under load loses nothing and doubles nothing")
def _():
    r = random.Random(SEED)
    sort = {"trade": trades.spec(), "loose": trades.spec()}
    with proc.workdir() as folder, System(folder, "0D00:00:01", tables=sort) as s:
        load = Load(s)
        for n in range(3):
            load.spawn(load.publisher, n)
        for body in (load.careless, load.days_run, load.looker, load.asker):
            load.spawn(body)
        killed, again = dict.fromkeys(ROLES, 0), dict.fromkeys(ROLES, 0)
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and not load.stop.is_set():
            time.sleep(r.uniform(0.3, 1.0))
            role = r.choice(ROLES)
            if max(again.values()) >= 4:    # from here on its pause would be longer than its life
                role = "all"
            if role == "all":
                s.up.kill9()
                s.disk().check_shape(TABLES)        # the ruins, before anybody mends them
                s.start(ready=False)
                killed[role] += 1
                again = dict.fromkeys(ROLES, 0)
            elif s.kill_role(role, r.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM))):
                killed[role] += 1
                again[role] += 1
        load.stop.set()
        s.ready()
        for t in load.threads:
            t.join(60)
            assert not t.is_alive(), "a publisher is not answered"
        assert not load.wrong, "\n".join(load.wrong)
        check_rows(load, s, "after the kills")
        print(f"# seed {SEED}: {len(load.trade)} + {len(load.loose)} rows, killed {killed}, "
              f"{load.retries} retries, {load.duplicates} repeats refused, {load.looks} loads, "
              f"{load.days} day jobs, {load.asked} answers", flush=True)
        assert sum(killed.values()) > SECONDS / 2, killed
        s.kill()
        s.start()
        check_rows(load, s, "after one more start")
        s.stop()
        s.check()


if __name__ == "__main__":
    tap.run()
