"""A reader over a kdb+ database that nobody manages, and a writer of such databases: files in the
forms of kdb+ 3.6 and later, made here from Python values."""
import math
import os
import struct

from . import proc, qipc
from .qipc import CODES, NULL, QVector
from .system import QueryFailed

PACK = {1: "b", 4: "B", 5: "h", 6: "i", 7: "q", 8: "f", 9: "d", 12: "q", 13: "i", 14: "i",
        15: "d", 16: "q", 17: "i", 18: "i", 19: "i"}


class Reader:
    """`silt da DIR`, a q connection to it, and what one asks."""

    def __init__(self, folder, work=None):
        self.port = proc.free_port()
        self.proc = proc.start(["da", folder, "--da-port", self.port], folder=work)
        self.proc.wait_ready(port=self.port)
        self.q = qipc.connect("127.0.0.1", self.port)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.q.close()
        if kind is None:
            assert self.proc.terminate() == 0, self.proc.tail()
        else:
            self.proc.kill9()

    def get(self, table, **args):
        """getData: the table; raises QueryFailed."""
        head, rows = self.q.call(".kxi.getData", {"table": table, **args}, None, None)
        if head["rc"].value != 0:
            raise QueryFailed(head["rc"].value, head["ac"].value,
                              qipc.bytes_text(head["ai"].data))
        return rows

    def columns(self, table, **args):
        """The same as a dict of Python lists."""
        return qipc.to_py(self.get(table, **args))

    def http(self, method, path, body=None):
        return proc.http_request(method, f"http://127.0.0.1:{self.port}{path}", body)


def same(a, b):
    """Whether two Python values are equal, NaN to itself."""
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


# ------------------------------------------------------------------------------------- writing

def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


def symbols(path, names):
    """A symbol list: `.d` or a domain."""
    write(path, b"\xff\x01\x0b\0" + struct.pack("<i", len(names)) +
          b"".join(n.encode() + b"\0" for n in names))


def vector(kind, values):
    """The bytes of a plain vector file; None is null."""
    code = CODES[kind]
    null = NULL.get(code)
    values = [null if v is None else v for v in values]
    head = b"\xfe\x20" + bytes((code, 0)) + struct.pack("<i", 0) + struct.pack("<q", len(values))
    if code == 10:
        return head + "".join(values).encode()
    return head + struct.pack(f"<{len(values)}{PACK[code]}", *values)


def enum64(domain, indices):
    """A 64-bit enumeration: one page of header."""
    page = bytearray(4096)
    page[0:2] = b"\xfd\x20"
    name = domain.encode()
    page[16:16 + len(name)] = name
    page[4080:4084] = b"\xfd\x00\x14\x00"
    struct.pack_into("<q", page, 4088, len(indices))
    null = -(1 << 63)
    return bytes(page) + struct.pack(f"<{len(indices)}q", *[null if i is None else i
                                                            for i in indices])


def enum32(domain, indices):
    """A 32-bit enumeration of kdb+ before 3.6, with a short domain name."""
    head = bytearray(24)
    head[0] = 0xfe
    head[1:1 + len(domain)] = domain.encode()
    struct.pack_into("<q", head, 16, len(indices))
    null = -(1 << 31)
    return bytes(head) + struct.pack(f"<{len(indices)}i", *[null if i is None else i
                                                            for i in indices])


class Domain:
    """A domain that grows as names are used."""

    def __init__(self, name="sym"):
        self.name, self.names, self.at = name, [], {}

    def index(self, name):
        if not name:
            return None
        if name not in self.at:
            self.at[name] = len(self.names)
            self.names.append(name)
        return self.at[name]

    def save(self, root):
        symbols(os.path.join(root, self.name), self.names)


def splay(path, columns, domain=None, old=False):
    """Writes a splayed table from {name: (type name, values)}; symbols go to `domain`."""
    symbols(os.path.join(path, ".d"), list(columns))
    for name, (kind, values) in columns.items():
        if kind == "symbol":
            indices = [domain.index(v) for v in values]
            data = (enum32 if old else enum64)(domain.name, indices)
        else:
            data = vector(kind, values)
        write(os.path.join(path, name), data)


def to_plain(v):
    """A column as kdbfiles gives it, as a list of Python values."""
    if isinstance(v, QVector):
        return v.tolist()
    if isinstance(v, (bytes, bytearray)):
        return [bytes((b,)) for b in v]
    return list(v)
