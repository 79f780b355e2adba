"""An independent q IPC client: values with their exact q types, their bytes, and a connection.

Written from the description of the protocol alone. A value is one of

    QAtom(type, value)             type is the positive code 1..19
    QVector(type, data, attr)      data: array.array; bytes for char, guid; list of str for symbol
    QList(items, attr)             general list
    QDict(keys, values, sorted)    keys and values are lists, or tables for a keyed table
    QTable(columns, attr)          columns: dict of name to QVector or QList
    QEnum(domain, data, attr)      enumerated vector, met in files only
    QLambda, QPrimitive, QCompound functions, opaque

Temporal values and nulls stay raw integers; float nulls are NaN. Symbols are str, decoded as
UTF-8 with surrogateescape so that any bytes survive a round trip. Two values are equal when their
types, attributes and contents are, every NaN being equal to every other.
"""
import array
import collections
import datetime
import math
import socket
import struct
import sys

NAMES = {1: "boolean", 2: "guid", 4: "byte", 5: "short", 6: "int", 7: "long", 8: "real",
         9: "float", 10: "char", 11: "symbol", 12: "timestamp", 13: "month", 14: "date",
         15: "datetime", 16: "timespan", 17: "minute", 18: "second", 19: "time"}
CODES = {name: code for code, name in NAMES.items()}
WIDTH = {1: 1, 2: 16, 4: 1, 5: 2, 6: 4, 7: 8, 8: 4, 9: 8, 10: 1, 12: 8, 13: 4, 14: 4, 15: 8,
         16: 8, 17: 4, 18: 4, 19: 4}
# Array typecodes: the types whose vectors are kept as array.array.
CODE = {1: "B", 4: "B", 5: "h", 6: "i", 7: "q", 8: "f", 9: "d", 12: "q", 13: "i", 14: "i",
        15: "d", 16: "q", 17: "i", 18: "i", 19: "i"}
FLOATS = (8, 9, 15)
NAN = struct.unpack("<d", bytes.fromhex("000000000000f8ff"))[0]
NULL = {1: 0, 2: bytes(16), 4: 0, 5: -2**15, 6: -2**31, 7: -2**63, 8: NAN, 9: NAN, 10: b" ",
        11: "", 12: -2**63, 13: -2**31, 14: -2**31, 15: NAN, 16: -2**63, 17: -2**31, 18: -2**31,
        19: -2**31}
INF = {5: 2**15 - 1, 6: 2**31 - 1, 7: 2**63 - 1, 8: math.inf, 9: math.inf, 12: 2**63 - 1,
       13: 2**31 - 1, 14: 2**31 - 1, 15: math.inf, 16: 2**63 - 1, 17: 2**31 - 1, 18: 2**31 - 1,
       19: 2**31 - 1}
ATTRS = {"": 0, "s": 1, "u": 2, "p": 3, "g": 4}
ASYNC, SYNC, RESPONSE = 0, 1, 2
DEPTH_MAX = 200
SIZE_MAX = 1 << 34

for _code, _size in (("h", 2), ("i", 4), ("q", 8), ("f", 4), ("d", 8)):
    assert array.array(_code).itemsize == _size


class Malformed(Exception):
    """Bytes that no sender may send."""


class QError(Exception):
    """An error reply; the text is the q error without its leading quote."""


class AccessDenied(Exception):
    """The server closed the connection during the handshake."""


class Closed(Exception):
    """The peer closed the connection."""


def is_null(code, value):
    """Whether `value` is the null of q type `code`; boolean and byte have none."""
    if value is None:
        return True
    if code in FLOATS:
        return value != value
    if code in (1, 4) or code not in NULL:
        return False
    return value == NULL[code]


def text_bytes(value):
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(value)


def bytes_text(value):
    return bytes(value).decode("utf-8", "surrogateescape")


# ---------------------------------------------------------------------------------------- values

class Value:
    __slots__ = ()
    __hash__ = None

    def __eq__(self, other):
        return isinstance(other, Value) and encode(self, canon=True) == encode(other, canon=True)


class QAtom(Value):
    __slots__ = ("type", "value")

    def __init__(self, code, value):
        self.type = code
        self.value = NULL[code] if value is None else value

    def __repr__(self):
        return f"{NAMES[self.type]}({self.value!r})"


class QVector(Value):
    __slots__ = ("type", "data", "attr")

    def __init__(self, code, data, attr=0):
        self.type, self.attr = code, attr
        if code == 11:
            self.data = ["" if s is None else s for s in data]
        elif code == 10:
            if not isinstance(data, (bytes, bytearray, memoryview)):
                data = b"".join(b" " if c is None else c for c in data)
            self.data = bytes(data)
        elif code == 2:
            if not isinstance(data, (bytes, bytearray, memoryview)):
                data = b"".join(bytes(16) if g is None else guid_bytes(g) for g in data)
            self.data = bytes(data)
            if len(self.data) % 16:
                raise ValueError("a guid has 16 bytes")
        elif isinstance(data, array.array) and data.typecode == CODE[code]:
            self.data = data
        else:
            self.data = array.array(CODE[code], (NULL[code] if v is None else v for v in data))

    def __len__(self):
        return len(self.data) // 16 if self.type == 2 else len(self.data)

    def __getitem__(self, i):
        if i < 0:
            i += len(self)
        if not 0 <= i < len(self):
            raise IndexError(i)
        if self.type == 2:
            return self.data[16 * i:16 * i + 16]
        return self.data[i:i + 1] if self.type == 10 else self.data[i]

    def tolist(self):
        """Python values, one an item: int, float, str (symbol), bytes (char, guid)."""
        if self.type == 2:
            return [self.data[i:i + 16] for i in range(0, len(self.data), 16)]
        if self.type == 10:
            return [bytes((c,)) for c in self.data]
        return list(self.data)

    def __iter__(self):
        return iter(self.tolist())

    def __repr__(self):
        shown = bytes(self.data[:60]) if self.type == 10 else self.tolist()[:8]
        mark = "" if not self.attr else f", attr={self.attr}"
        return f"QVector({NAMES[self.type]}, n={len(self)}, {shown!r}{mark})"


class QEnum(Value):
    """Positions in a domain; `names` turns them into a symbol vector. Lives in files only."""
    __slots__ = ("domain", "data", "attr")

    def __init__(self, domain, data, attr=0):
        self.domain, self.data, self.attr = domain, data, attr

    def __len__(self):
        return len(self.data)

    def __eq__(self, other):
        return (isinstance(other, QEnum) and self.domain == other.domain
                and list(self.data) == list(other.data) and self.attr == other.attr)

    def null(self):
        return -2**63 if self.data.itemsize == 8 else -2**31

    def names(self, domain):
        """The symbols behind the positions, as a list of str; the null is the empty symbol."""
        null = self.null()
        if self.data and (min(self.data) < 0 or max(self.data) >= len(domain)):
            for i in self.data:
                if i != null and not 0 <= i < len(domain):
                    raise IndexError(f"position {i} is outside a domain of {len(domain)} symbols")
            return ["" if i == null else domain[i] for i in self.data]
        return list(map(domain.__getitem__, self.data))

    def __repr__(self):
        return f"QEnum({self.domain!r}, n={len(self)}, {list(self.data[:8])!r}, attr={self.attr})"


class QList(Value):
    __slots__ = ("items", "attr")

    def __init__(self, items, attr=0):
        self.items, self.attr = list(items), attr

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]

    def __iter__(self):
        return iter(self.items)

    def __repr__(self):
        return f"QList({self.items!r})"


class QDict(Value):
    __slots__ = ("keys", "values", "sorted")

    def __init__(self, keys, values, is_sorted=False):
        self.keys, self.values, self.sorted = keys, values, is_sorted
        if count(keys) != count(values):
            raise ValueError("keys and values differ in count")

    def __len__(self):
        return count(self.keys)

    def __getitem__(self, name):
        """The value under a symbol key, as a q value when the values are a general list, else as
        a Python value."""
        for at, key in enumerate(self.keys):
            if (key.value if isinstance(key, QAtom) else key) == name:
                return self.values[at]
        raise KeyError(name)

    def get(self, name, default=None):
        try:
            return self[name]
        except KeyError:
            return default

    def is_keyed_table(self):
        return isinstance(self.keys, QTable) and isinstance(self.values, QTable)

    def __repr__(self):
        return f"QDict({self.keys!r}, {self.values!r})"


class QTable(Value):
    __slots__ = ("columns", "attr")

    def __init__(self, columns, attr=0):
        self.columns, self.attr = dict(columns), attr
        sizes = {name: count(c) for name, c in self.columns.items()}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"columns differ in count: {sizes}")

    def __len__(self):
        return count(next(iter(self.columns.values()))) if self.columns else 0

    def names(self):
        return list(self.columns)

    def __getitem__(self, name):
        return self.columns[name]

    def rows(self):
        """Python tuples, one a row."""
        return list(zip(*(to_py(c) for c in self.columns.values())))

    def __repr__(self):
        return f"QTable({self.columns!r})"


class QLambda(Value):
    __slots__ = ("namespace", "body")

    def __init__(self, namespace, body):
        self.namespace, self.body = namespace, body

    def __repr__(self):
        return f"QLambda({self.namespace!r}, {self.body!r})"


class QPrimitive(Value):
    """Types 101, 102, 103: one code byte. QPrimitive(101, 0) is the generic null."""
    __slots__ = ("type", "code")

    def __init__(self, code_type, code):
        self.type, self.code = code_type, code

    def __repr__(self):
        if (self.type, self.code) == (101, 0):
            return "::"
        return f"QPrimitive({self.type}, {self.code})"


class QCompound(Value):
    """Types 104, 105 (projection, composition: several items) and 106..111 (derived: one item)."""
    __slots__ = ("type", "items")

    def __init__(self, code_type, items):
        self.type, self.items = code_type, list(items)

    def __repr__(self):
        return f"QCompound({self.type}, {self.items!r})"


class QErrorReply(Value):
    """The error marker as an object; only ever the whole body of a response."""
    __slots__ = ("text",)

    def __init__(self, text):
        self.text = text

    def __repr__(self):
        return f"QErrorReply({self.text!r})"


def count(value):
    """Items of a list, rows of a table, 1 for anything else."""
    return len(value) if hasattr(value, "__len__") else 1


# ---------------------------------------------------------------------------------- constructors

def null():
    return QPrimitive(101, 0)


def boolean(v):
    return QAtom(1, int(v))


def guid_bytes(v):
    if isinstance(v, (bytes, bytearray)):
        if len(v) != 16:
            raise ValueError("a guid has 16 bytes")
        return bytes(v)
    return bytes.fromhex(v.replace("-", "")) if isinstance(v, str) else v.bytes


def guid(v):
    return QAtom(2, bytes(16) if v is None else guid_bytes(v))


def byte(v):
    return QAtom(4, v)


def short(v):
    return QAtom(5, v)


def int_(v):
    return QAtom(6, v)


def long(v):
    return QAtom(7, v)


def real(v):
    return QAtom(8, v)


def float_(v):
    return QAtom(9, v)


def char(v):
    return QAtom(10, v.encode("latin-1") if isinstance(v, str) else v)


def sym(v):
    return QAtom(11, v)


def syms(*names):
    return QVector(11, names)


def text(v):
    """A string: a char vector."""
    return QVector(10, text_bytes(v))


def ts(v):
    """A timestamp from nanoseconds since 2000 or from text like 2024.01.02D03:04:05.6."""
    return QAtom(12, parse_timestamp(v) if isinstance(v, str) else v)


def date(v):
    """A date from days since 2000, a datetime.date, or text like 2024.01.02."""
    if isinstance(v, str):
        v = datetime.date(*map(int, v.replace("-", ".").split(".")))
    return QAtom(14, (v - EPOCH).days if isinstance(v, datetime.date) else v)


def span(v):
    return QAtom(16, v)


def vec(kind, data, attr=0):
    """A vector of the type called `kind` ('long', 'timestamp', ...); None stands for the null.
    `attr` is a number or one of s u p g."""
    return QVector(CODES[kind], data, ATTRS.get(attr, attr))


def lst(*items):
    """A list as q would hold it: atoms of one type collapse to a vector."""
    items = [from_py(i) for i in items]
    if items and all(isinstance(i, QAtom) and i.type == items[0].type for i in items):
        return QVector(items[0].type, [i.value for i in items])
    return QList(items)


def dict_(pairs):
    """A dictionary with symbol keys from a Python dict."""
    pairs = dict(pairs)
    return QDict(QVector(11, pairs), lst(*pairs.values()) if pairs else QList([]))


def table(columns):
    """A table from a dict of name to column. A plain Python list becomes a column by its items:
    int long, float float, bool boolean, str symbol, bytes a list of strings."""
    return QTable({name: column(c) for name, c in dict(columns).items()})


def column(data):
    if isinstance(data, Value):
        return data
    data = list(data)
    if data and all(isinstance(v, (bytes, bytearray)) for v in data):
        return QList(QVector(10, v) for v in data)
    if any(isinstance(v, Value) for v in data) or not data:
        return lst(*data)
    known = [v for v in data if v is not None]
    kinds = {type(v) for v in known}
    if kinds <= {int, float} and float in kinds:
        return QVector(9, data)
    if len(kinds) != 1 or kinds - {bool, int, str}:
        raise TypeError(f"no column type for {kinds}")
    return QVector({bool: 1, int: 7, str: 11}[kinds.pop()], data)


def from_py(v):
    """A q value for a Python value: str symbol, bytes string, int long, float float, bool boolean,
    None the generic null, list a list (collapsed), dict a dictionary."""
    if isinstance(v, Value):
        return v
    if v is None:
        return null()
    if isinstance(v, bool):
        return boolean(v)
    if isinstance(v, int):
        return long(v)
    if isinstance(v, float):
        return float_(v)
    if isinstance(v, str):
        return sym(v)
    if isinstance(v, (bytes, bytearray)):
        return text(v)
    if isinstance(v, datetime.date) and not isinstance(v, datetime.datetime):
        return date(v)
    if isinstance(v, dict):
        return dict_(v)
    if isinstance(v, (list, tuple)):
        return lst(*v)
    raise TypeError(f"no q value for {type(v)}")


def to_py(v):
    """Python values without q types: atoms and vectors plain, strings bytes, tables dicts of
    lists, dictionaries dicts (or pairs when a key cannot be hashed), generic null None."""
    if isinstance(v, QAtom):
        return v.value
    if isinstance(v, QVector):
        return v.data if v.type == 10 else v.tolist()
    if isinstance(v, QList):
        return [to_py(i) for i in v.items]
    if isinstance(v, QTable):
        return {name: to_py(c) for name, c in v.columns.items()}
    if isinstance(v, QDict):
        if v.is_keyed_table():
            return to_py(unkey(v))
        keys = to_py(v.keys)
        keys = [bytes((k,)) for k in keys] if isinstance(keys, bytes) else keys
        try:
            return dict(zip(keys, to_py(v.values)))
        except TypeError:
            return list(zip(keys, to_py(v.values)))
    if isinstance(v, QPrimitive) and (v.type, v.code) == (101, 0):
        return None
    return v


def unkey(v):
    """The plain table behind a keyed table; a table as it is."""
    if isinstance(v, QDict) and v.is_keyed_table():
        return QTable({**v.keys.columns, **v.values.columns})
    if isinstance(v, QTable):
        return v
    raise TypeError(f"not a table: {v!r}")


# ------------------------------------------------------------------------------------- temporals

EPOCH = datetime.date(2000, 1, 1)
DAY_NS = 86400 * 10**9


def parse_timestamp(s):
    """Nanoseconds since 2000 of `2024.01.02D03:04:05.123456789`, ISO form, or a date alone."""
    day, _, clock = s.replace("T", "D").partition("D")
    days = (datetime.date(*map(int, day.replace("-", ".").split("."))) - EPOCH).days
    ns = 0
    if clock:
        whole, _, fraction = clock.rstrip("Z").partition(".")
        h, m, sec = (list(map(int, whole.split(":"))) + [0, 0])[:3]
        ns = (h * 3600 + m * 60 + sec) * 10**9 + int((fraction + "0" * 9)[:9])
    return days * DAY_NS + ns


def date_text(days):
    d = EPOCH + datetime.timedelta(days=days)
    return f"{d.year:04d}.{d.month:02d}.{d.day:02d}"


def _clock(ns, digits):
    s, ns = divmod(ns, 10**9)
    base = f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}"
    return base + (f".{ns:09d}"[:1 + digits] if digits else "")


def show(code, v):
    """One value as text, roughly as q prints it; nulls are 'null'."""
    if code not in (10, 11) and is_null(code, v):
        return "null"
    if code in INF and v in (INF[code], -INF[code]) and code not in (8, 9):
        return "0W" if v > 0 else "-0W"
    if code == 12:
        return f"{date_text(v // DAY_NS)}D{_clock(v % DAY_NS, 9)}"
    if code == 13:
        return f"{2000 + v // 12:04d}.{v % 12 + 1:02d}"
    if code == 14:
        return date_text(v)
    if code == 15:
        ms = round(v * 86400000)
        return f"{date_text(ms // 86400000)}T{_clock(ms % 86400000 * 10**6, 3)}"
    if code == 16:
        sign = "-" if v < 0 else ""
        return f"{sign}{abs(v) // DAY_NS}D{_clock(abs(v) % DAY_NS, 9)}"
    if code == 17:
        return f"{v // 60:02d}:{v % 60:02d}"
    if code == 18:
        return _clock(v * 10**9, 0)
    if code == 19:
        return _clock(v * 10**6, 3)
    if code == 2:
        h = bytes(v).hex()
        return "-".join((h[:8], h[8:12], h[12:16], h[16:20], h[20:]))
    return v if isinstance(v, str) else repr(v)


# --------------------------------------------------------------------------------------- encoder

_PACK = {1: "B", 4: "B", 5: "h", 6: "i", 7: "q", 8: "f", 9: "d", 12: "q", 13: "i", 14: "i",
         15: "d", 16: "q", 17: "i", 18: "i", 19: "i"}
_NAN_BYTES = {8: b"\x00\x00\xc0\xff", 9: b"\x00\x00\x00\x00\x00\x00\xf8\xff"}


def _array_bytes(data, little, canon):
    if canon and data.typecode in "fd" and any(x != x for x in data):
        data = array.array(data.typecode, (NAN if x != x else x for x in data))
    if little != (sys.byteorder == "little"):
        data = array.array(data.typecode, data)
        data.byteswap()
    return data.tobytes()


def _put_head(out, code, attr, n, order):
    if n >= 1 << 32:
        out += struct.pack(order + "BBq", code, attr | 0x80, n)
    else:
        out += struct.pack(order + "BBI", code, attr, n)


def _put(out, v, little, canon):
    order = "<" if little else ">"
    if isinstance(v, QAtom):
        out.append(256 - v.type)
        if v.type == 11:
            out += _name(v.value)
        elif v.type in (2, 10):
            out += v.value
            if len(v.value) != WIDTH[v.type]:
                raise ValueError(f"{NAMES[v.type]} atom of {len(v.value)} bytes")
        elif v.type in FLOATS and v.value != v.value:
            raw = _NAN_BYTES[8 if v.type == 8 else 9]
            out += raw if little else raw[::-1]
        else:
            out += struct.pack(order + _PACK[v.type], v.value)
    elif isinstance(v, QVector):
        _put_head(out, v.type, v.attr, len(v), order)
        if v.type == 11:
            out += b"".join(map(_name, v.data))
        elif v.type in (2, 10):
            out += v.data
        else:
            out += _array_bytes(v.data, little, canon)
    elif isinstance(v, QList):
        _put_head(out, 0, v.attr, len(v), order)
        for item in v.items:
            _put(out, item, little, canon)
    elif isinstance(v, QTable):
        out += bytes((98, v.attr, 99))
        _put(out, QVector(11, v.columns), little, canon)
        _put(out, QList(v.columns.values()), little, canon)
    elif isinstance(v, QDict):
        out.append(127 if v.sorted else 99)
        _put(out, v.keys, little, canon)
        _put(out, v.values, little, canon)
    elif isinstance(v, QLambda):
        out.append(100)
        out += _name(v.namespace)
        _put(out, QVector(10, v.body), little, canon)
    elif isinstance(v, QPrimitive):
        out += bytes((v.type, v.code))
    elif isinstance(v, QCompound):
        out.append(v.type)
        if v.type <= 105:
            out += struct.pack(order + "i", len(v.items))
        for item in v.items:
            _put(out, item, little, canon)
    elif isinstance(v, QErrorReply):
        out.append(128)
        out += _name(v.text)
    else:
        raise TypeError(f"cannot encode {type(v).__name__}")


def _name(s):
    raw = text_bytes(s)
    if b"\0" in raw:
        raise ValueError("a symbol cannot hold a NUL")
    return raw + b"\0"


def encode(v, little=True, canon=False):
    """The body of a value, without message header. `canon` writes every NaN in the form a q
    process writes; otherwise NaNs inside vectors keep their bits."""
    out = bytearray()
    _put(out, v, little, canon)
    return bytes(out)


def message(v, kind=ASYNC, little=True):
    """A complete plain message around a value."""
    body = v if isinstance(v, (bytes, bytearray)) else encode(from_py(v), little)
    size = len(body) + 8
    head = struct.pack(("<" if little else ">") + "BBBBI", 1 if little else 0, kind, 0, size >> 32,
                       size & 0xffffffff)
    return head + body


# --------------------------------------------------------------------------------------- decoder

class Reader:
    """Takes values off a buffer; everything is checked against the end before it is used.
    `files` admits the enumerated vector (type 21) that exists only in files."""

    def __init__(self, buf, pos=0, little=True, files=False, end=None):
        self.buf = memoryview(buf)
        self.pos, self.little, self.files = pos, little, files
        self.end = len(self.buf) if end is None else end
        self.order = "<" if little else ">"

    def take(self, n):
        if n < 0 or n > self.end - self.pos:
            raise Malformed(f"{n} bytes wanted at {self.pos}, {self.end - self.pos} left")
        self.pos += n
        return self.buf[self.pos - n:self.pos]

    def unpack(self, form):
        return struct.unpack(self.order + form, self.take(struct.calcsize(self.order + form)))[0]

    def name(self):
        at = self.pos
        while at < self.end:
            stop = min(at + 4096, self.end)
            found = bytes(self.buf[at:stop]).find(b"\0")
            if found >= 0:
                raw = bytes(self.take(at + found - self.pos))
                self.pos += 1
                return bytes_text(raw)
            at = stop
        raise Malformed("a name without its closing NUL")

    def attr_count(self):
        attr = self.unpack("B")
        n = self.unpack("q") if attr & 0x80 else self.unpack("I")
        if attr & 0x7f > 4:
            raise Malformed(f"attribute {attr}")
        return attr & 0x7f, n

    def array(self, code, n):
        data = array.array(code)
        data.frombytes(self.take(n * data.itemsize))
        if self.little != (sys.byteorder == "little"):
            data.byteswap()
        return data

    def value(self, depth=0):
        if depth > DEPTH_MAX:
            raise Malformed("nested too deep")
        code = self.unpack("b")
        if code == -128:
            if depth:
                raise Malformed("an error marker inside a value")
            return QErrorReply(self.name())
        if -19 <= code <= -1 and -code in NAMES:
            return self.atom(-code)
        if code == 0:
            attr, n = self.attr_count()
            if n > self.end - self.pos:
                raise Malformed(f"a list of {n} items in {self.end - self.pos} bytes")
            return QList([self.value(depth + 1) for _ in range(n)], attr)
        if code in NAMES:
            return self.vector(code)
        if code == 21 and self.files:
            domain = self.name()
            attr, n = self.attr_count()
            return QEnum(domain, self.array("i", n), attr)
        if code == 98:
            return self.table(depth)
        if code in (99, 127):
            keys, values = self.value(depth + 1), self.value(depth + 1)
            if not all(isinstance(x, (QVector, QList, QTable, QEnum)) for x in (keys, values)):
                raise Malformed("a dictionary of something that is no list")
            if count(keys) != count(values):
                raise Malformed(f"a dictionary of {count(keys)} keys, {count(values)} values")
            return QDict(keys, values, code == 127)
        if code == 100:
            namespace, body = self.name(), self.value(depth + 1)
            if not isinstance(body, QVector) or body.type != 10:
                raise Malformed("the source of a lambda is no string")
            return QLambda(namespace, body.data)
        if code in (101, 102, 103):
            return QPrimitive(code, self.unpack("B"))
        if code in (104, 105):
            n = self.unpack("i")
            if n < 0 or n > self.end - self.pos:
                raise Malformed(f"a projection of {n} items")
            return QCompound(code, [self.value(depth + 1) for _ in range(n)])
        if 106 <= code <= 111:
            return QCompound(code, [self.value(depth + 1)])
        raise Malformed(f"type {code} at {self.pos - 1}")

    def atom(self, code):
        if code == 11:
            return QAtom(11, self.name())
        if code in (2, 10):
            return QAtom(code, bytes(self.take(WIDTH[code])))
        v = self.unpack(_PACK[code])
        if code == 1 and v > 1:
            raise Malformed(f"boolean {v}")
        return QAtom(code, v)

    def vector(self, code):
        attr, n = self.attr_count()
        if code == 11:
            return QVector(11, self.names(n), attr)
        if code in (2, 10):
            return QVector(code, bytes(self.take(n * WIDTH[code])), attr)
        data = self.array(CODE[code], n)
        if code == 1 and n and max(data) > 1:
            raise Malformed("a boolean other than 0 and 1")
        return QVector(code, data, attr)

    def names(self, n):
        """`n` closed names; split in one go, as symbol vectors can be long."""
        if n > self.end - self.pos:
            raise Malformed(f"{n} symbols in {self.end - self.pos} bytes")
        if n < 64:
            return [self.name() for _ in range(n)]
        window = 16 * n
        while True:
            stop = min(self.pos + window, self.end)
            parts = bytes(self.buf[self.pos:stop]).split(b"\0", n)
            if len(parts) == n + 1:
                self.pos += sum(map(len, parts[:n])) + n
                known = {p: bytes_text(p) for p in set(parts[:n])}
                return list(map(known.__getitem__, parts[:n]))
            if stop == self.end:
                raise Malformed("a name without its closing NUL")
            window *= 4

    def table(self, depth):
        attr = self.unpack("B")
        if attr > 4:
            raise Malformed(f"attribute {attr}")
        inner = self.value(depth + 1)
        if not isinstance(inner, QDict) or inner.sorted:
            raise Malformed("a table without its dictionary")
        names, columns = inner.keys, inner.values
        if not isinstance(names, QVector) or names.type != 11 or not isinstance(columns, QList):
            raise Malformed("a table without names or columns")
        if len(set(names.data)) != len(names):
            raise Malformed("a table with a column name twice")
        sizes = set()
        for c in columns:
            if not isinstance(c, (QVector, QList, QEnum)):
                raise Malformed("a column that is no list")
            sizes.add(len(c))
        if len(sizes) > 1:
            raise Malformed(f"columns of different counts: {sorted(sizes)}")
        return QTable(dict(zip(names.data, columns.items)), attr)


def decode(body, little=True, files=False):
    """The value of a whole body; trailing bytes are malformed."""
    reader = Reader(body, little=little, files=files)
    v = reader.value()
    if reader.pos != reader.end:
        raise Malformed(f"{reader.end - reader.pos} bytes after the value")
    return v


def read_header(head):
    """(little, kind, compressed, total size) of 8 header bytes."""
    if head[0] > 1 or head[1] > 2 or head[2] > 2:
        raise Malformed(f"header {bytes(head).hex()}")
    size = struct.unpack_from("<I" if head[0] else ">I", head, 4)[0] | head[3] << 32
    if size < 9:
        raise Malformed(f"a message of {size} bytes")
    return bool(head[0]), head[1], head[2], size


def decode_message(raw):
    """(kind, value) of a complete message, compressed or not."""
    little, kind, packed, size = read_header(raw[:8])
    if size != len(raw):
        raise Malformed(f"length field {size}, {len(raw)} bytes present")
    if packed:
        raw = decompress(raw)
    return kind, decode(memoryview(raw)[8:], little)


# ----------------------------------------------------------------------------------- compression

def decompress(packed, size_max=SIZE_MAX):
    """The plain message behind a compressed one; checks every read and write."""
    order = "little" if packed[0] else "big"
    wide = 16 if packed[2] == 2 else 12
    if packed[2] not in (1, 2) or len(packed) < wide:
        raise Malformed("not a compressed message")
    size = int.from_bytes(packed[8:wide], order)
    if not 8 < size <= size_max:
        raise Malformed(f"a plain length of {size}")
    out = bytearray(size)
    out[0:2] = packed[0:2]
    out[3] = size >> 32 & 0xff
    out[4:8] = (size & 0xffffffff).to_bytes(4, order)
    slots = [0] * 256
    entered = pos = 8           # positions below `entered` are in the table; `pos` is written next
    src, end = wide, len(packed)
    flags, left = 0, 0
    try:
        while pos < size:
            if not left:
                flags, left = packed[src], 8
                src += 1
            if flags & 1:
                start, extra = slots[packed[src]], packed[src + 1]
                src += 2
                if not 8 <= start < pos or pos + 2 + extra > size:
                    raise Malformed(f"a match from {start} at {pos}")
                for k in range(extra + 2):
                    out[pos + k] = out[start + k]
                for p in range(entered, pos + 1):
                    slots[out[p] ^ out[p + 1]] = p
                pos += 2 + extra
                entered = pos
            else:
                out[pos] = packed[src]
                src += 1
                pos += 1
                while entered + 1 < pos:
                    slots[out[entered] ^ out[entered + 1]] = entered
                    entered += 1
            flags >>= 1
            left -= 1
    except IndexError:
        raise Malformed("a compressed message that ends early") from None
    if src != end:
        raise Malformed(f"{end - src} compressed bytes left over")
    return bytes(out)


def compress(plain):
    """The greedy encoding q makes, or `plain` itself when that would not be below half."""
    n = len(plain)
    room = n // 2
    if room < 17:
        return plain
    out = bytearray(plain[0:8]) + n.to_bytes(4, "little")
    slots = [0] * 256
    late = None                 # a literal enters the table one token after it is written
    pos = 8
    while pos < n:
        if len(out) > room - 17:
            return plain
        flag_at, flags = len(out), 0
        out.append(0)
        for bit in range(8):
            if pos >= n:
                break
            can = pos < n - 2
            h = plain[pos] ^ plain[pos + 1] if can else 0
            from_ = slots[h] if can else 0
            match = from_ != 0 and plain[from_] == plain[pos]
            if late:
                slots[late[0]] = late[1]
                late = None
            if not match:
                if can:
                    late = (h, pos)
                out.append(plain[pos])
                pos += 1
                continue
            slots[h] = pos
            flags |= 1 << bit
            begin = pos + 2
            stop = min(begin + 255, n)
            pos, from_ = begin, from_ + 2
            while pos < stop and plain[from_] == plain[pos]:
                pos += 1
                from_ += 1
            out.append(h)
            out.append(pos - begin)
        out[flag_at] = flags
    out[2] = 1
    out[3] = len(out) >> 32
    out[4:8] = (len(out) & 0xffffffff).to_bytes(4, "little")
    return bytes(out)


# ------------------------------------------------------------------------------------ connection

class Connection:
    """One q IPC connection. `pushed` collects asynchronous messages that came while a response
    was awaited. Not for use by several threads at once."""

    def __init__(self, sock, user, password, capability, compressing=False):
        self.sock = sock
        self.pushed = collections.deque()
        self.compressing = compressing
        credentials = text_bytes(user)
        if password is not None:
            credentials += b":" + text_bytes(password)
        try:
            sock.sendall(credentials + bytes((capability, 0)))
            answer = sock.recv(4096)
        except ConnectionError:
            answer = b""
        if not answer:
            sock.close()
            raise AccessDenied("the server closed during the handshake")
        if len(answer) != 1 or answer[0] > capability:
            sock.close()
            raise Malformed(f"handshake answer {answer.hex()} to capability {capability}")
        self.capability = answer[0]

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send_raw(self, raw):
        self.sock.sendall(raw)

    def send(self, value, kind=ASYNC, little=True):
        """Sends without waiting; with kind=SYNC this is a pipelined request."""
        raw = message(value, kind, little)
        if len(raw) >= 1 << 31 and self.capability < 5:
            raise QError("limit")
        self.sock.sendall(compress(raw) if self.compressing and little else raw)

    def _exactly(self, n):
        buf = bytearray(n)
        view, got = memoryview(buf), 0
        while got < n:
            more = self.sock.recv_into(view[got:], min(n - got, 1 << 20))
            if not more:
                raise Closed(f"closed by the server after {got} of {n} bytes")
            got += more
        return buf

    def receive_raw(self):
        """The bytes of the next message, as they came."""
        head = self._exactly(8)
        size = read_header(head)[3]
        if size > SIZE_MAX:
            raise Malformed(f"a message of {size} bytes")
        return head + self._exactly(size - 8)

    def receive(self):
        """(kind, value) of the next message; an error reply is a QErrorReply value."""
        return decode_message(self.receive_raw())

    def response(self):
        """Waits for the next response; raises QError when it is an error."""
        while True:
            kind, value = self.receive()
            if kind == RESPONSE:
                if isinstance(value, QErrorReply):
                    raise QError(value.text)
                return value
            if kind == SYNC:
                raise Malformed("the server sent a synchronous request")
            self.pushed.append(value)

    def sync(self, value):
        """A synchronous call: a str is q text, anything else goes through from_py."""
        self.send(text(value) if isinstance(value, str) else value, SYNC)
        return self.response()

    def async_(self, value):
        self.send(text(value) if isinstance(value, str) else value, ASYNC)

    def call(self, name, *args):
        """Calls a named function: (name; args...), the generic null when there are none."""
        return self.sync(QList([text(name)] + [from_py(a) for a in args or (None,)]))

    def flush(self):
        """Returns when the server has processed everything sent before."""
        return self.sync("")

    def push(self, timeout=10.0):
        """The next asynchronous message, from the ones set aside or from the wire."""
        if self.pushed:
            return self.pushed.popleft()
        before = self.sock.gettimeout()
        self.sock.settimeout(timeout)
        try:
            kind, value = self.receive()
        finally:
            self.sock.settimeout(before)
        if kind != ASYNC:
            raise Malformed(f"message kind {kind} without a request")
        return value


def connect(host, port, user="tester", password=None, capability=3, timeout=30.0,
            compressing=False):
    """Opens a connection; raises AccessDenied when the server refuses the credentials.
    `host` may be a path or an abstract name of a Unix socket when `port` is None."""
    if port is None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        sock.connect(host)
    else:
        sock = socket.create_connection((host, port), timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Connection(sock, user, password, capability, compressing)
