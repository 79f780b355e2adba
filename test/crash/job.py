"""One job, stopped or spoilt at one change of the disk, and what must be true afterwards.

    run_point(prepared, fault, role)    runs the job on a copy of a prepared tree with that fault,
                                        judges the ruins, restarts, judges the result

The job: rows are published, an interval ends, late rows are published, the interval ends, a day is
written, and rows are published again. What was acknowledged is kept as it was acknowledged; a
batch without an answer may be there whole or not at all.
"""
import collections
import os
import re
import shutil
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from kit import proc, qipc as q, trades
from kit.model import Model
from kit.qipc import DAY_NS
from kit.system import Disk

NOTE = [("time", "timestamp"), ("text", "string")]
ORDERS = {"trade": ["sym", "time"], "note": ["time"]}
TODAY = 9000 * DAY_NS           # a fixed past day, so that nothing depends on the clock
GONE = (OSError, q.Closed, q.AccessDenied)
HIT = "SILT_FAULT stops"
ENDED_WELL = {"kill": (137,), "error": (0, 2, 4, 5, 7, 8, 9), "short": (0, 5, 8)}
CRASH = re.compile(r"signal (4|6|7|8|11)\b|Sanitizer|runtime error|broken assumption")


class Stopped(Exception):
    """The manager is gone or the fault was met: the job ends here."""


class Wrong(AssertionError):
    """Something that must hold does not; the text says where and what."""


def assembly(folder, beside):
    note = proc.table_spec(NOTE, sort_ord=["time"], sort_disk=["time"])
    return proc.write_assembly(os.path.join(beside, "assembly.yaml"), folder, freq="0D12:00:00",
                               tables={"trade": trades.spec(), "note": note},
                               bus={"logFileSize": "1MiB"})


class Run:
    """A manager on a folder, perhaps with a fault, and the batches sent to it. Its log and the
    assembly stand in `beside` (default: the same folder); `told` hears of acknowledged batches."""

    def __init__(self, folder, batches, beside=None, told=None):
        self.folder, self.batches, self.told = beside or folder, batches, told
        self.a = assembly(folder, self.folder)
        self.p = self.conn = None
        self.fault = None

    def start(self, fault=None, role=None):
        env = {"SILT_FAULT": fault or "", "SILT_FAULT_ROLE": role or ""}
        self.fault = fault
        self.p = proc.start(["sm", self.a.path, "--log-level", "warn"], env, self.folder)
        url = f"http://127.0.0.1:{self.a.sm_port}/healthz"

        def up():
            self.look()
            try:
                return proc.http_request("GET", url, timeout=2).status == 200
            except OSError:
                return False
        proc.wait_for(up, lambda: f"the manager to answer:\n{self.p.tail()}", 20, 0.01)
        self.conn = q.connect("127.0.0.1", self.a.sm_port, timeout=20)

    def look(self):
        """Raises Stopped once the fault has stopped a role or the manager has ended."""
        if not self.p.running() or (self.fault and HIT in self.p.stderr()):
            raise Stopped

    def call(self, name, *args):
        """A call; Stopped when the manager is gone, QError when it refuses."""
        try:
            return self.conn.call(name, *args)
        except GONE:
            raise Stopped from None

    def publish(self, batch):
        """Sends a batch; it counts as acknowledged only when the answer says so."""
        batch.state = "sent"
        try:
            self.call("upd", q.sym(batch.table), batch.rows)
            batch.state = "acknowledged"
            if self.told:
                self.told(batch)
        except q.QError as e:
            refused(e)

    def eoi(self, limit=20):
        try:
            self.conn.sock.settimeout(limit)
            self.call(".silt.eoi")
            return True
        except q.QError as e:
            refused(e)
            return False

    def eod(self, limit=20):
        """Whether a day job was completed within `limit` seconds."""
        try:
            seq = self.call(".silt.eod")["seq"].value
            end = time.monotonic() + limit
            while time.monotonic() < end:
                self.look()
                if self.call(".silt.eodStatus", q.long(seq))["status"].data == b"completed":
                    return True
                time.sleep(0.01)
        except q.QError as e:
            refused(e)
        return False

    def stop(self):
        if self.conn:
            self.conn.close()
        self.p.kill9()

    def disk(self, torn=False):
        d = Disk(self.a.idb, self.a.hdb, torn=torn)
        d.check_shape(ORDERS)
        return d


def refused(e):
    """Publishing and jobs may be refused by these names only."""
    if str(e).split(":")[0] not in ("full", "io", "busy", "close", "limit", "denied", "access"):
        raise Wrong(f"refused by {e}")


class Batch:
    """Rows of one message. `state`: None (not sent), sent, acknowledged."""

    def __init__(self, table, rows, tuples):
        self.table, self.rows, self.tuples, self.state = table, rows, tuples, None


def batches():
    """The batches of the job: six of ordinary rows, two of them with late ones."""
    feed, out = trades.Trades(21, late=0), []
    for i in range(6):
        c = feed.columns(12, TODAY + i * 10**9)
        if i in (2, 3):
            for at in range(0, 12, 3):
                c[0][at] -= (1 + at % 2) * DAY_NS
        out.append(Batch("trade", trades.table(c), trades.rows(c)))
        times, texts = [TODAY + i * 10**9 - (i == 3) * DAY_NS], [f"note {i}".encode() * (1 + 9 * i)]
        table = q.QTable({"time": q.vec("timestamp", times), "text": q.QList(map(q.text, texts))})
        out.append(Batch("note", table, list(zip(times, texts))))
    return out


def interval(run):
    """An interval with late rows, and rows behind it; Stopped wherever the fault ends it."""
    publish_all(run, 0, 8)
    run.eoi(LIMIT)
    publish_all(run, 8, 10)


def day(run):
    """An interval, and a day with late rows; rows behind it."""
    publish_all(run, 2, 4)
    run.eoi(LIMIT)
    publish_all(run, 4, 8)
    run.eod(LIMIT)
    publish_all(run, 8, 10)


def publish_all(run, begin, end):
    for x in run.batches[begin:end]:
        run.publish(x)
    run.look()


def job(run):
    """All of it; Stopped wherever the fault ends it."""
    publish_all(run, 0, 4)
    run.eoi(LIMIT)
    run.look()
    publish_all(run, 4, 8)
    run.eod(LIMIT)
    run.look()
    publish_all(run, 8, 10)
    run.eoi(LIMIT)
    publish_all(run, 10, 12)


LIMIT = 4       # seconds for a step; with a lasting fault it may never come


def prepare(folder, beside=None):
    """A tree with history, interval parts and rows in the stream; returns its batches."""
    kept = batches_of_past()
    run = Run(folder, kept, beside)
    run.start()
    for x in kept[:4]:
        run.publish(x)
    assert run.eod()
    for x in kept[4:]:
        run.publish(x)
        if x is kept[5]:
            assert run.eoi()
    assert all(x.state == "acknowledged" for x in kept)
    assert run.p.terminate() == 0, run.p.tail()
    return kept


def copy(prepared, folder):
    """A copy of a prepared tree whose links lead into the copy."""
    shutil.copytree(prepared, folder, symlinks=True)
    for where, subs, files in os.walk(folder):
        for path in (os.path.join(where, name) for name in subs + files):
            target = os.readlink(path) if os.path.islink(path) else ""
            below = re.search(r"/[ih]db/.*", target)
            if below:
                os.unlink(path)
                os.symlink(folder + below[0], path)


def batches_of_past():
    """What `prepare` publishes, the same in every process."""
    feed, out = trades.Trades(22, late=0), []
    for i in range(4):
        c = feed.columns(8, TODAY - (i % 2) * DAY_NS - 3600 * 10**9)
        out.append(Batch("trade", trades.table(c), trades.rows(c)))
        times = [TODAY - i * 10**9]
        table = q.QTable({"time": q.vec("timestamp", times), "text": q.QList([q.text(f"p{i}")])})
        out.append(Batch("note", table, list(zip(times, [f"p{i}".encode()]))))
    return out


def rows_on_disk(d):
    """{table: Counter of its rows} over both databases."""
    out = {}
    for table in ORDERS:
        out[table] = collections.Counter(r for s in d.splays(table) for r in s.tuples())
    return out


def judge_ruins(run, sent):
    """Before recovery: both databases load, no row twice in one of them, none that was not sent."""
    d = run.disk(torn=os.environ.get("CP_MODE", "kill") in ("power", "powernest", "block"))
    for db in (d.idb, d.hdb):
        for name, t in (db.tables if db else {}).items():
            rows = collections.Counter(t.tuples())
            twice = [r for r, n in rows.items() if n > 1]
            foreign = [r for r in rows if r not in sent[name]]
            if twice or foreign:
                raise Wrong(f"in the ruins, {db.root} {name}: twice {twice[:3]}, "
                            f"foreign {foreign[:3]}")


def judge_result(run, every):
    """After recovery and a day job: what was acknowledged is there once, a batch without an
    answer whole or not at all, nothing else."""
    if not run.eod(30):
        raise Wrong(f"after the restart the day job does not end:\n{run.p.tail()}")
    found = rows_on_disk(run.disk())
    for b in every:
        counts = {found[b.table][r] for r in b.tuples}
        allowed = ({1},) if b.state == "acknowledged" else ({0}, {1}) if b.state else ({0},)
        if counts not in allowed:
            raise Wrong(f"after the restart: {b.table} batch, {b.state or 'never sent'}, is there "
                        f"{sorted(counts)} times")
        for r in b.tuples:
            del found[b.table][r]
    left = {t: list(c)[:3] for t, c in found.items() if c}
    if left:
        raise Wrong(f"after the restart: rows that nobody sent: {left}")


def run_point(top, prepared, past, fault, role):
    """Runs the job with a fault. Returns (whether the fault was met, how the manager ended)."""
    kind = (fault or "").partition(":")[0]
    folder = os.path.join(top, re.sub(r"\W", "-", f"{fault}-{role}"))
    if prepared:
        copy(prepared, folder)
    else:
        os.makedirs(folder)
    todo = batches()
    every = past + todo
    sent = {t: {r for b in every if b.table == t for r in b.tuples} for t in ORDERS}
    run = Run(folder, todo)
    met, why = False, None
    try:
        try:
            run.start(fault, role)
            job(run)
        except Stopped:
            met = True
        status = None if run.p.running() else run.p.popen.returncode
        if status is not None and status not in ENDED_WELL.get(kind, (0,)):
            raise Wrong(f"the manager ended with {status}:\n{run.p.tail()}")
        text = run.p.stderr()
        if CRASH.search(text):
            raise Wrong(f"a crash:\n{run.p.tail()}")
        met = met or HIT in text or "code=" in text
        run.stop()
        judge_ruins(run, sent)
        run.start()
        judge_result(run, every)
        ended = run.p.terminate()
        if ended != 0:
            raise Wrong(f"the restarted manager ended with {ended}:\n{run.p.tail()}")
        for base in (run.a.idb, run.a.hdb):
            done = proc.run(["check", base])
            if done.returncode != 0:
                raise Wrong(f"silt check {base}: {done.stdout.decode()}{done.stderr.decode()}")
        return met, status
    except Stopped:
        raise Wrong(f"after the restart the manager ended:\n{run.p.tail()}") from None
    finally:
        run.stop()
        if not os.environ.get("KEEP"):
            shutil.rmtree(folder, ignore_errors=True)


def count_points(top, prepared, role, work=job):
    """The number of changes that a role makes in a job when nothing fails; one that had not begun
    when the job was over makes none."""
    folder, path = os.path.join(top, f"count-{role}"), os.path.join(top, f"count-{role}.txt")
    if prepared:
        copy(prepared, folder)
    else:
        os.makedirs(folder)
    run = Run(folder, batches())
    try:
        run.start(f"count:{path}", role)
        work(run)
        assert run.p.terminate() == 0, run.p.tail()
    finally:
        run.stop()
    if not os.path.exists(path):
        return 0
    with open(path) as f:
        return int(f.read())
