"""Databases to import: the real ones of the shared data, and a made one that lacks tables and columns
in old dates. How a tree looked before, and what it must hold afterwards.

    for name in names(): prepare(name, top)     makes top/hdb/data and the assembly for it
    tree(top)                                   all names: kind, mode, link target, bytes
    check_imported(db)                          the current view holds exactly what stood there
"""
import datetime
import os
import shutil
import stat
import struct

from . import kdbfiles, proc
from .qipc import DAY_NS, QVector
from .tap import shared_dir

REAL = {
    "advancedkdb": "advancedkdb/hdb",
    "dremio-kdb": "dremio-kdb/src/test/resources/data/db",
    "enterprise-components": "enterprise-components/components/stream/test/data/hdb",
    "torq-air": "torq-air/hdb",
    "torq-air-g": "torq-air-g/hdb",
    "torq": "torq/tests/dataaccess/queryorder/hdb",
    "torq-crypto": "torq-crypto/hdb/database",
    "torq-crypto-zip": "torq-crypto-zip/hdb/database",
    "torq-finance-dqcdb": "torq-finance-starter-pack/dqe/dqcdb/database",
    "torq-finance-dqedb": "torq-finance-starter-pack/dqe/dqedb/database",
    "torq-finance": "torq-finance-starter-pack/hdb",
}
MADE = "made"
TYPES = {1: "boolean", 2: "guid", 4: "byte", 5: "short", 6: "int", 7: "long", 8: "real", 9: "float",
         10: "char", 12: "timestamp", 13: "month", 14: "date", 15: "datetime", 16: "timespan",
         17: "minute", 18: "second", 19: "time", 11: "symbol"}


def shared():
    """The folder of the shared databases, or None."""
    base = shared_dir()
    path = os.path.join(base, "data", "kdb") if base else ""
    return path if os.path.isdir(path) else None


def names():
    return [MADE] + (sorted(REAL) if shared() else [])


# ---------------------------------------------------------------- trees

def tree(top):
    """Every name below `top`: what it is, its mode, and its bytes or target."""
    out = {}
    for folder, subs, files in os.walk(top):
        for name in subs + files:
            path = os.path.join(folder, name)
            st = os.lstat(path)
            if stat.S_ISLNK(st.st_mode):
                held = os.readlink(path)
            elif stat.S_ISDIR(st.st_mode):
                held = None
            else:
                with open(path, "rb") as f:
                    held = f.read()
            out[os.path.relpath(path, top)] = (stat.S_IFMT(st.st_mode), stat.S_IMODE(st.st_mode),
                                               held)
    return out


def differences(before, after):
    """What differs between two trees, a few names of it."""
    out = [f"-{n}" for n in sorted(set(before) - set(after))]
    out += [f"+{n}" for n in sorted(set(after) - set(before))]
    out += [f"!{n}" for n in sorted(set(before) & set(after)) if before[n] != after[n]]
    return out[:8]


# ---------------------------------------------------------------- databases

def write_names(folder, columns):
    body = b"".join(c.encode() + b"\0" for c in columns)
    with open(os.path.join(folder, ".d"), "wb") as f:
        f.write(b"\xff\x01\x0b\x00" + struct.pack("<i", len(columns)) + body)


def write_vector(path, code, form, values):
    with open(path, "wb") as f:
        f.write(b"\xfe\x20" + bytes([code, 0]) + b"\0" * 4 + struct.pack("<q", len(values)))
        f.write(struct.pack(f"<{len(values)}{form}", *values))


def write_enum(path, values):
    with open(path, "wb") as f:
        head = (b"\xfd\x20".ljust(16, b"\0") + b"sym").ljust(4080, b"\0")
        head += b"\xfd\x00\x14\x00" + b"\0" * 4 + struct.pack("<q", len(values))
        f.write(head + struct.pack(f"<{len(values)}q", *values))


def make(folder, dates=3):
    """Two tables; the older dates lack a column of one and the whole other one."""
    os.makedirs(folder)
    with open(os.path.join(folder, "sym"), "wb") as f:
        f.write(b"\xff\x01\x0b\x00" + struct.pack("<i", 2) + b"a\0b\0")
    for d in range(dates):
        day = (6000 + d) * DAY_NS
        name = str(datetime.date(2016, 6, 5 + d)).replace("-", ".")
        table = os.path.join(folder, name, "trade")
        os.makedirs(table)
        columns = ["time", "sym", "price"] + (["venue", "note"] if d == dates - 1 else [])
        write_names(table, columns)
        write_vector(os.path.join(table, "time"), 12, "q", [day + i for i in range(4)])
        write_enum(os.path.join(table, "sym"), [0, 1, 1, 0])
        write_vector(os.path.join(table, "price"), 9, "d", [1.0, 2.0, 3.0, d])
        if d == dates - 1:
            write_enum(os.path.join(table, "venue"), [1, 0, 0, 0])
            write_vector(os.path.join(table, "note"), 7, "q", [1, 2, 3, 4])
            quote = os.path.join(folder, name, "quote")
            os.makedirs(quote)
            write_names(quote, ["time", "bid"])
            write_vector(os.path.join(quote, "time"), 12, "q", [day])
            write_vector(os.path.join(quote, "bid"), 9, "d", [1.5])


def partitions(data):
    return sorted(n for n in os.listdir(data) if n[:1].isdigit())


def mend(data):
    """The shared copies leave large columns out: `.d` is made to say what is there."""
    sym = os.path.join(data, "sym")
    if os.path.exists(sym):
        extend(sym, data)
    for part in partitions(data):
        for table in os.listdir(os.path.join(data, part)):
            folder = os.path.join(data, part, table)
            listed = kdbfiles.open_file(os.path.join(folder, ".d")).values.data
            there = [c for c in listed if os.path.exists(os.path.join(folder, c))]
            if there != listed:
                write_names(folder, there)


def type_of(column):
    """The schema's name of a column's type; None when no name fits."""
    if column.type:
        return TYPES.get(column.type)
    items = list(column.values) if column.kind in ("nested", "anymap") else []
    kinds = {item.type if isinstance(item, QVector) else None for item in items}
    if len(kinds) != 1 or None in kinds:
        return ""
    kind = kinds.pop()
    return "string" if kind == 10 else TYPES[kind] + "s"


def lists(table):
    return any(c["type"] == "" or c["type"].endswith("s") for c in table["columns"])


def extend(sym, data):
    """Names for indices beyond the end of the domain, which one of the shared copies has."""
    names = kdbfiles.read_symbols(sym)
    top = 0
    for folder, _, files in os.walk(data):
        for name in files:
            path = os.path.join(folder, name)
            if folder == data or name == ".d" or "#" in name:
                continue
            f = kdbfiles.open_file(path)
            if f.domain and f.rows:
                top = max(top, max(f.values.data))
    for i in range(len(names), top + 1):
        with open(sym, "ab") as f:
            f.write(f"more{i}".encode() + b"\0")


class Database:
    """One prepared database: folder, assembly, options of `silt adopt`, and what it holds."""

    def __init__(self, name, top):
        self.name, self.top = name, top
        self.data = os.path.join(top, "hdb", "data")
        if name == MADE:
            make(self.data)
        else:
            shutil.copytree(os.path.join(shared(), REAL[name]), self.data, symlinks=True)
            mend(self.data)
        for folder, _, _ in os.walk(self.data):
            os.chmod(folder, 0o755)
        self.held = self.read(self.data)
        self.bytes = {}
        for part, table in self.held:
            folder, files = os.path.join(self.data, part, table), {}
            for name in os.listdir(folder):
                with open(os.path.join(folder, name), "rb") as f:
                    files[name] = f.read()
            self.bytes[part, table] = files
        self.options = ["--keep-unlisted"]
        self.write_assembly(self.schemas())
        if b"refuses it" in proc.run(["config", "check", self.a.path]).stdout:
            self.write_assembly(self.schemas(with_lists=False))

    def write_assembly(self, tables):
        self.tables = tables
        path = os.path.join(os.path.dirname(self.top), f"{os.path.basename(self.top)}.yaml")
        self.a = proc.write_assembly(path, self.top, tables=tables, sm={"initialImport": True})

    def read(self, data):
        """(partition, table) to the splayed table there."""
        sym = os.path.join(data, "sym")
        domains = {"sym": kdbfiles.read_symbols(sym)} if os.path.exists(sym) else {}
        return {(part, table): kdbfiles.load_splayed(os.path.join(data, part, table), domains)
                for part in partitions(data) for table in os.listdir(os.path.join(data, part))}

    def schemas(self, with_lists=True):
        """Tables that an assembly can have, as their last partition has them."""
        out = {}
        for (_, table), splay in sorted(self.held.items()):
            columns = [(n, type_of(f)) for n, f in splay.files.items()]
            times = [n for n, t in columns if t == "timestamp" and self.fits(table, n)]
            if times and all(t is not None for _, t in columns):
                out[table] = proc.table_spec(columns, prtn_col=times[0], sort_ord=[times[0]],
                                             sort_disk=[times[0]])
        if not with_lists:
            out = {name: t for name, t in out.items() if not lists(t)}
        return out or {"other": proc.table_spec([("time", "timestamp"), ("v", "long")],
                                                sort_ord=["time"], sort_disk=["time"])}

    def fits(self, table, column):
        """Whether all times of a column lie in their partition, so that it can be the one that
        tells."""
        for (part, name), splay in self.held.items():
            if name != table or column not in splay.files:
                continue
            day = datetime.date(*map(int, part.split("."))) - datetime.date(2000, 1, 1)
            if any(t // DAY_NS != day.days for t in splay.column(column)):
                return False
        return True

    def check_names(self):
        """The current view names what stood there, byte for byte, and nothing is left over."""
        current = os.path.join(self.a.hdb, "current")
        assert partitions(current) == sorted({p for p, _ in self.held}), f"{partitions(current)}"
        for (part, table), files in self.bytes.items():
            folder = os.path.join(current, part, table)
            for name, held in files.items():
                with open(os.path.join(folder, name), "rb") as f:
                    there = f.read()
                grown = name == ".d" and len(there) > len(held)
                assert there == held or grown, f"{part}/{table}/{name}"
        for part in partitions(current):
            for table, spec in self.tables.items():
                listed = kdbfiles.open_file(os.path.join(current, part, table, ".d")).values.data
                wanted = [c["name"] for c in spec["columns"]]
                assert listed == wanted, f"{part}/{table}: {listed}"
        left = set(os.listdir(self.a.hdb)) - {"current", "data", "imported", "seg", "sym",
                                              "siltstone.json"}
        assert all(n.startswith("hdb.") for n in left), f"left over: {sorted(left)}"
        for folder, _, files in os.walk(os.path.join(self.a.hdb, "imported")):
            assert not {".d.before", ".d.tmp"} & set(files), f"left over in {folder}"

    def check_imported(self):
        """The current view loads, and holds what stood there; what was missing is empty or null."""
        self.check_names()
        db = kdbfiles.load_db(os.path.join(self.a.hdb, "current"))
        parts = dict((os.path.basename(p), p) for _, p in db.partitions)
        assert sorted(parts) == sorted({p for p, _ in self.held}), f"partitions {sorted(parts)}"
        for (part, table), before in self.held.items():
            after = kdbfiles.load_splayed(os.path.join(parts[part], table), db.domains)
            check_table(before, after, f"{part}/{table}")
        for part, path in parts.items():
            for table, spec in self.tables.items():
                after = kdbfiles.load_splayed(os.path.join(path, table), db.domains)
                wanted = [c["name"] for c in spec["columns"]]
                assert after.names() == wanted, f"{part}/{table}: {after.names()}"
                assert (part, table) in self.held or after.rows == 0, f"{part}/{table}: rows"


def check_table(before, after, where):
    for name in before.names():
        assert same(before.column(name), after.column(name)), f"{where}/{name} differs"
    for name in set(after.names()) - set(before.names()):
        column = list(after.column(name))
        assert len(column) == before.rows and len({str(v) for v in column}) <= 1, f"{where}/{name}"


def same(a, b):
    return len(a) == len(b) and str(list(a)) == str(list(b))
