#!/usr/bin/env python3
"""What an import refuses, by rule and with nothing changed; what it takes: segments, months, a folder
elsewhere; what the manager does at its first start."""
import datetime
import os
import shutil
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import imports, kdbfiles, proc, qipc as q
from kit.imports import write_enum, write_names, write_vector
from kit.qipc import DAY_NS
from kit.tap import Skip, Tap

tap = Tap()
FIRST = 6000        # 2016.06.05
COLUMNS = [("time", "timestamp"), ("sym", "symbol"), ("price", "float")]
TABLES = {"trade": proc.table_spec(COLUMNS, sort_ord=["time"], sort_disk=["sym", "time"])}


def name_of(day):
    return (datetime.date(2000, 1, 1) + datetime.timedelta(days=day)).strftime("%Y.%m.%d")


def table(folder, day, rows=4, names=("time", "sym", "price")):
    os.makedirs(folder)
    write_names(folder, names)
    write_vector(os.path.join(folder, "time"), 12, "q", [day * DAY_NS + i for i in range(rows)])
    write_enum(os.path.join(folder, "sym"), [i % 2 for i in range(rows)])
    write_vector(os.path.join(folder, "price"), 9, "d", [float(day + i) for i in range(rows)])


def domain(path, names=("a", "b")):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(b"\xff\x01\x0b\x00" + struct.pack("<i", 0))
        f.write(b"".join(n.encode() + b"\0" for n in names))


class Place:
    """A database of three dates in top/hdb/data, and the assembly for it."""

    def __init__(self, top, tables=None, where="hdb/data", sm=None):
        self.top = top
        self.data = os.path.join(top, where)
        domain(os.path.join(self.data, "sym"))
        self.days = [FIRST, FIRST + 1, FIRST + 2]
        for day in self.days:
            table(self.part(day, "trade"), day)
        self.a = proc.write_assembly(os.path.join(top, "assembly.yaml"), top, sm=sm,
                                     tables=tables or TABLES)

    def part(self, day, *more):
        return os.path.join(self.data, name_of(day), *more)

    def adopt(self, *options, source=None):
        return proc.run(["adopt", source or self.a.path, *options])

    def refused(self, *rules, options=()):
        """Both --check and --apply name these rules, in one list, and change nothing."""
        before = imports.tree(self.top)
        for way in ("--check", "--apply"):
            done = self.adopt(way, *options)
            text = done.stdout.decode()
            assert done.returncode == 7, done
            bad = [line for line in text.splitlines() if ": warning: " not in line]
            for rule in rules:
                assert any(f": {rule}: " in line for line in bad), f"{rule} is not in {text}"
            differs = imports.differences(before, imports.tree(self.top))
            assert not differs, differs
        return text

    def taken(self, *options):
        for way in ("--check", "--apply"):
            done = self.adopt(way, *options)
            assert done.returncode == 0, done
        check = proc.run(["check", self.a.path])
        assert check.returncode == 0, check
        return kdbfiles.load_db(os.path.join(self.a.hdb, "current"))


def case(name, *rules, options=()):
    """A test that spoils a sound database in one way."""
    def keep(spoil):
        def body():
            with proc.workdir() as top:
                p = Place(top)
                assert p.adopt("--check").returncode == 0
                spoil(p)
                p.refused(*rules, options=options)
        return tap.test(name)(body)
    return keep


@case("a column of another type", "P-17")
def _(p):
    write_vector(p.part(FIRST + 1, "trade", "price"), 6, "i", [1, 2, 3, 4])


@case("a column that the schema does not have", "P-17")
def _(p):
    write_vector(p.part(FIRST, "trade", "more"), 6, "i", [1, 2, 3, 4])
    write_names(p.part(FIRST, "trade"), ["time", "sym", "price", "more"])


@case("columns in another order", "P-17")
def _(p):
    write_names(p.part(FIRST, "trade"), ["time", "price", "sym"])


@case("columns of different length, and one without a file", "P-03")
def _(p):
    write_vector(p.part(FIRST, "trade", "price"), 9, "d", [1.0])
    os.unlink(p.part(FIRST + 1, "trade", "price"))


@case("a table that the assembly does not have", "P-17")
def _(p):
    table(p.part(FIRST, "quote"), FIRST)


@case("a row of another day", "P-08")
def _(p):
    write_vector(p.part(FIRST, "trade", "time"), 12, "q", [FIRST * DAY_NS] * 3 + [0])


@case("a row of another day in the middle, when all rows are read", "P-08", options=["--deep"])
def _(p):
    at = FIRST * DAY_NS
    write_vector(p.part(FIRST, "trade", "time"), 12, "q", [at, 0, at, at])
    done = p.adopt("--check")
    assert done.returncode == 0, done


@case("an index beyond the end of the domain", "P-18")
def _(p):
    write_enum(p.part(FIRST, "trade", "sym"), [0, 1, 1, 2])


@case("no domain at all", "P-18")
def _(p):
    os.unlink(os.path.join(p.data, "sym"))


@case("a second domain", "P-42")
def _(p):
    domain(os.path.join(p.data, "names"))
    path = p.part(FIRST, "trade", "sym")
    with open(path, "r+b") as f:
        f.seek(16)
        f.write(b"names")


@case("what is no table in a partition", "P-06")
def _(p):
    with open(p.part(FIRST, "README"), "w") as f:
        f.write("notes")
    os.makedirs(p.part(FIRST + 1, "empty"))


@case("partitions of another kind", "P-02")
def _(p):
    os.makedirs(os.path.join(p.data, "2016.06"))


@case("a link that leads into the database by its old path", "P-16")
def _(p):
    shutil.rmtree(p.part(FIRST, "trade"))
    os.symlink(p.part(FIRST + 1, "trade"), p.part(FIRST, "trade"))


@case("a link to nothing", "P-16")
def _(p):
    os.unlink(p.part(FIRST, "trade", "price"))
    os.symlink("nowhere", p.part(FIRST, "trade", "price"))


@case("folders that are in use", "V-20")
def _(p):
    os.makedirs(os.path.join(p.a.hdb, "seg"))
    os.makedirs(os.path.join(p.a.idb, "data"))


@case("a name that filling would make", "P-03")
def _(p):
    write_names(p.part(FIRST, "trade"), ["time", "sym"])


@case("everything at once", "P-17", "P-08", "P-18", "P-06")
def _(p):
    write_vector(p.part(FIRST, "trade", "price"), 6, "i", [1, 2, 3, 4])
    write_vector(p.part(FIRST + 1, "trade", "time"), 12, "q", [0, 0, 0, 0])
    write_enum(p.part(FIRST + 2, "trade", "sym"), [9, 9, 9, 9])
    os.makedirs(p.part(FIRST + 2, "empty"))


@tap.test("partitioned by number, by month without and with the rule")
def _():
    with proc.workdir() as top:
        p = Place(top)
        for i, day in enumerate(p.days):
            os.rename(p.part(day), os.path.join(p.data, str(i)))
        p.refused("P-40")
    with proc.workdir() as top:
        p = Place(top)
        os.rename(p.part(FIRST), os.path.join(p.data, "2016.06"))
        for day in p.days[1:]:
            shutil.rmtree(p.part(day))
        p.refused("P-40")
        db = p.taken("--rule", "first-day")
        assert [os.path.basename(path) for _, path in db.partitions] == ["2016.06.01"]
        assert [p.splay.rows for p in db.tables["trade"].parts] == [4]


def segments(p, place):
    """The dates move to two folders; par.txt names them."""
    places = [os.path.join(place, "one"), os.path.join(place, "two")]
    for i, day in enumerate(p.days):
        os.makedirs(places[i % 2], exist_ok=True)
        shutil.move(p.part(day), os.path.join(places[i % 2], name_of(day)))
    with open(os.path.join(p.data, "par.txt"), "w") as f:
        f.write("".join(f"{os.path.relpath(x, p.data) if i else x}\n"
                        for i, x in enumerate(places)))
    return places


@tap.test("segments stay where they are, and their folders go when a newer part is there")
def _():
    with proc.workdir() as top:
        p = Place(top)
        places = segments(p, os.path.join(top, "volumes"))
        done = p.adopt("--check")
        assert done.stdout.count(b"map: ") == 2, done
        inode = os.stat(os.path.join(places[0], name_of(FIRST), "trade", "price")).st_ino
        db = p.taken()
        assert len(db.partitions) == 3
        assert os.stat(os.path.join(db.partitions[0][1], "trade", "price")).st_ino == inode
        late_rows(p, os.path.join(places[0], name_of(FIRST)))


def late_rows(p, old):
    """Late rows of the first date are merged; the folder that held it goes."""
    sm = proc.start(["sm", p.a.path, "--log-level", "warn"], folder=p.top)
    sm.wait_ready(port=p.a.sm_port)
    conn = q.connect("127.0.0.1", p.a.sm_port)
    rows = q.QTable({"time": q.QVector(12, [FIRST * DAY_NS + 10]), "sym": q.QVector(11, ["c"]),
                     "price": q.QVector(9, [0.5])})
    conn.call("upd", q.sym("trade"), rows)
    conn.call(".silt.eoi")
    seq = conn.call(".silt.eod")["seq"].value
    proc.wait_for(lambda: conn.call(".silt.eodStatus", q.long(seq))["status"].data == b"completed",
                  "the day")
    db = kdbfiles.load_db(os.path.join(p.a.hdb, "current"))
    part = next(x for x in db.tables["trade"].parts if x.name == name_of(FIRST))
    assert part.splay.rows == 5 and "c" in part.splay.column("sym")
    for _ in range(3):
        conn.call("upd", q.sym("trade"), rows)
        conn.call(".silt.eoi")
    proc.wait_for(lambda: not os.path.exists(old), f"{old} to be swept")
    conn.close()
    assert sm.terminate() == 0
    check = proc.run(["check", p.a.path])
    assert check.returncode == 0, check


@tap.test("segments that lie in the database's own folder, and partitions that are links")
def _():
    with proc.workdir() as top:
        p = Place(top)
        segments(p, os.path.join(p.data, ".."))         # beside data, named by ../one
        assert len(p.taken().partitions) == 3
    with proc.workdir() as top:
        p = Place(top)
        away = os.path.join(top, "away")
        shutil.move(p.part(FIRST), away)
        os.symlink("../../away", p.part(FIRST))
        assert len(p.taken().partitions) == 3
        late_rows(p, os.path.join(p.a.hdb, "imported", name_of(FIRST)))
        assert os.path.isdir(os.path.join(away, "trade"))


@tap.test("segments: a line that leads nowhere, a foreign file, doubled and split dates")
def _():
    with proc.workdir() as top:
        p = Place(top)
        places = segments(p, os.path.join(top, "volumes"))
        with open(os.path.join(p.data, "par.txt"), "a") as f:
            f.write("/not/there\n")
        p.refused("P-04")
    with proc.workdir() as top:
        p = Place(top)
        places = segments(p, os.path.join(top, "volumes"))
        with open(os.path.join(places[0], "notes"), "w") as f:
            f.write("x")
        shutil.copytree(os.path.join(places[0], name_of(FIRST)),
                        os.path.join(places[1], name_of(FIRST)))
        table(os.path.join(places[0], name_of(FIRST + 1), "trade"), FIRST + 1, rows=2)
        p.refused("P-06", "P-42", "P-09")


@tap.test("a database elsewhere, a folder without an assembly, an interrupted import")
def _():
    with proc.workdir() as top:
        p = Place(top, where="old")
        done = proc.run(["adopt", p.data, "--check"])
        assert done.returncode == 0 and b"3 partitions" in done.stderr, done
        done = proc.run(["adopt", p.data, "--apply"])
        assert done.returncode == 2 and b"--from" in done.stderr, done
        before = imports.tree(top)
        done = proc.run(["adopt", p.a.path, "--apply", "--from", p.data],
                        env={"SILT_FAULT": "error:40:EIO"})
        assert done.returncode != 0 and not imports.differences(before, imports.tree(top)), done
        done = proc.run(["adopt", p.a.path, "--apply", "--from", p.data],
                        env={"SILT_FAULT": "kill:40"})
        assert done.returncode == 137, done
        done = p.adopt("--check")
        assert done.returncode == 9 and b"interrupted" in done.stderr, done
        done = p.adopt("--apply")       # the journal knows where from
        assert done.returncode == 0, done
        assert not os.path.exists(p.data)
        assert len(kdbfiles.load_db(os.path.join(p.a.hdb, "current")).partitions) == 3
        done = p.adopt("--apply")
        assert done.returncode == 7 and b"V-20" in done.stdout, done


@tap.test("a proposed assembly imports the database that it was proposed from, as it stands")
def _():
    for where, link in (("hdb/data", None), ("old", None), ("old", "old"), ("deep/old", "deep/old")):
        with proc.workdir() as top:
            p = Place(top, where=where)
            if link is not None:        # by a relative link, which leads nowhere when it is moved
                p.data = os.path.join(top, "link")
                os.symlink(link, p.data)
            got = proc.run(["schema", "infer", p.data + "/"])
            assert got.returncode == 0, got
            path = os.path.join(top, "proposed.yaml")
            with open(path, "wb") as f:
                f.write(got.stdout)
            options = [] if where == "hdb/data" else ["--from", p.data]
            if options:
                done = proc.run(["adopt", path, "--check"])
                assert done.returncode == 3 and b"--from" in done.stderr, done
            for way in ("--check", "--apply"):
                done = proc.run(["adopt", path, way, *options])
                assert done.returncode == 0, done
            done = proc.run(["check", path])
            assert done.returncode == 0 and b"3 parts, 3 tables, 12 rows" in done.stderr, done


@tap.test("a table that is kept unlisted stays visible to kdb+ when new dates are written")
def _():
    with proc.workdir() as top:
        p = Place(top)
        for day in p.days:
            table(p.part(day, "kept"), day)
        p.taken("--keep-unlisted")
        ports = ["--sm-port", proc.free_port(), "--da-port", proc.free_port()]
        up = proc.start(["up", p.a.path, *ports], folder=top)
        up.wait_ready(port=ports[3])
        rows = f"time,sym,price\n{name_of(FIRST + 9)}D10:00:00,b,1.5\n".encode()
        for words in (["pub", "trade"], ["eoi"], ["eod"]):
            done = proc.run([*words, p.a.path, *ports], stdin=rows if words[0] == "pub" else b"")
            assert done.returncode == 0, done
        current = os.path.join(p.a.hdb, "current")
        proc.wait_for(lambda: os.path.exists(os.path.join(current, name_of(FIRST + 9))), "the date")
        assert up.terminate() == 0, up.tail()
        db = kdbfiles.load_db(current)
        kept = [s.splay for s in db.tables["kept"].parts]
        assert [s.rows for s in kept] == [4, 4, 4, 0] and kept[-1].types() == kept[-2].types()
        done = proc.run(["check", "--deep", p.a.path])
        assert done.returncode == 0, done


@tap.test("what this user may not write to is told before anything is touched")
def _():
    if os.geteuid() != 0:
        raise Skip("only root can become nobody")
    with proc.workdir() as top:
        p = Place(top, where="old", tables={**TABLES, "more": TABLES["trade"]})
        table(p.part(p.days[2], "more"), p.days[2])
        for folder, _, names in os.walk(top):
            for name in [folder, *(os.path.join(folder, n) for n in names)]:
                shutil.chown(name, "nobody")

        def adopt(way):
            before = imports.tree(top)
            done = subprocess.run([proc.silt_path(), "adopt", p.a.path, way, "--from", p.data],
                                  user="nobody", capture_output=True, timeout=60, check=False)
            if way == "--check" or done.returncode != 0:
                assert not imports.differences(before, imports.tree(top))
            return done

        try:
            assert adopt("--check").returncode == 0
        except PermissionError as e:
            raise Skip(f"nobody may not run the program: {e}") from None
        for path, mode in ((os.path.join(p.data, "sym"), 0o444), (p.data, 0o555), (top, 0o555),
                           (p.part(p.days[1]), 0o555)):
            was = os.stat(path).st_mode & 0o777
            os.chmod(path, mode)
            for way in ("--check", "--apply"):
                done = adopt(way)
                named = os.path.join(p.data, "..") if path == top else path
                assert done.returncode == 7 and f"{named}: rights: ".encode() in done.stdout, done
            os.chmod(path, was)
        assert adopt("--apply").returncode == 0


def start(p, wanted):
    """The manager ends with a status, its log saying this."""
    done = proc.run(["sm", p.a.path])
    assert done.returncode == wanted[0] and wanted[1] in done.stderr, done


@tap.test("the manager: violations end it, a database that nobody asked to import, none to import")
def _():
    with proc.workdir() as top:
        p = Place(top, sm={"initialImport": True})
        os.makedirs(p.part(FIRST, "empty"))
        before = imports.tree(p.a.hdb)
        start(p, (7, b"P-06"))
        assert not imports.differences(before, imports.tree(p.a.hdb))
        shutil.rmtree(p.data)
        start(p, (3, b"V-20"))
    with proc.workdir() as top:
        p = Place(top)
        before = imports.tree(p.a.hdb)
        start(p, (2, b"initialImport"))
        assert not imports.differences(before, imports.tree(p.a.hdb))


@tap.test("an export that is stopped or fails leaves nothing under its name, and the next one succeeds")
def _():
    with proc.workdir() as top:
        p = Place(top)
        before = imports.tree(p.data)
        out, k = os.path.join(top, "out"), 0
        while True:
            k += 1
            done = proc.run(["export", p.data, out], env={"SILT_FAULT": f"error:{k}:ENOSPC"})
            whole = done.returncode == 0
            assert whole or done.returncode == 8, done
            if not whole and b"is there" not in done.stderr:
                late = os.path.exists(out)      # only the sync after the rename may fail then
                assert not os.path.exists(out + ".export"), done
                if late:
                    assert len(kdbfiles.load_db(out).partitions) == 3
                    shutil.rmtree(out)
            if whole:
                break
            done = proc.run(["export", p.data, out], env={"SILT_FAULT": f"kill:{k}"})
            assert done.returncode == 137, done
            if os.path.exists(out):
                assert len(kdbfiles.load_db(out).partitions) == 3
                shutil.rmtree(out)
            done = proc.run(["export", p.data, out])
            assert done.returncode == 0, done
            shutil.rmtree(out)
        assert k > 20 and not imports.differences(before, imports.tree(p.data))
        for text, rc in (([p.data], 2), ([p.data, out], 3), ([p.data, out + "2", "--view", "1"], 2),
                         ([p.part(FIRST, "trade"), out + "2"], 2), ([top, out + "2"], 3)):
            done = proc.run(["export", *text])
            assert done.returncode == rc, done
            assert not os.path.exists(out + "2")


if __name__ == "__main__":
    tap.run()
