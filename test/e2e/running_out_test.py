#!/usr/bin/env python3
"""What runs out, hangs or is not there: disks, descriptors, memory, workers, readers, locks,
permissions, mounts, time. Each test says what the user sees (event, metric, status, exit code), and
that every acknowledged row is there once afterwards.

Disks that are full are small tmpfs mounts, which need root; those tests are skipped without."""
import contextlib
import ctypes
import os
import resource
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import proc, qipc as q, trades
from kit.model import Model
from kit.qipc import DAY_NS
from kit.system import System, now_ns
from kit.tap import Skip, Tap

tap = Tap()
TABLES = {"trade": trades.spec()}
GONE = (OSError, q.Closed, q.AccessDenied)
HOUR_NS = 3600 * 10**9


class World:
    """A system, a feed, and the list of what it acknowledged."""

    def __init__(self, top, **assembly):
        self.s = System(top, freq="0D12:00:00", tables=TABLES, **assembly)
        self.feed, self.model = trades.Trades(3, late=0.05), Model(trades.COLUMNS, "time")

    def publish(self, rows=50, start=None):
        """Publishes a batch; what is acknowledged is kept."""
        c = self.feed.columns(rows, start or now_ns())
        table = trades.table(c)
        self.s.publish("trade", table)
        self.model.add(table)

    def publish_until(self, code, rows=2000, most=4000):
        """Publishes until it is refused by this name; how many batches were taken."""
        for i in range(most):
            try:
                self.publish(rows)
            except q.QError as e:
                assert str(e).split(":")[0] == code, e
                return i
        raise AssertionError(f"never refused: {code}")

    def refused(self, code):
        try:
            self.publish(1)
        except q.QError as e:
            assert str(e).split(":")[0] == code, e
            return
        raise AssertionError("it was taken")

    def count(self):
        """Rows that a query finds."""
        return len(self.s.query({"table": "trade"}))

    def agrees(self):
        """A query finds all that was acknowledged."""
        return self.count() == len(self.model)

    def worker(self, role="eoi"):
        """The process of a worker, once it runs."""
        return proc.wait_for(lambda: self.s.roles().get(role), "the worker")

    def again(self):
        """The system, to be started once more."""
        self.s.up, self.s.env = None, {}
        return self.s

    def restart(self):
        """Starts it, and all of it is in the history, once."""
        with self.again():
            self.judge()
            self.s.check()
            self.s.stop()

    def judge(self):
        """All of it is in the history, once."""
        self.s.hang_up()
        self.s.eod()
        self.model.assert_same(self.s.disk().splays("trade"))

    def metric(self, name):
        """The value, summed over labels."""
        lines = self.s.http("GET", "/metrics").body.decode().splitlines()
        found = [float(x.split()[-1]) for x in lines if x.startswith((name + " ", name + "{"))]
        assert found, f"no metric {name}"
        return sum(found)


def log_of(s):
    """All that the processes of a system have logged."""
    return s.up.stderr()


def wait_log(s, text, timeout=20):
    proc.wait_for(lambda: text in log_of(s), f"`{text}` in the log", timeout)


@contextlib.contextmanager
def small_disk(path, size):
    """A file system of so many bytes at `path`."""
    libc = ctypes.CDLL(None, use_errno=True)
    os.makedirs(path)
    if libc.mount(b"none", path.encode(), b"tmpfs", 0, f"size={size},mode=0750".encode()) != 0:
        raise Skip("no right to mount a tmpfs")
    try:
        yield path
    finally:
        libc.umount2(path.encode(), 2)


class Ballast:
    """A file that takes what is left of a disk but for some bytes."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "ballast")

    def leave(self, free):
        st = os.statvfs(os.path.dirname(self.path))
        size = max(st.f_bavail * st.f_frsize - free, 0)
        fd = os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o600)
        os.posix_fallocate(fd, 0, size)
        os.close(fd)

    def drop(self):
        os.unlink(self.path)


@tap.test("the stream's disk is full: `full`, queries and intervals go on, then publishing does")
def _():
    with proc.workdir() as top, small_disk(os.path.join(top, "idb"), 160 << 20) as idb:
        w = World(top, bus={"logFileSize": "1MiB"})
        ballast = Ballast(idb)
        with w.s:
            for _ in range(5):
                w.publish()
            ballast.leave(40 << 20)     # below what is kept for commits
            time.sleep(1.1)             # the device is looked at once a second
            w.refused("full")
            assert w.agrees(), "a query while publishing is refused"
            assert w.s.http("POST", "/v1/publish/trade", b"time\n").status in (400, 507)
            r = w.s.http("GET", "/healthz")
            assert r.status == 200, r
            assert w.metric("silt_store_free_bytes") > 0
            w.refused("full")
            ballast.drop()
            time.sleep(1.1)
            w.publish()
            assert w.agrees()
            w.judge()
            w.s.stop()


@tap.test("the history's disk is full: jobs are repeated until there is room, rows are safe")
def _():
    with proc.workdir() as top, small_disk(os.path.join(top, "hdb"), 32 << 20) as hdb:
        w = World(top)
        ballast = Ballast(hdb)
        with w.s:
            for _ in range(3):
                w.publish(2000)
            w.s.eoi()
            ballast.leave(64 << 10)
            seq = w.s.sm().call(".silt.eod")["seq"].value
            wait_log(w.s, "event=eod.failed")
            assert w.s.sm().call(".silt.eodStatus", q.long(seq))["status"].data != b"completed"
            w.publish(100)              # publishing goes on
            assert w.agrees()
            ballast.drop()
            proc.wait_for(lambda: w.s.sm().call(".silt.eodStatus", q.long(seq))["status"].data
                          == b"completed", "the day after room was made", 30)
            w.judge()
            w.s.check()
            w.s.stop()


@tap.test("maxLogSize and a worker that hangs: `limit`; it is ended, and work goes on")
def _():
    with proc.workdir() as top:
        w = World(top, bus={"logFileSize": "1MiB", "maxLogSize": "4MiB"},
                  env={"SILT_WORKER_HANG_MS": "1500"})
        with w.s:
            w.publish()
            hung = w.worker()
            os.kill(hung, signal.SIGSTOP)
            conn = q.connect("127.0.0.1", w.s.sm_port)
            asked = threading.Thread(target=end_interval, args=(conn,), daemon=True)
            asked.start()
            w.publish_until("limit")
            wait_log(w.s, "event=worker.hung")
            asked.join(20)
            assert not asked.is_alive(), "the interval is not written"
            proc.wait_for(lambda: w.s.roles().get("eoi") not in (None, hung), "another worker")
            assert w.metric('silt_worker_restarts_total') >= 1
            # The interval is twelve hours long: it ends early, and log files go.
            w.publish_until("limit")
            wait_log(w.s, "event=eoi.early")
            proc.wait_for(lambda: w.s.status()["stream"]["logBytes"] < 3 << 20, "the log trimmed")
            w.publish()
            assert w.agrees()
            w.judge()
            w.s.stop()


@tap.test("maxLogSize and a reader that hangs: early intervals that free nothing become rare")
def _():
    with proc.workdir() as top:
        w = World(top, bus={"logFileSize": "1MiB", "maxLogSize": "3MiB"})
        with w.s:
            w.publish()
            w.s.eoi()
            proc.wait_for(lambda: w.s.da_status()["view"] == w.s.status()["view"], "the view")
            w.s.kill_role("da", signal.SIGSTOP)
            w.publish_until("limit")
            wait_log(w.s, "event=eoi.early")
            time.sleep(10)
            early = log_of(w.s).count("event=eoi.early")
            assert early < 8, f"{early} early intervals while the reader holds its view"
            w.s.kill_role("da", signal.SIGCONT)
            proc.wait_for(lambda: w.s.status()["stream"]["logBytes"] < 3 << 20, "the log trimmed",
                          40)
            w.publish()
            assert w.agrees()
            w.judge()
            w.s.stop()


@tap.test("a worker that dies again and again: growing pauses, not ready, rows taken")
def _():
    with proc.workdir() as top:
        w = World(top, env={"SILT_FAULT": "error:1+:EIO", "SILT_FAULT_ROLE": "eoi"})
        with w.s:
            w.publish()
            w.s.sm().call(".silt.eod")  # the worker fails at each try
            proc.wait_for(lambda: w.s.status()["workers"]["eoi"]["restarts"] >= 3,
                          "three restarts", 30)
            pauses = [int(x.split(" ms")[0].split()[-1]) for x in log_of(w.s).splitlines()
                      if "event=worker.ended" in x]
            assert pauses == sorted(pauses) and pauses[-1] > pauses[0], pauses
            w.publish()
            assert w.agrees()
            proc.wait_for(lambda: w.s.http("GET", "/readyz").status == 503, "not ready", 20)
            w.s.kill()
        w.restart()


@tap.test("no descriptors left: open connections go on, jobs wait, then all is taken up")
def _():
    with proc.workdir() as top:
        w = World(top)
        with w.s:
            w.publish()
            w.worker()
            pid = w.s.roles()["sm"]
            have = len(os.listdir(f"/proc/{pid}/fd"))
            _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (have + 6, hard))
            extra = []
            for _ in range(20):
                with contextlib.suppress(OSError):
                    extra.append(socket.create_connection(("127.0.0.1", w.s.sm_port), 2))
            w.publish()                 # over the connection that is open
            asked = threading.Thread(target=w.s.sm().call, args=(".silt.eoi",), daemon=True)
            asked.start()
            wait_log(w.s, "too many open files")
            for x in extra:
                x.close()
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
            asked.join(30)
            assert not asked.is_alive(), "the interval is not written"
            w.s.hang_up()
            w.publish()
            assert w.agrees()
            w.judge()
            w.s.stop()


@tap.test("no memory left for a worker: it fails by name, rows are safe, and it recovers")
def _():
    with proc.workdir() as top:
        w = World(top)
        with w.s:
            w.publish()
            pid = w.worker()
            with open(f"/proc/{pid}/statm") as f:
                size = int(f.read().split()[0]) * 4096
            resource.prlimit(pid, resource.RLIMIT_AS, (size + (1 << 20), resource.RLIM_INFINITY))
            for _ in range(6):
                w.publish(15000)
            # It is ended, or ends itself, and the next one has its memory.
            proc.wait_for(lambda: w.s.roles().get("eoi") not in (None, pid), "another worker", 30)
            assert "event=worker.ended" in log_of(w.s)
            w.s.eoi()
            assert w.agrees()
            w.judge()
            w.s.stop()


@tap.test("a reader that hangs holds nobody up, and is right afterwards")
def _():
    with proc.workdir() as top:
        w = World(top)
        with w.s:
            w.publish()
            da = w.s.roles()["da"]
            os.kill(da, signal.SIGSTOP)
            for _ in range(4):
                w.publish()
                w.s.eoi()
            w.s.eod()
            w.publish()
            os.kill(da, signal.SIGCONT)
            proc.wait_for(lambda: w.agrees(), "the reader to catch up")
            w.judge()
            w.s.stop()


@tap.test("SIGTERM in the middle of jobs: status 0, nothing lost")
def _():
    with proc.workdir() as top:
        w = World(top)
        for i in range(6):
            w.again().start()
            try:
                for _ in range(3):
                    w.publish(500)
                conn = q.connect("127.0.0.1", w.s.sm_port)
                for name in (".silt.eoi", ".silt.eod")[:1 + i % 2]:
                    with contextlib.suppress(q.QError, *GONE):
                        if name == ".silt.eod":
                            conn.call(name)
                        else:
                            conn.sock.settimeout(0.02 * (i + 1))
                            conn.call(name)
                conn.close()
            finally:
                w.s.stop()              # asserts status 0 and no crash
        w.restart()


@tap.test("a second manager ends with status 9; a stale lock does not matter")
def _():
    with proc.workdir() as top:
        w = World(top)
        with w.s:
            w.publish()
            second = proc.run(["sm", w.s.assembly.path, "--sm-port", str(proc.free_port())],
                              folder=top, timeout=30)
            assert second.returncode == 9, second
            assert b"another manager runs" in second.stderr, second.stderr
            assert str(w.s.roles()["sm"]).encode() in second.stderr
            w.publish()
            w.s.kill()                  # the lock file stays, with the process's number
        assert os.path.exists(os.path.join(w.s.idb, "lock"))
        w.restart()


@tap.test("a store that is not mounted: status 3, and nothing is begun on the empty mount point")
def _():
    for store in ("idb", "hdb"):
        with proc.workdir() as top:
            w = World(top)
            with w.s:
                w.publish()
                w.s.eod()
                w.s.stop()
            base = os.path.join(top, store)
            os.rename(base, base + ".away")
            os.mkdir(base)
            done = proc.run(["sm", w.s.assembly.path], folder=top, timeout=30)
            assert done.returncode == 3, done
            assert b"is not mounted" in done.stderr, done.stderr
            left = [x for x in os.listdir(base) if x != "lock"]
            assert not left, f"made on the mount point: {left}"
            up = proc.run(["up", w.s.assembly.path], folder=top, timeout=30)
            assert up.returncode == 3, up
            if os.path.exists(os.path.join(base, "lock")):
                os.unlink(os.path.join(base, "lock"))
            os.rmdir(base)
            os.rename(base + ".away", base)
            w.restart()


@tap.test("folders without permission: status 4, and nothing is lost")
def _():
    with proc.workdir() as top:
        w = World(top)
        with w.s:
            w.publish()
            w.s.eoi()
            w.s.stop()
        done = proc.run(["sm", w.s.assembly.path], {"SILT_FAULT": "error:1+:EACCES"}, top, timeout=30)
        assert done.returncode == 4, done
        assert b"event=sm.failed" in done.stderr, done.stderr
        w.restart()


def end_interval(conn):
    with contextlib.suppress(q.QError, *GONE):
        conn.call(".silt.eoi")


@tap.test("the clock leaps an hour, a day, a year, both ways, between kills in jobs")
def _():
    for leap in (-HOUR_NS, HOUR_NS, -DAY_NS, DAY_NS, -365 * DAY_NS, 365 * DAY_NS):
        with proc.workdir() as top:
            w = World(top)
            w.s.start(env={"SILT_FAULT": "kill:60", "SILT_FAULT_ROLE": "eoi"})
            try:
                for _ in range(3):
                    w.publish()
                conn = q.connect("127.0.0.1", w.s.sm_port)
                asked = threading.Thread(target=end_interval, args=(conn,), daemon=True)
                asked.start()
                wait_log(w.s, "event=worker.ended")     # in the midst of it
                before = w.s.status()
                w.s.kill()
                w.again().start(env={"SILT_NOW_OFFSET_NS": str(leap)})
                w.publish(start=now_ns() + leap)    # later than its clock, they were set aside
                w.s.eoi()
                w.s.sm().call(".silt.eod")
                w.s.kill()
                w.again().start()
                w.publish()
                w.judge()
                after = w.s.status()
                assert after["eoi"] > before["eoi"], (before, after)
                assert after["stream"]["position"] > before["stream"]["position"]
                w.s.check()
                w.s.stop()
            finally:
                w.s.kill()


if __name__ == "__main__":
    tap.run()
