#!/usr/bin/env python3
"""Initial import of each shared database, and of one that lacks tables and columns: the process is
killed before each change of the disk in turn and started again (silt adopt, or the manager): it must
end imported with equal content. With an error at each change, once or for good, it must end imported
or exactly as it was: names, kinds, modes, link targets, bytes.

The usual run takes a sample. CRASH_ALL=1 runs every point (`make crash`), CRASH_JOBS at a time."""
import concurrent.futures
import os
import shutil
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from kit import imports, proc
from kit.tap import Tap

tap = Tap()
ALL = os.environ.get("CRASH_ALL") == "1"
JOBS = int(os.environ.get("CRASH_JOBS", "2"))
# A mode, and how many of its points the usual run takes for each database.
MODES = {"kill:{}": 4, "error:{}:ENOSPC": 2, "error:{}:EIO": 2, "error:{}+:ENOSPC": 1,
         "error:{}+:EIO": 1}
KILLED, REFUSED = 137, 7
numbers = iter(range(10**9))
number_lock = threading.Lock()


class Copy:
    """A copy of a prepared database in a place of its own, with an assembly that says so."""

    def __init__(self, db):
        with number_lock:
            self.top = f"{db.top}.{next(numbers)}"
        shutil.copytree(db.top, self.top, symlinks=True)
        self.db = object.__new__(imports.Database)
        self.db.__dict__.update(db.__dict__, top=self.top)
        self.db.write_assembly(db.tables)

    def adopt(self, fault=None):
        return proc.run(["adopt", self.db.a.path, "--apply", *self.db.options],
                        env={"SILT_FAULT": fault or ""})

    def manager(self):
        """Starts the manager until it is ready, then ends it."""
        os.makedirs(self.top + ".log")
        p = proc.start(["sm", self.db.a.path, "--log-level", "warn"], folder=self.top + ".log")
        p.wait_ready(port=self.db.a.sm_port)
        p.terminate()
        return p

    def gone(self):
        shutil.rmtree(self.top)
        shutil.rmtree(self.top + ".log", ignore_errors=True)
        os.unlink(self.db.a.path)


def after_kill(copy, number):
    """Restarted, it ends imported. Every eighth time the manager does it (it needs no options: they
    stand in the journal, if the import had begun)."""
    journal = os.path.exists(os.path.join(copy.db.a.hdb, "adopt.journal"))
    done = os.path.lexists(os.path.join(copy.db.a.idb, "current"))
    if (journal or done) and number % 8 == 0:
        copy.manager()
    else:
        r = copy.adopt()
        late = r.returncode == REFUSED and b"V-20" in r.stdout      # it had been through
        assert r.returncode == 0 or late, f"again: {r.returncode} {r.stderr.decode()[-300:]}"
    copy.db.check_names()


def after_error(copy, r, lasting, before):
    """Imported, or as it was; and the next one ends it."""
    text = r.stderr.decode()
    assert r.returncode in (0, 2, 3, 5, 7, 8), f"status {r.returncode}: {text[-300:]}"
    if r.returncode == 0:
        return copy.db.check_names()
    if not lasting and "is imported" not in text:
        differs = imports.differences(before, imports.tree(copy.top))
        assert not differs, f"not as it was: {differs}; {text[-300:]}"
    again = copy.adopt()
    late = again.returncode == REFUSED and b"V-20" in again.stdout
    assert again.returncode == 0 or late, f"again: {again.stderr.decode()[-300:]}"
    return copy.db.check_names()


def run_point(db, before, fault):
    """One fault on a copy of its own; whether it was met."""
    copy = Copy(db)
    r = copy.adopt(fault)
    met = r.returncode != 0
    if fault.startswith("kill"):
        assert r.returncode in (0, KILLED), f"status {r.returncode}: {r.stderr.decode()[-300:]}"
        after_kill(copy, int(fault.split(":")[1]))
    else:
        after_error(copy, r, "+" in fault, before)
    copy.gone()
    return met


def count_points(db):
    copy = Copy(db)
    told = copy.top + ".count"
    r = copy.adopt("count:" + told)
    assert r.returncode == 0, r.stderr.decode()
    copy.db.check_imported()
    check = proc.run(["check", copy.db.a.path])
    assert check.returncode == 0, check.stdout.decode() + check.stderr.decode()
    copy.gone()
    with open(told) as f:
        return int(f.read())


def chosen(count, most):
    if ALL:
        return list(range(1, count + 1))
    return sorted({1 + (2 * i + 1) * count // (2 * most) for i in range(most)})


def database(name):
    began = time.monotonic()
    with proc.workdir() as top:
        db = imports.Database(name, os.path.join(top, "db"))
        before = imports.tree(db.top)
        count = count_points(db)
        faults = [mode.format(k) for mode, most in MODES.items() for k in chosen(count, most)]
        met, wrong = 0, []

        def one(fault):
            try:
                return run_point(db, before, fault)
            except Exception as e:      # any failure of one point is a finding, not the end
                wrong.append(f"{fault}: {type(e).__name__}: {e}")
                return True
        with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
            for hit in pool.map(one, faults):
                met += hit
        print(f"# {name}: {len(faults)} points, {len(wrong)} failures ({met} met; changes: {count}; "
              f"{time.monotonic() - began:.0f} s)", flush=True)
        assert not wrong, "\n".join(wrong[:20])
        assert met > len(faults) / 2, "most faults were not met"


for _name in imports.names():
    tap.test(f"import of {_name}, stopped and spoilt")(lambda name=_name: database(name))
if not imports.shared():
    print("# the shared databases are not there: only the made one is imported", flush=True)

if __name__ == "__main__":
    tap.run()
