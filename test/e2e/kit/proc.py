"""Real processes for the end-to-end tests: ports, folders, start and kill, HTTP, assemblies.

Every process runs in its own session, so that kill9 takes its children with it, and writes its
stderr to a file. Whatever a test leaves behind is killed and deleted when the program ends.
"""
import atexit
import collections
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse

from .tap import Skip

_ports = set()
_alive = []


def silt_path():
    """The binary under test, from env SILT; raises Skip when it is not there."""
    path = os.environ.get("SILT")
    if not path:
        raise Skip("env SILT does not name the binary")
    if not os.access(path, os.X_OK):
        raise Skip(f"{path} is not built")
    return os.path.abspath(path)


def free_port():
    """A TCP port of 127.0.0.1 that nobody listens on and that was not given out before."""
    while True:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        if port not in _ports:
            _ports.add(port)
            return port


@contextlib.contextmanager
def workdir():
    """A new folder under TMPDIR, deleted afterwards (kept when env KEEP is set)."""
    path = os.path.realpath(tempfile.mkdtemp(prefix="silt-e2e-"))
    try:
        yield path
    finally:
        for p in [p for p in _alive if p.folder and p.folder.startswith(path)]:
            p.kill9()
        if not os.environ.get("KEEP"):
            shutil.rmtree(path, ignore_errors=True)


def wait_for(condition, what, timeout=20.0, step=0.02):
    """Calls `condition` until it gives something true, and returns that; AssertionError with
    `what` after `timeout` seconds."""
    end = time.monotonic() + timeout
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout} s for {what() if callable(what) else what}")
        time.sleep(step)


class Proc:
    """A running silt process; `out_path` and `err_path` hold what it printed."""

    def __init__(self, args, env, folder, name):
        self.name, self.folder = name, folder
        self.args = [silt_path(), *map(str, args)]
        fd, self.err_path = tempfile.mkstemp(prefix=f"{name}-", suffix=".err", dir=folder)
        self.out_path = self.err_path[:-4] + ".out"
        with os.fdopen(fd, "wb") as err, open(self.out_path, "wb") as out:
            self.popen = subprocess.Popen(self.args, env={**os.environ, **env}, cwd=folder,
                                          stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                          start_new_session=True)
        _alive.append(self)

    @property
    def pid(self):
        return self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def stderr(self):
        with open(self.err_path, errors="replace") as f:
            return f.read()

    def stdout(self):
        with open(self.out_path, errors="replace") as f:
            return f.read()

    def events(self, name):
        """The log lines of one event, each as a dict of its key=value pairs."""
        lines = (dict(w.split("=", 1) for w in line.split() if "=" in w)
                 for line in self.stderr().splitlines() if f"event={name}" in line)
        return [e for e in lines if e.get("event") == name]

    def wait_ready(self, port=None, line=None, path="/readyz", timeout=20.0):
        """Returns once `path` on `port` answers 200, or once stderr holds `line`."""
        assert (port is None) != (line is None)

        def ready():
            assert self.running(), f"{self.name} ended with {self.popen.returncode}:\n{self.tail()}"
            if line is not None:
                return line in self.stderr()
            try:
                url = f"http://127.0.0.1:{port}{path}"
                return http_request("GET", url, timeout=2).status == 200
            except OSError:
                return False
        wait_for(ready, lambda: f"{self.name} to be ready:\n{self.tail()}", timeout)
        return self

    def tail(self, lines=20):
        return "\n".join(self.stderr().splitlines()[-lines:])

    def signal(self, number, group=False):
        with contextlib.suppress(ProcessLookupError):
            if group:
                os.killpg(self.pid, number)
            else:
                os.kill(self.pid, number)

    def kill9(self, group=True):
        """Kills at once, with its children unless told otherwise, and waits."""
        self.signal(signal.SIGKILL, group)
        self.popen.wait(10)
        if self in _alive:
            _alive.remove(self)

    def terminate(self, timeout=15.0):
        """Asks it to stop and returns the exit status; one that stays is killed and reported."""
        if self.running():
            self.signal(signal.SIGTERM)
        try:
            status = self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise AssertionError(f"{self.name} did not stop in {timeout} s:\n"
                                 f"{self.tail()}") from None
        self.signal(signal.SIGKILL, group=True)
        if self in _alive:
            _alive.remove(self)
        return status

    def children(self):
        """(pid, command line) of its direct children."""
        with open(f"/proc/{self.pid}/task/{self.pid}/children") as f:
            pids = [int(p) for p in f.read().split()]
        out = []
        for pid in pids:
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    out.append((pid, f.read().decode(errors="replace").split("\0")[:-1]))
        return out


def start(args, env=None, folder=None, name=None):
    """Starts silt with `args` in `folder` (default: the system's folder for temporary files)."""
    return Proc(args, env or {}, folder or tempfile.gettempdir(), name or str(args[0]))


def run(args, env=None, folder=None, stdin=b"", timeout=60.0):
    """Runs silt to its end; returns the CompletedProcess with bytes of stdout and stderr."""
    return subprocess.run([silt_path(), *map(str, args)], env={**os.environ, **(env or {})},
                          cwd=folder, input=stdin, capture_output=True, timeout=timeout,
                          check=False)


@atexit.register
def _cleanup():
    for p in list(_alive):
        with contextlib.suppress(Exception):
            p.kill9()


# ------------------------------------------------------------------------------------------ http

class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"Response({self.status}, {self.body[:300]!r})"


def http_request(method, url, body=None, headers=None, timeout=30.0):
    """One HTTP request over a connection of its own. A dict or list body is sent as JSON; any
    status is returned, not raised."""
    at = urllib.parse.urlsplit(url)
    headers = dict(headers or {})
    if isinstance(body, (dict, list)):
        body = json.dumps(body).encode()
        headers.setdefault("Content-Type", "application/json")
    conn = http.client.HTTPConnection(at.hostname, at.port, timeout=timeout)
    try:
        path = (at.path or "/") + ("?" + at.query if at.query else "")
        conn.request(method, path, body, headers)
        r = conn.getresponse()
        return Response(r.status, {k.lower(): v for k, v in r.getheaders()}, r.read())
    except http.client.HTTPException as e:
        raise OSError(f"{method} {url}: {e!r}") from None
    finally:
        conn.close()


# -------------------------------------------------------------------------------------- assembly

TRADE = [("time", "timestamp", {}), ("sym", "symbol", {"attrOrd": "parted", "attrDisk": "parted"}),
         ("price", "float", {}), ("size", "long", {})]


def yaml_text(v, depth=0):
    """A nested dict, list or scalar as YAML; scalars that YAML could take for something else are
    quoted."""
    pad = "  " * depth
    if isinstance(v, dict) and v:
        return "".join(f"{pad}{k}:{_inline(x, depth)}" for k, x in v.items())
    if isinstance(v, list) and v:
        return "".join(f"{pad}-{_inline(x, depth)}" for x in v)
    return f"{pad}{_scalar(v)}\n"


def _inline(v, depth):
    if isinstance(v, (dict, list)) and v:
        return "\n" + yaml_text(v, depth + 1)
    return f" {_scalar(v)}\n"


def _scalar(v):
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, (dict, list)):
        return "{}" if isinstance(v, dict) else "[]"
    if isinstance(v, (int, float)):
        return str(v)
    plain = v and v[0].isalpha() and all(c.isalnum() or c in "._-/ " for c in v)
    return v if plain and v.lower() not in ("true", "false", "yes", "no", "on", "off", "null", "n",
                                            "y") and v == v.strip() else json.dumps(v)


def table_spec(columns, prtn_col="time", sort_ord=("sym", "time"), sort_disk=("sym", "time"),
               **more):
    """One entry of `tables`: columns are (name, type) or (name, type, {further keys})."""
    cols = [{"name": c[0], "type": c[1], **(c[2] if len(c) > 2 else {})} for c in columns]
    out = {"type": "partitioned", "prtnCol": prtn_col}
    if sort_ord:
        out["sortColsOrd"] = list(sort_ord)
    if sort_disk:
        out["sortColsDisk"] = list(sort_disk)
    return {**out, **more, "columns": cols}


Assembly = collections.namedtuple("Assembly", "path folder idb hdb sm_port da_port")


def write_assembly(path, folder=None, tables=None, sm_port=None, da_port=None, freq="0D00:10:00",
                   snap="00:00:00", bus=None, sm=None, dap=None, instances=None, mounts=None,
                   tiers=None, name="e2e"):
    """Writes an assembly with one ordinal and one date mount in `folder` (default: the folder of
    `path`) and returns an Assembly: path, folder, idb, hdb, sm_port, da_port.

    `tables`: name to table_spec. `bus`, `sm`, `dap`: further keys of those sections. `instances`
    replaces the one reader instance `dap`; `mounts` and `tiers` replace the generated ones."""
    folder = os.path.abspath(folder or os.path.dirname(path))
    sm_port, da_port = sm_port or free_port(), da_port or free_port()
    idb, hdb = os.path.join(folder, "idb"), os.path.join(folder, "hdb")
    doc = {
        "name": name,
        "tables": tables or {"trade": table_spec(TRADE)},
        "bus": {"stream": {"protocol": "rt", "topic": "data", **(bus or {})}},
        "mounts": mounts or {
            "rdb": {"type": "stream", "partition": "none", "baseURI": "none"},
            "idb": {"type": "local", "partition": "ordinal", "baseURI": f"file://{idb}"},
            "hdb": {"type": "local", "partition": "date", "baseURI": f"file://{hdb}"}},
        "elements": {
            "sm": {"source": "stream", "port": sm_port, **(sm or {}),
                   "tiers": tiers or [
                       {"name": "idb", "mount": "idb", "schedule": {"freq": freq}},
                       {"name": "hdb", "mount": "hdb",
                        "schedule": {"freq": "1D00:00:00", "snap": snap}}]},
            "dap": {**(dap or {}), "instances": instances or {
                "dap": {"mountList": ["rdb", "idb", "hdb"], "port": da_port}}}}}
    with open(path, "w") as f:
        f.write(yaml_text(doc))
    return Assembly(path, folder, idb, hdb, sm_port, da_port)
