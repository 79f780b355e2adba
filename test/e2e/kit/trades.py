"""Trades of eight columns, made from a seed: columns for the model and messages for the stream.

Each row has a guid of its own, so that rows are told apart; 5 % of them are late, over three past
dates. Times rise by a microsecond within a batch.
"""
import array
import random

from . import proc, qipc
from .qipc import DAY_NS, QTable, QVector

COLUMNS = [("time", "timestamp"), ("sym", "symbol"), ("price", "float"), ("size", "long"),
           ("side", "char"), ("exch", "symbol"), ("cond", "int"), ("id", "guid")]
NAMES = [n for n, _ in COLUMNS]
SYMS = [f"S{i:02d}" for i in range(20)]
EXCHANGES = ["N", "Q", "B", "CME", "LSE"]
LATE_DAYS = 3
WIDTH = 8 + 8 + 8 + 8 + 1 + 8 + 4 + 16      # bytes of a row as it lies on disk


def spec(**more):
    """The table's entry in an assembly: parted by sym in intervals and days."""
    attrs = {"sym": {"attrOrd": "parted", "attrDisk": "parted"}}
    return proc.table_spec([(n, t, attrs.get(n, {})) for n, t in COLUMNS], **more)


class Trades:
    """An endless feed; `late` is the share of late rows."""

    def __init__(self, seed, late=0.05):
        self.random = random.Random(seed)
        self.late = late

    def columns(self, rows, start):
        """Columns of the next `rows` rows, the first of them at `start` (ns since 2000)."""
        r = self.random
        times = array.array("q", range(start, start + 1000 * rows, 1000))
        for i in range(rows):
            if r.random() < self.late:
                times[i] -= r.randint(1, LATE_DAYS) * DAY_NS
        return [times, r.choices(SYMS, k=rows), array.array("d", [r.random() * 100 for _ in times]),
                array.array("q", [r.randint(1, 1000) for _ in times]),
                bytes(r.choices(b"BS", k=rows)), r.choices(EXCHANGES, k=rows),
                array.array("i", [r.randint(-5, 5) if r.random() < 0.9 else -2**31 for _ in times]),
                r.randbytes(16 * rows)]


def table(columns):
    """The q table of such columns."""
    return QTable({n: QVector(qipc.CODES[t], c) for (n, t), c in zip(COLUMNS, columns)})


def column_list(columns):
    """The same as a list of columns, the other form of an update."""
    return qipc.QList([QVector(qipc.CODES[t], c) for (_, t), c in zip(COLUMNS, columns)])


def row_list(columns, i):
    """Row `i` as a list of atoms."""
    t = table(columns)
    return qipc.QList([qipc.QAtom(v.type, v[i]) for v in t.columns.values()])


def rows(columns):
    """Python tuples, one a row; a char is one byte."""
    return list(zip(*(v.tolist() for v in table(columns).columns.values())))
