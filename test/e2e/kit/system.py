"""A whole system under test: `silt up`, its processes by role, calls, and the state of its disk.

    with System(freq="0D00:00:02") as s:
        s.publish("trade", columns)      acknowledged when it returns
        s.query({"table": "trade"})      the q table that the reader answers
        s.disk()                         what an ordinary q session would load, read without silt
"""
import array
import contextlib
import fcntl
import os
import re
import signal
import threading
import time

from . import kdbfiles, proc, qipc
from .qipc import CODE, CODES, FLOATS, NULL, QTable, QVector

SECOND = 10**9
EPOCH_UNIX = 946_684_800        # 2000.01.01 in Unix seconds
CRASH = re.compile(r"signal (4|6|7|8|11)\b|Sanitizer|runtime error|broken assumption")


class QueryFailed(Exception):
    """getData answered with an error; `rc`, `ac`, `text` are those of its header."""

    def __init__(self, rc, ac, text):
        super().__init__(f"rc {rc}, ac {ac}: {text}")
        self.rc, self.ac, self.text = rc, ac, text


def now_ns():
    """Wall time in nanoseconds since 2000."""
    return time.time_ns() - EPOCH_UNIX * SECOND


def today_ns():
    return now_ns() // qipc.DAY_NS * qipc.DAY_NS


# ---------------------------------------------------------------------------------------- system

class System:
    """One `silt up` in a folder of its own. Further keywords go to write_assembly."""

    def __init__(self, folder, freq="0D00:00:02", env=None, **assembly):
        self.folder, self.env, self.up = folder, dict(env or {}), None
        self.assembly = proc.write_assembly(os.path.join(folder, "assembly.yaml"), freq=freq,
                                            **assembly)
        self.idb, self.hdb = self.assembly.idb, self.assembly.hdb
        self.sm_port, self.da_port = self.assembly.sm_port, self.assembly.da_port
        self._local = threading.local()

    def start(self, ready=True, env=None, timeout=30.0):
        self.up = proc.start(["up", self.assembly.path], {**self.env, **(env or {})}, self.folder)
        return self.ready(timeout) if ready else self

    def ready(self, timeout=30.0):
        """Returns once manager and reader answer, whichever of them was just started."""
        self.up.wait_ready(port=self.sm_port, timeout=timeout)
        self.up.wait_ready(port=self.da_port, timeout=timeout)
        return self

    def stop(self):
        """Ends it in the ordinary way; AssertionError unless the exit status is 0 and no process
        crashed in the system's life."""
        self.hang_up()
        status = self.up.terminate()
        assert status == 0, f"silt up ended with {status}:\n{self.up.tail()}"
        crashed = self.crashes()
        assert not crashed, "\n".join(crashed[:20])

    def kill(self):
        self.hang_up()
        self.up.kill9()

    def __enter__(self):
        return self.start() if self.up is None else self

    def __exit__(self, kind, *_):
        self.hang_up()
        if self.up is not None:
            if kind is not None:
                ended = self.up.popen.poll()
                print("# up", "runs" if ended is None else f"ended with {ended}", flush=True)
                for line in self.up.tail(40).splitlines():
                    print("#", line, flush=True)
            self.up.kill9()

    # ------------------------------------------------------------------------------------- roles

    def roles(self):
        """Process ids by role: up, sm, da, eoi, eod, dbm; those that run now."""
        return roles_below(self.up.pid)

    def kill_role(self, role, number=signal.SIGKILL):
        """Ends one role by a signal; False when it does not run at the moment."""
        pid = self.roles().get(role)
        with contextlib.suppress(ProcessLookupError):
            if pid is not None:
                os.kill(pid, number)
                return True
        return False

    def crashes(self):
        """Log lines of all runs that tell of a process ended by a fault of its own (SIGSEGV,
        SIGABRT, ...) or of a broken assumption."""
        out = []
        for name in os.listdir(self.folder):
            if name.endswith(".err"):
                with open(os.path.join(self.folder, name), errors="replace") as f:
                    out += [line.strip() for line in f if CRASH.search(line)]
        return out

    def check(self):
        """`silt check` of both databases; AssertionError unless they are clean."""
        for folder in (self.idb, self.hdb):
            done = self.silt("check", folder, timeout=300)
            assert done.returncode == 0, f"silt check {folder}: {done}"

    # ------------------------------------------------------------------------------------- calls

    def _connection(self, name, port):
        """A connection of this thread, opened when first asked for."""
        kept = self._local.__dict__.setdefault("connections", {})
        if name not in kept:
            kept[name] = qipc.connect("127.0.0.1", port)
        return kept[name]

    def sm(self):
        return self._connection("sm", self.sm_port)

    def da(self):
        return self._connection("da", self.da_port)

    def hang_up(self):
        """Closes this thread's connections."""
        for c in self._local.__dict__.pop("connections", {}).values():
            c.close()

    def publish(self, table, rows, function="upd"):
        """A synchronous q call; returns the position once the rows are durable."""
        return self.sm().call(function, qipc.sym(table), rows).value

    def publish_once(self, table, rows, publisher, session, sequence):
        return self.sm().call(".silt.upd", qipc.sym(table), rows, publisher, session, sequence)

    def http(self, method, path, body=None, headers=None, port=None, timeout=30.0):
        url = f"http://127.0.0.1:{port or self.sm_port}{path}"
        return proc.http_request(method, url, body, headers, timeout)

    def publish_http(self, table, body, kind="text/csv", headers=None):
        """Publishes over HTTP and returns the answer's object; AssertionError unless it is 200."""
        r = self.http("POST", f"/v1/publish/{table}", body,
                      {"Content-Type": kind, **(headers or {})})
        assert r.status == 200, r
        return r.json()

    def query(self, args, conn=None):
        """getData over q IPC: the table; raises QueryFailed."""
        head, payload = (conn or self.da()).call(".kxi.getData", args, None, None)
        if head["rc"].value != 0:
            raise QueryFailed(head["rc"].value, head["ac"].value,
                              qipc.bytes_text(head["ai"].data))
        return payload

    def query_http(self, args, types=None):
        """getData over HTTP and JSON: a list of dicts, or with `types` (column to type name or
        code) the q table that they stand for."""
        r = self.http("POST", "/data", args, port=self.da_port)
        if r.status != 200:
            raise QueryFailed(r.status, 0, r.body.decode())
        rows = r.json()["payload"]
        return rows if types is None else table_of_json(rows, types)

    def status(self):
        return self.http("GET", "/v1/status").json()

    def da_status(self):
        return self.http("GET", "/v1/status", port=self.da_port).json()

    def silt(self, *args, stdin=b"", timeout=60.0):
        """Runs a silt command against this system; the CompletedProcess."""
        return proc.run(args, {"SILT_SM_PORT": str(self.sm_port),
                               "SILT_DA_PORT": str(self.da_port)}, self.folder, stdin, timeout)

    def eoi(self):
        """Ends the interval; returns once it is committed."""
        return self.sm().call(".silt.eoi")

    def eod(self, timeout=60.0):
        """Writes everything to the history; returns once that is committed."""
        seq = self.sm().call(".silt.eod")["seq"].value
        proc.wait_for(lambda: self.sm().call(".silt.eodStatus", qipc.long(seq))["status"].data
                      == b"completed", f"day request {seq}", timeout)
        return seq

    # -------------------------------------------------------------------------------------- disk

    def disk(self, own=True):
        return Disk(self.idb, self.hdb, own)


def _children(pid):
    try:
        out = []
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as f:
                out += [int(p) for p in f.read().split()]
        return out
    except OSError:
        return []


def _role(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            words = f.read().decode(errors="replace").split("\0")
    except OSError:
        return None
    return words[2] if words[1:2] == ["worker"] and len(words) > 2 else (words[1:2] or [None])[0]


def roles_below(pid):
    """{role: process id} of a silt process and its descendants."""
    out, todo = {}, [pid]
    while todo:
        one = todo.pop()
        role = _role(one)
        if role in ("up", "sm", "da", "eoi", "eod", "dbm", "scrub"):
            out[role] = one
        todo += _children(one)
    return out


def memory_of(pid):
    """RssAnon of a process in bytes, 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/status") as f:
            for line in f:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


# ------------------------------------------------------------------------------------------ disk

@contextlib.contextmanager
def pinned(base):
    """The folder that <base>/current names, held by a shared lock as any reader may; None when
    there is no view yet."""
    link = os.path.join(base, "current")
    while True:
        try:
            name = os.readlink(link)
            fd = os.open(os.path.join(base, name), os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            if not os.path.islink(link):
                yield None
                return
            continue                        # swept between the two calls
        try:
            fcntl.flock(fd, fcntl.LOCK_SH)
            if os.readlink(link) == name:
                yield os.path.join(base, name)
                return
        finally:
            os.close(fd)


def _number(folder):
    return int(folder.rpartition(".")[2])


class Disk:
    """Both databases as `\\l <base>/current` would see them now, every file decoded; None without a
    view. The lock on idb.N keeps what view N names: hdb.M with M at most N. While views are
    published the two may be of different moments; at rest they hold every row before the watermark
    exactly once between them."""

    def __init__(self, idb, hdb, own=True, torn=False):
        self.idb = self.hdb = None
        link = os.path.join(hdb, "current")
        while True:
            with pinned(idb) as folder:
                if folder is None:
                    return
                if not os.path.islink(link):        # the first view, stopped between its two links
                    self.idb = kdbfiles.load_db(folder, own, torn)
                    return
                name = os.readlink(link)
                if _number(name) > _number(folder):
                    continue                        # published between the two looks
                try:
                    self.idb = kdbfiles.load_db(folder, own, torn)
                    self.hdb = kdbfiles.load_db(os.path.join(hdb, name), own, torn)
                    return
                except (OSError, kdbfiles.LoadError):
                    if os.readlink(link) == name:
                        raise
                    # It was the link of the view before N, which followed meanwhile.

    def splays(self, table):
        out = []
        for db in (self.idb, self.hdb):
            if db is not None and table in db.tables:
                out += db.tables[table].splays()
        return out

    def rows(self, table):
        return sum(s.rows for s in self.splays(table))

    def check_shape(self, orders, prtn_col="time"):
        """Every table in every partition, labels that are no years, rows under their dates and in
        order. `orders`: table to its sortColsDisk."""
        for db, kind in ((self.idb, "int"), (self.hdb, "date")):
            if db is None:
                continue
            assert set(db.objects) == {"sym"}, f"{db.root}: objects {sorted(db.objects)}"
            if not db.partitions:
                continue
            assert db.virtual == kind, f"{db.root}: partitioned by {db.virtual}"
            assert set(db.tables) == set(orders), f"{db.root}: tables {sorted(db.tables)}"
            for name, t in db.tables.items() if kind == "date" else ():
                kdbfiles.check_dates(t, prtn_col)
                for splay in t.splays():
                    kdbfiles.check_order(splay, orders[name])


# --------------------------------------------------------------------------------- json to q

def table_of_json(rows, types):
    """The q table behind JSON rows, by the column types; text becomes times and guids again."""
    columns = {}
    for name, kind in types.items():
        code = 0 if kind in ("string", "") else CODES[kind] if isinstance(kind, str) else kind
        columns[name] = column_of_json(code, [r[name] for r in rows])
    if rows:
        assert list(rows[0]) == list(types), f"columns {list(rows[0])}, expected {list(types)}"
    return QTable(columns)


def column_of_json(code, values):
    if code == 0:
        return qipc.QList([qipc.text("" if v is None else v) for v in values])
    return QVector(code, [value_of_json(code, v) for v in values])


def value_of_json(code, v):
    """One value of a q type from its JSON form."""
    if v is None:
        return NULL[code]
    if code == 2:
        return qipc.guid_bytes(v)
    if code == 10:
        return v.encode()
    if code in FLOATS:
        return float(v)
    if code == 12:
        return qipc.parse_timestamp(v)
    if code == 14:
        return qipc.date(v.replace("-", ".")).value
    if code in CODE and isinstance(v, str):
        return _clock(code, v)
    return int(v) if code in CODE else v


def _clock(code, text):
    """Nanoseconds, milliseconds, seconds or minutes of a text like 1D02:03:04.5 or 02:03."""
    m = re.fullmatch(r"(-?)(?:(\d+)D)?(\d+):(\d+)(?::(\d+)(?:\.(\d+))?)?", text)
    assert m, f"{text!r} is no time"
    sign, days, h, mi, s, fraction = m.groups()
    seconds = int(days or 0) * 86400 + int(h) * 3600 + int(mi) * 60 + int(s or 0)
    ns = seconds * SECOND + int(((fraction or "") + "0" * 9)[:9])
    unit = {16: 1, 17: 60 * SECOND, 18: SECOND, 19: 10**6}[code]
    return (-ns if sign else ns) // unit


def int_array(values, typecode="q"):
    return array.array(typecode, values)
