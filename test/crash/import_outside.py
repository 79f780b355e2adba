#!/usr/bin/env python3
"""The import in steps, for a checker that watches system calls from outside (outside.sh).

    import_outside.py prepare NAME TOP      TOP/prepared, TOP/assembly.yaml, TOP/held
    import_outside.py adopt TOP ROOT        silt adopt --apply on a copy of the prepared tree
    import_outside.py accept TOP ROOT       the same, and every partition gets its checksums
    import_outside.py recover TOP ROOT      the same again; fine when it had been through
    import_outside.py verify TOP ROOT       it is imported, with equal content
    import_outside.py detect TOP ROOT       fails when something is damaged
    import_outside.py count TOP ROOT        the changes that os/fault counts"""
import os
import pickle
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import outside
from kit import imports, proc


def prepare(name, top):
    db = imports.Database(name, os.path.join(top, "prepared"))
    db.held = {key: None for key in db.held}
    with open(os.path.join(top, "held"), "wb") as f:
        pickle.dump(db.__dict__, f)


def load(top, root):
    db = object.__new__(imports.Database)
    with open(os.path.join(top, "held"), "rb") as f:
        db.__dict__.update(pickle.load(f))
    db.a = db.a._replace(idb=os.path.join(root, "idb"), hdb=os.path.join(root, "hdb"))
    return db


def adopt(db, env=None):
    return proc.run(["adopt", db.a.path, "--apply", "--idb", db.a.idb, "--hdb", db.a.hdb,
                     *db.options], env)


def accept(db):
    """Every partition gets its checksums: of what stands there."""
    for part in imports.partitions(os.path.join(db.a.hdb, "current")):
        done = proc.run(["repair", db.a.path, part, "--accept", "--idb", db.a.idb,
                         "--hdb", db.a.hdb])
        assert done.returncode == 0, f"silt repair {part}: {done}"


def step(what, top, root):
    db = load(top, root)
    if what == "detect":
        outside.must_count(root)
        for base in (db.a.idb, db.a.hdb):
            done = proc.run(["check", "--deep", base])
            assert done.returncode == 0, f"silt check --deep {base}: {done}"
    if what in ("verify", "detect"):
        return db.check_names()
    if what == "count":
        shutil.copytree(db.top, root, symlinks=True)
        done = adopt(db, {"SILT_FAULT": "count:" + root + ".count"})
        with open(root + ".count") as f:
            print(f.read())
    else:
        done = adopt(db)
    through = what == "recover" and done.returncode == 7 and b"V-20" in done.stdout
    if done.returncode != 0 and not through:
        print(done.stdout.decode() + done.stderr.decode(), file=sys.stderr)
        sys.exit(done.returncode)
    return accept(db) if what == "accept" else None


if __name__ == "__main__":
    try:
        if sys.argv[1] == "prepare":
            prepare(*sys.argv[2:])
        else:
            step(*sys.argv[1:])
    except (AssertionError, OSError) as e:
        print(f"{sys.argv[1]}: {e}", file=sys.stderr)
        sys.exit(1)
