"""The model: a list of acknowledged rows, and what must follow from it.

    m = Model([("time", "timestamp"), ("sym", "symbol"), ("price", "float")], "time")
    m.add(rows)                 rows that were acknowledged, in stream order
    m.doubt(rows)               rows sent without an answer: each may be there once, or not
    m.assert_same(splays)       every row exactly once on disk, or in an answer; says which are not
    m.get_data({...})           what getData must answer; check_answer compares

Values are raw: integers for every integral and temporal type (the q null as its integer, or None),
float with NaN for null, str for symbols, bytes for chars, strings (one value a row) and guids.
Columns are kept as arrays and compared by 64-bit row hashes, so that ten million rows are feasible.
"""
import array
import collections
import itertools
import math
import re
import struct

from . import kdbfiles, qipc
from .qipc import CODE, CODES, DAY_NS, FLOATS, INF, NAMES, NAN, NULL, WIDTH, QList, QTable, QVector

CHUNK = 16_384
SHOWN = 5


class NotDefined(Exception):
    """The model takes no stand on such a request: q or the description leave it open."""


# --------------------------------------------------------------------------------------- columns

def _new(code):
    return array.array(CODE[code]) if code in CODE else bytearray() if code in (2, 10) else []


def _count(code, data):
    return len(data) // 16 if code == 2 else len(data)


def _extend(code, data, values):
    if code in CODE:
        if not isinstance(values, array.array):
            null = NULL[code]
            values = (null if v is None else v for v in values)
        data.extend(values)
    elif code in (2, 10):
        data += QVector(code, values).data
    elif code == 11:
        data.extend("" if v is None else v for v in values)
    else:
        data.extend(b"" if v is None else v for v in values)


def _slice(code, data, low, high):
    return data[16 * low:16 * high] if code == 2 else data[low:high]


def _item(code, data, i):
    if code == 2:
        return bytes(data[16 * i:16 * i + 16])
    return bytes(data[i:i + 1]) if code == 10 else data[i]


def _values(code, data):
    """The column as a sequence of Python values."""
    return QVector(code, data).tolist() if code in (2, 10) else data


def _key(v):
    """What stands for a value of a list column in the table of known values."""
    if isinstance(v, (str, bytes)):
        return v
    if isinstance(v, QVector) and v.type == 10:
        return v.data
    if isinstance(v, qipc.QEnum):
        raise TypeError("an enumeration inside a list column")
    if isinstance(v, QVector) and v.attr:
        v = QVector(v.type, v.data)
    return (qipc.encode(v, canon=True),)


class _Known:
    """Numbers for symbols and list values, the same for equal values in every source."""

    def __init__(self):
        self.ids = collections.defaultdict(itertools.count().__next__)

    def of(self, code, values):
        if code != 11:
            values = map(_key, values)
        return array.array("q", map(self.ids.__getitem__, values))


class Columns:
    """Rows by column, in the order of a schema."""

    def __init__(self, codes):
        self.codes = codes
        self.data = [_new(c) for c in codes]

    def __len__(self):
        return _count(self.codes[0], self.data[0])

    def row(self, i):
        return tuple(_item(c, d, i) for c, d in zip(self.codes, self.data))

    def rows(self):
        return zip(*(_values(c, d) for c, d in zip(self.codes, self.data)))

    def hashes(self, known):
        """One 64-bit number a row, equal for equal rows (all NaNs are one value)."""
        out = array.array("q")
        for low in range(0, len(self), CHUNK):
            high = min(low + CHUNK, len(self))
            planes = []
            for code, data in zip(self.codes, self.data):
                part = _slice(code, data, low, high)
                if code in FLOATS and any(x != x for x in part):
                    part = array.array(part.typecode, (NAN if x != x else x for x in part))
                if code not in CODE and code not in (2, 10):
                    part = known.of(code, part)
                planes.append((bytes(part), WIDTH.get(code, 8)))
            width = sum(w for _, w in planes)
            buf, at = bytearray(width * (high - low)), 0
            for raw, w in planes:
                for k in range(w):
                    buf[at + k::width] = raw[k::w]
                at += w
            out.extend(map(hash, struct.iter_unpack(f"{width}s", buf)))
        return out


def _columns_of(source, schema):
    """The rows of a splayed table, a q table, or a list of tuples, checked against the schema."""
    out = Columns([code for _, code in schema])
    if isinstance(source, Columns):
        return source
    if isinstance(source, kdbfiles.Splay):
        types = source.types()
        wanted = {name: code for name, code in schema}
        assert types == wanted, f"{source.path}: columns {types}, the model has {wanted}"
        for (name, code), data in zip(schema, out.data):
            _extend(code, data, source.column(name))
        return out
    if isinstance(source, qipc.QDict):
        source = qipc.unkey(source)
    if isinstance(source, QTable):
        assert set(source.columns) == {n for n, _ in schema}, \
            f"columns {source.names()}, the model has {[n for n, _ in schema]}"
        for (name, code), data in zip(schema, out.data):
            c = source[name]
            got = c.type if isinstance(c, QVector) else 0
            assert got == code or (not len(c) and code == 0), \
                f"column {name} is {NAMES.get(got, 'list')}, not {NAMES.get(code, 'list')}"
            _extend(code, data, c.data if isinstance(c, QVector) else list(c))
        return out
    rows = list(source)
    for at, (code, data) in enumerate(zip(out.codes, out.data)):
        _extend(code, data, [r[at] for r in rows])
    return out


# ---------------------------------------------------------------------------------------- report

class Report:
    """What differs: (row, times) of rows missing, there too often, and never published."""

    def __init__(self, rows_expected, rows_found):
        self.expected, self.found = rows_expected, rows_found
        self.missing, self.doubled, self.foreign = [], [], []
        self.counts = {"missing": 0, "doubled": 0, "foreign": 0}

    @property
    def ok(self):
        return not any(self.counts.values())

    def __str__(self):
        lines = [f"{self.expected} rows expected, {self.found} found"]
        for kind in ("missing", "doubled", "foreign"):
            total = self.counts[kind]
            if total:
                lines.append(f"{total} {kind}:")
                shown = getattr(self, kind)
                lines += [f"  {row} ({times} times)" for row, times in shown]
                lines += ["  ..."] if total > sum(t for _, t in shown) else []
        return "\n".join(lines)


def _count_runs(*sorted_hashes):
    """(hash, count in each list) for every hash, ascending."""
    groups = [itertools.groupby(h) for h in sorted_hashes]
    heads = [next(g, None) for g in groups]
    while any(h is not None for h in heads):
        low = min(h[0] for h in heads if h is not None)
        counts = []
        for i, h in enumerate(heads):
            if h is not None and h[0] == low:
                counts.append(sum(1 for _ in h[1]))
                heads[i] = next(groups[i], None)
            else:
                counts.append(0)
        yield low, counts


def _compare(must, maybe, found):
    """Report over three lists of (Columns, hashes)."""
    def flat(parts):
        every = array.array("q")
        for _, h in parts:
            every.extend(h)
        return array.array("q", sorted(every))

    def find(parts, wanted):
        for cols, hashes in parts:
            if wanted:
                for i, h in enumerate(hashes):
                    if h in wanted:
                        yield cols.row(i), wanted.pop(h)
                        if not wanted:
                            return
    def total(parts):
        return sum(len(h) for _, h in parts), sum(sum(h) for _, h in parts)
    # Equal counts and equal sums of random 64-bit numbers: the same rows, without sorting them.
    out = Report(total(must)[0], total(found)[0])
    if not total(maybe)[0] and total(must) == total(found):
        return out
    a, b, c = flat(must), flat(maybe), flat(found)
    bad = {"missing": {}, "doubled": {}, "foreign": {}}
    for h, (need, allowed, got) in _count_runs(a, b, c):
        if need <= got <= need + allowed:
            continue
        kind = "missing" if got < need else "doubled" if need + allowed else "foreign"
        times = need - got if got < need else got - need - allowed
        out.counts[kind] += times
        if len(bad[kind]) < SHOWN:
            bad[kind][h] = times
    out.missing = list(find(must, bad["missing"]))
    out.doubled = list(find(found, bad["doubled"]))
    out.foreign = list(find(found, bad["foreign"]))
    return out


# ----------------------------------------------------------------------------------------- model

class Model:
    """Acknowledged rows of one table. `columns`: (name, type name) pairs, 'string' for a column of
    strings, '' for mixed; `prtn_col` names the time column."""

    def __init__(self, columns, prtn_col):
        self.schema = [(n, 0 if t in ("string", "") else CODES[t]) for n, t in columns]
        self.names = [n for n, _ in self.schema]
        self.prtn_col = prtn_col
        self.kept = Columns([c for _, c in self.schema])
        self.doubted = Columns([c for _, c in self.schema])
        self.marks = [0]            # row counts after each batch, for answers given meanwhile
        self._known = _Known()
        self._hashes = array.array("q")

    def __len__(self):
        return len(self.kept)

    def add(self, rows):
        """Rows as tuples in the order of the schema, or a q table."""
        self._append(self.kept, rows)
        self.marks.append(len(self.kept))

    def add_columns(self, *columns):
        """The same by column: arrays or lists in the order of the schema."""
        assert len(columns) == len(self.schema)
        for code, data, values in zip(self.kept.codes, self.kept.data, columns):
            _extend(code, data, values)
        assert len({_count(c, d) for c, d in zip(self.kept.codes, self.kept.data)}) == 1
        self.marks.append(len(self.kept))

    def doubt(self, rows):
        self._append(self.doubted, rows)

    def _append(self, to, rows):
        new = _columns_of(rows, self.schema)
        for code, data, more in zip(to.codes, to.data, new.data):
            _extend(code, data, more)

    def _kept_hashes(self):
        done = len(self._hashes)
        if done < len(self.kept):
            tail = Columns(self.kept.codes)
            tail.data = [_slice(c, d, done, len(self.kept))
                         for c, d in zip(self.kept.codes, self.kept.data)]
            self._hashes.extend(tail.hashes(self._known))
        return self._hashes

    def _hashed(self, sources):
        if isinstance(sources, (kdbfiles.Splay, QTable, qipc.QDict, Columns)):
            sources = [sources]
        elif isinstance(sources, kdbfiles.PartitionedTable):
            sources = sources.splays()
        elif isinstance(sources, list) and sources and isinstance(sources[0], tuple):
            sources = [sources]
        found = [_columns_of(s, self.schema) for s in sources]
        return [(c, c.hashes(self._known)) for c in found]

    def compare(self, sources):
        """A Report over the union of `sources`: splayed tables, partitioned tables, q tables or
        lists of tuples."""
        must = [(self.kept, self._kept_hashes())]
        maybe = [(self.doubted, self.doubted.hashes(self._known))]
        return _compare(must, maybe, self._hashed(sources))

    def assert_same(self, sources, what="rows"):
        report = self.compare(sources)
        assert report.ok, f"{what}: {report}"
        return report

    def assert_prefix(self, sources, what="rows"):
        """The rows of `sources` are exactly those of the first n batches; returns their number.
        What a watermark in the stream of one publisher must give."""
        found = self._hashed(sources)
        rows = sum(len(h) for _, h in found)
        assert rows in set(self.marks), f"{what}: {rows} rows are no whole number of batches"
        must = [(self.kept, self._kept_hashes()[:rows])]
        report = _compare(must, [], found)
        assert report.ok, f"{what}, first {rows} rows: {report}"
        return rows

    def settle(self, sources):
        """Decides the doubted rows after a recovery: those that are there count as acknowledged
        from now on (in their own order, after the rest), the others are dropped. Raises as
        assert_same."""
        self.assert_same(sources, "settle")
        got = collections.Counter()
        for _, hashes in self._hashed(sources):
            got.update(hashes)
        got.subtract(self._kept_hashes())
        kept = []
        for i, h in enumerate(self.doubted.hashes(self._known)):
            if got[h] > 0:
                got[h] -= 1
                kept.append(self.doubted.row(i))
        self.doubted = Columns(self.kept.codes)
        if kept:
            self.add(kept)
        return len(kept)

    # -------------------------------------------------------------------------------- getData

    def get_data(self, args, upto=None):
        """The Answer to getData with these arguments, over the first `upto` rows (default all).

        Keys: startTS, endTS (ns or text), filter, groupBy, agg, sortCols, limit, fill,
        temporality, slice. Filters are (operator, column, value) with Python values; values of
        temporal columns are raw numbers or, for timestamps, text."""
        known = {"table", "startTS", "endTS", "filter", "groupBy", "agg", "sortCols", "limit",
                 "fill", "temporality", "slice", "options", "scope", "labels"}
        assert set(args) <= known, f"arguments {set(args) - known}"
        return _Evaluation(self, args, len(self) if upto is None else upto).answer()

    def check_answer(self, args, got, upto=None):
        """Raises AssertionError unless `got` (a q table) is a right answer to `args`."""
        self.get_data(args, upto).check(got)

    def check_answer_between(self, args, got, low, high):
        """For answers given while rows went in: right for the first n rows, n being one of the
        batch ends from `low` to `high`. Returns n."""
        why = None
        for n in [m for m in dict.fromkeys(self.marks) if low <= m <= high]:
            try:
                self.check_answer(args, got, n)
                return n
            except AssertionError as e:
                why = e
        raise AssertionError(f"no state from {low} to {high} rows gives this answer; last: {why}")


# ------------------------------------------------------------------------------------ evaluation

SUM_TYPE = {1: 6, 4: 6, 5: 6, 6: 6, 7: 7, 8: 8, 9: 9, 12: 12, 13: 13, 14: 14, 15: 15, 16: 16,
            17: 17, 18: 18, 19: 19}
PAIRED = ("wavg", "wsum", "cor", "cov", "scov")
ANY_NUMBER = "number"


def order_key(code):
    """A key that sorts values of a type as q does: NaN before everything."""
    if code in FLOATS:
        return lambda v: -math.inf if v != v else v
    return None


def like(pattern):
    """A compiled matcher of q's `like`: * ? [abc] [^abc] [a-z] over bytes."""
    raw, out, i = qipc.text_bytes(pattern), b"", 0
    while i < len(raw):
        c = raw[i:i + 1]
        end = raw.find(b"]", i + 2) if c == b"[" else -1
        if c == b"*":
            out += b".*"
        elif c == b"?":
            out += b"."
        elif end > 0:
            inner = raw[i + 1:end]
            out += b"[" + (b"^" if inner[:1] == b"^" else b"")
            inner = inner[1:] if inner[:1] == b"^" else inner
            out += inner.replace(b"\\", b"\\\\").replace(b"[", b"\\[").replace(b"^", b"\\^") + b"]"
            i = end
        else:
            out += re.escape(c)
        i += 1
    return re.compile(out, re.S).fullmatch


def _wrap(code, v):
    bits = 8 * WIDTH[code]
    return (v + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)


def aggregate(name, code, x, w=None, wcode=None):
    """(type, value) of one aggregation over a list of values, with q's null rules. For the paired
    functions `w` is the first operand (the weights) and `x` the second."""
    if name == "count":
        return 7, len(x)
    if name in ("first", "last"):
        if not x:
            return code, b"" if code == 0 else NULL[code]
        return code, x[0 if name == "first" else -1]
    if name == "distinct":
        return 0, list(dict.fromkeys(NAN if v != v else v for v in x))
    if code in (0, 2, 11) or (code == 10 and name in ("sum", "prd", "wsum")):
        raise NotDefined(f"{name} of {NAMES.get(code, 'a list')}")
    if code == 10:
        x = [v if isinstance(v, bytes) else bytes((v,)) for v in x]
    if name in ("all", "any"):
        flags = [v != 0 if code != 10 else v != b"\0" for v in x]
        return 1, int(all(flags) if name == "all" else any(flags))
    if name in ("min", "max"):
        good = [v for v in x if code == 10 or not qipc.is_null(code, v)]
        if not good and code not in INF:
            raise NotDefined(f"{name} of no {NAMES[code]}")
        if not good:
            return code, INF[code] if name == "min" else -INF[code]
        return code, min(good) if name == "min" else max(good)
    if code == 10:
        raise NotDefined(f"{name} of char")
    if name in PAIRED:
        if wcode in (0, 2, 10, 11):
            raise NotDefined(f"{name} with {NAMES.get(wcode, 'a list')}")
        pairs = [(a, b) for a, b in zip(w, x)
                 if not qipc.is_null(wcode, a) and not qipc.is_null(code, b)]
        return _paired(name, pairs)
    good = [v for v in x if not qipc.is_null(code, v)]
    if name == "sum":
        total = math.fsum(good) if code in FLOATS else sum(good)
        return SUM_TYPE[code], total if code in FLOATS else _wrap(SUM_TYPE[code], total)
    if name == "prd":
        total = math.prod(good)
        return SUM_TYPE[code], total if code in FLOATS else _wrap(SUM_TYPE[code], total)
    n = len(good)
    if name == "avg":
        return 9, math.fsum(good) / n if n else NAN
    if name in ("var", "dev", "svar", "sdev"):
        less = n - (name[0] == "s")
        if not n or not less:
            return 9, NAN
        mean = math.fsum(good) / n
        v = math.fsum((g - mean) ** 2 for g in good) / less
        return 9, math.sqrt(v) if name.endswith("dev") else v
    raise NotDefined(f"aggregation {name}")


def _paired(name, pairs):
    n = len(pairs)
    if name == "wsum":
        return ANY_NUMBER, math.fsum(a * b for a, b in pairs)
    if name == "wavg":
        weight = math.fsum(a for a, _ in pairs)
        total = math.fsum(a * b for a, b in pairs)
        return 9, total / weight if weight else NAN if not total else math.copysign(math.inf, total)
    if not n or (name == "scov" and n == 1):
        return 9, NAN
    ma, mb = math.fsum(a for a, _ in pairs) / n, math.fsum(b for _, b in pairs) / n
    cov = math.fsum((a - ma) * (b - mb) for a, b in pairs) / n
    if name == "cov":
        return 9, cov
    if name == "scov":
        return 9, cov * n / (n - 1)
    spread = math.sqrt(math.fsum((a - ma) ** 2 for a, _ in pairs) / n
                       * (math.fsum((b - mb) ** 2 for _, b in pairs) / n))
    return 9, cov / spread if spread else NAN


class _Evaluation:
    def __init__(self, model, args, upto):
        self.m, self.args, self.upto = model, args, upto
        self.code = dict(model.schema)
        self.columns = {}

    def column(self, name):
        """The values of a column over the rows that are asked about."""
        if name not in self.columns:
            at = self.m.names.index(name)
            code = self.m.kept.codes[at]
            data = _slice(code, self.m.kept.data[at], 0, self.upto)
            self.columns[name] = _values(code, data)
        return self.columns[name]

    def chosen(self):
        """Row numbers that pass the time range and the filters, by time, then stream position."""
        args = self.args
        rows = range(self.upto)
        times = self.column(self.m.prtn_col)
        low, high = (_time(args.get(k)) for k in ("startTS", "endTS"))
        if args.get("temporality") == "slice":
            rows = self._slice(rows, times, low, high)
        else:
            if low is not None:
                rows = [i for i in rows if times[i] >= low]
            if high is not None:
                rows = [i for i in rows if times[i] < high]
        for f in args.get("filter") or ():
            test = self.test(f)
            rows = [i for i in rows if test(i)]
        return sorted(rows, key=times.__getitem__)

    def _slice(self, rows, times, low, high):
        window = self.args.get("slice") or (low % DAY_NS, high % DAY_NS)
        first, last = low // DAY_NS, high // DAY_NS
        return [i for i in rows if first <= times[i] // DAY_NS <= last
                and window[0] <= times[i] % DAY_NS < window[1]]

    def test(self, f):
        """A function of a row number for one filter node."""
        op = f[0]
        if op in ("and", "or", "not"):
            inner = [self.test(g) for g in f[1:]]
            if op == "and":
                return lambda i: all(t(i) for t in inner)
            if op == "or":
                return lambda i: any(t(i) for t in inner)
            assert len(inner) == 1, f
            return lambda i: not inner[0](i)
        _, name, value = f
        code, col = self.code[name], self.column(name)
        if op == "like":
            match = like(value)
            if code == 11:
                known = {}
                return lambda i: known[col[i]] if col[i] in known else known.setdefault(
                    col[i], bool(match(qipc.text_bytes(col[i]))))
            return lambda i: bool(match(col[i]))
        key = order_key(code) or (lambda v: v)

        def fit(v):
            v = NULL[code] if v is None and code else v
            v = _time(v) if code == 12 else v
            return key(v)
        if op == "in":
            among = set(map(fit, value))
            return lambda i: key(col[i]) in among
        if op == "within":
            a, b = map(fit, value)
            return lambda i: a <= key(col[i]) <= b
        v = fit(value)
        return {"=": lambda i: key(col[i]) == v, "<>": lambda i: key(col[i]) != v,
                "<": lambda i: key(col[i]) < v, ">": lambda i: key(col[i]) > v,
                "<=": lambda i: key(col[i]) <= v, ">=": lambda i: key(col[i]) >= v}[op]

    def selects(self):
        """(result name, function or None, columns) of what is asked besides the groups."""
        groups = self.args.get("groupBy") or []
        agg = self.args.get("agg")
        if not agg:
            return [(n, None, (n,)) for n in self.m.names if n not in groups]
        out = []
        for a in agg:
            if isinstance(a, str):
                out.append((a, None, (a,)))
            elif len(a) == 2:
                out.append((a[0], None, (a[1],)))
            else:
                cols = (a[2],) if isinstance(a[2], str) else tuple(a[2])
                cols += tuple(a[3:])
                assert len(cols) == (2 if a[1] in PAIRED else 1), a
                out.append((a[0], a[1], cols))
        return out

    def answer(self):
        rows = self.chosen()
        groups = list(self.args.get("groupBy") or [])
        selects = self.selects()
        functions = {bool(fn) for _, fn, _ in selects}
        if functions == {True, False} or (groups and functions == {False}):
            raise NotDefined("columns beside aggregations, or groups without")
        out = Answer(len(groups))
        if functions == {True}:
            self._aggregate(out, rows, groups, selects)
        else:
            for name, _, (col,) in selects:
                data = self.column(col)
                out.add(name, self.code[col], [data[i] for i in rows])
        if self.args.get("fill"):
            out.fill(self.args["fill"])
        out.sort(self.args.get("sortCols"))
        out.cut(self.args.get("limit"))
        return out

    def _aggregate(self, out, rows, groups, selects):
        buckets = {}
        keys = [(self.column(g), order_key(self.code[g])) for g in groups]
        for i in rows:
            k = tuple(f(c[i]) if f else c[i] for c, f in keys)
            buckets.setdefault(k, []).append(i)
        if not groups and not buckets:
            buckets[()] = []
        order = sorted(buckets)
        for (data, _), g in zip(keys, groups):
            out.add(g, self.code[g], [data[buckets[k][0]] for k in order])
        for name, fn, cols in selects:
            xs, code = self.column(cols[-1]), self.code[cols[-1]]
            ws, wcode = None, None
            if len(cols) == 2:
                ws, wcode = self.column(cols[0]), self.code[cols[0]]
            results = [aggregate(fn, code, [xs[i] for i in buckets[k]],
                                 ws and [ws[i] for i in buckets[k]], wcode) for k in order]
            # the type does not depend on the rows, so ask for it when there are none
            kind = results[0][0] if results else aggregate(fn, code, [], [], wcode)[0]
            out.add(name, kind, [v for _, v in results], distinct=fn == "distinct", exact=fn in (
                "count", "first", "last", "min", "max", "all", "any", "distinct"))


def _time(v):
    return qipc.parse_timestamp(v) if isinstance(v, str) else v


class Answer:
    """The right answer: columns with types, and how freely an answer may differ from it (order of
    rows, rounding of floats, which rows a limit lets through)."""

    def __init__(self, group_count=0):
        self.names, self.types, self.columns = [], [], []
        self.inexact, self.distinct = set(), set()
        self.group_count = group_count
        self.sorted_by, self.limit, self.whole = [], None, None

    def __len__(self):
        return len(self.columns[0]) if self.columns else 0

    def add(self, name, code, values, distinct=False, exact=True):
        if not exact and code in FLOATS + (ANY_NUMBER,):
            self.inexact.add(len(self.names))
        if distinct:
            self.distinct.add(len(self.names))
        self.names.append(name)
        self.types.append(code)
        self.columns.append(list(values))

    def rows(self):
        return list(zip(*self.columns))

    def fill(self, how):
        for at, (code, col) in enumerate(zip(self.types, self.columns)):
            if at < self.group_count or code not in NULL or code in (2, 10, 11):
                continue
            last, zero = None, 0.0 if code in FLOATS else 0
            for i, v in enumerate(col):
                if qipc.is_null(code, v):
                    col[i] = zero if how == "zero" else v if last is None else last
                else:
                    last = v
            assert how in ("zero", "forward"), how

    def sort(self, sort_cols):
        """sortCols: names, each perhaps followed by asc or desc."""
        for c in sort_cols or ():
            if c in ("asc", "desc") and self.sorted_by:
                self.sorted_by[-1][1] = c == "desc"
            else:
                self.sorted_by.append([self.names.index(c), False])
        for at, down in reversed(self.sorted_by):
            key = order_key(self.types[at])
            col = self.columns[at]
            order = sorted(range(len(self)), reverse=down,
                           key=lambda i: key(col[i]) if key else col[i])
            self.columns = [[c[i] for i in order] for c in self.columns]

    def cut(self, limit):
        if limit is None:
            return
        if not isinstance(limit, int):
            raise NotDefined(f"limit {limit!r}")
        self.limit, self.whole = limit, self.rows()
        part = slice(0, limit) if limit >= 0 else slice(limit, None)
        self.columns = [c[part] for c in self.columns]

    # ---------------------------------------------------------------------------- comparison

    def check(self, got):
        """Raises AssertionError unless the q table `got` is this answer."""
        table = qipc.unkey(got)
        assert table.names() == self.names, f"columns {table.names()}, expected {self.names}"
        for at, (name, code) in enumerate(zip(self.names, self.types)):
            c = table[name]
            kind = c.type if isinstance(c, QVector) else 0
            right = kind in (6, 7, 8, 9) if code == ANY_NUMBER else kind == code
            right = right or (code == 0 and not len(self) and not len(c))
            assert right, f"column {name} is {NAMES.get(kind, 'a list')}, expected " \
                          f"{NAMES.get(code, code or 'a list')}"
        assert len(table) == len(self), f"{len(table)} rows, expected {len(self)}"
        rows = self._plain_rows(table)
        for at, down in self.sorted_by:
            self._check_key(at, [r[at] for r in rows])
        if self.limit is None:
            self._match(rows, self.rows())
        else:
            self._match(rows, self.whole, subset=True)

    def _plain_rows(self, table):
        cols = []
        for at, name in enumerate(self.names):
            c = table[name]
            if isinstance(c, QVector):
                cols.append(c.tolist())
            elif at in self.distinct:
                cols.append([list(v) for v in c])
            else:
                cols.append([v.data if isinstance(v, QVector) and v.type == 10 else v for v in c])
        return list(zip(*cols))

    def _check_key(self, at, got):
        want = self.columns[at]
        for i, (a, b) in enumerate(zip(got, want)):
            assert self._near(at, a, b), \
                f"row {i} is out of order: {self.names[at]} {a!r}, not {b!r}"

    def _near(self, at, a, b):
        code = self.types[at]
        if at in self.distinct:
            fold = lambda vs: {"nan" if v != v else v for v in vs}
            return len(a) == len(b) and fold(a) == fold(b)
        if code in FLOATS or code == ANY_NUMBER:
            if a != a or b != b:
                return a != a and b != b
            if at in self.inexact:
                tight = 1e-5 if code == 8 else 1e-9
                return a == b or math.isclose(a, b, rel_tol=tight, abs_tol=1e-9)
        return a == b

    def _hashable(self, at, v):
        if at in self.distinct:
            return tuple(sorted("nan" if x != x else repr(x) for x in v))
        if isinstance(v, float) and v != v:
            return "nan"
        return _key(v) if isinstance(v, qipc.Value) else v

    def _match(self, got, want, subset=False):
        """Pairs rows by their exact columns and compares the rounded ones within a pair."""
        exact = [i for i in range(len(self.names)) if i not in self.inexact]
        loose = sorted(self.inexact)

        def split(rows):
            out = {}
            for r in rows:
                k = tuple(self._hashable(i, r[i]) for i in exact)
                out.setdefault(k, []).append(tuple(r[i] for i in loose))
            return out
        ours, theirs = split(want), split(got)
        for k, rows in theirs.items():
            assert k in ours, f"row {k} must not be in the answer"
            assert len(rows) <= len(ours[k]), f"row {k}: {len(rows)} times, expected {len(ours[k])}"
            left = sorted(ours[k], key=repr)
            for r in sorted(rows, key=repr):
                for j, o in enumerate(left):
                    if all(self._near(i, a, b) for i, a, b in zip(loose, r, o)):
                        del left[j]
                        break
                else:
                    names = [self.names[i] for i in loose]
                    raise AssertionError(f"row {k}: {dict(zip(names, r))}, expected one of "
                                         f"{[dict(zip(names, o)) for o in left[:3]]}")
        if not subset:
            lost = [k for k, rows in ours.items() if len(theirs.get(k, ())) < len(rows)]
            assert not lost, f"{len(lost)} rows are missing from the answer, first {lost[0]}"


def payload_of(answer):
    """The table of a getData answer over q IPC: (header; payload)."""
    if isinstance(answer, QList) and len(answer) == 2:
        return answer[1]
    return answer
