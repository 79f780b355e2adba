"""An independent reader of kdb+ files, splayed tables and databases.

Written from the description of the formats alone. Nothing is assumed to be right: every header
byte that has a known value is checked, every length must fit the file, a sorted attribute must be
true, and the index behind a parted, grouped or unique vector is compared word by word with the one
its data demands.

    open_file(path)       -> File: what one file says, and its values
    load_splayed(dir)     -> Splay: the columns `.d` names
    load_db(root)         -> Database: what `\\l root` would see, every partition of it
    parted_payload(...)   -> the bytes that must follow a parted vector

`own=True` adds the rules for writers: true counts, no left-over words in payloads, nothing in a
table directory that `.d` does not name, the same columns and types in every partition.
"""
import array
import ctypes
import datetime
import os
import struct
import sys
import zlib

from . import qipc
from .qipc import CODE, NULL, WIDTH, QAtom, QDict, QEnum, QList, QTable, QVector

MASK64 = 2**64 - 1
PAGE = 4096
assert sys.byteorder == "little", "files are little-endian and so is this reader"


class Corrupt(Exception):
    """The bytes break a rule of the format."""


class Unsupported(Exception):
    """A form that is known to exist but that this reader does not decode."""


class LoadError(Exception):
    """The directory would not load as a database; the text names the offender."""


def check(condition, text):
    if not condition:
        raise Corrupt(text)


# ----------------------------------------------------------------------------------- containers

class Container:
    """The trailer of a compressed file."""

    def __init__(self, version, algorithm, level, plain, block, blocks):
        self.version, self.algorithm, self.level = version, algorithm, level
        self.plain, self.block, self.blocks = plain, block, blocks  # blocks: (length, algorithm)


def inflate(raw):
    """(plain bytes, Container or None) of a file's bytes."""
    if raw[:8] == b"kxzippEd":
        raise Unsupported("an encrypted file")
    if raw[:8] != b"kxzipped":
        return raw, None
    check(len(raw) >= 8 + 40, "a container without its trailer")
    n = struct.unpack_from("<q", raw, len(raw) - 8)[0]
    check(0 <= n <= (len(raw) - 48) // 8, f"a container of {n} blocks")
    at = len(raw) - 8 * (5 + n)
    version, algorithm, level, pad, plain, self_at, block = struct.unpack_from("<iBbHqqq", raw, at)
    check(version in (2, 3), f"container version {version}")
    check(pad == 0, "container bytes 6-7 of the trailer are not zero")
    check(version == 3 or level == 0, "a level in container version 2")
    check(self_at == at, f"the trailer says {self_at}, it is at {at}")
    check(block in [1 << i for i in range(12, 21)], f"logical block size {block}")
    check(plain >= 0 and n == -(-plain // block), f"{n} blocks for {plain} bytes")
    blocks = [struct.unpack_from("<ii", raw, at + 32 + 8 * i) for i in range(n)]
    check(sum(b[0] for b in blocks) == at - 8, "stored lengths do not sum to the data")
    out, pos = bytearray(), 8
    for i, (size, how) in enumerate(blocks):
        check(size > 0, f"block {i} of {size} bytes")
        wanted = block if i < n - 1 else plain - block * (n - 1)
        piece = inflate_block(raw[pos:pos + size], how, wanted, i)
        check(len(piece) == wanted, f"block {i} inflates to {len(piece)}, not {wanted}")
        out += piece
        pos += size
    return bytes(out), Container(version, algorithm, level, plain, block, blocks)


def inflate_block(data, how, wanted, number):
    if how == 0:
        return data
    if how == 1:
        check(data[:4] == b"\1\0\1\0", f"block {number} is no compressed message")
        size, plain = struct.unpack_from("<ii", data, 4)
        check(size == len(data) and plain == wanted + 8, f"block {number}: lengths disagree")
        try:
            return qipc.decompress(data)[8:]
        except qipc.Malformed as e:
            raise Corrupt(f"block {number}: {e}") from None
    if how == 2:
        stream = zlib.decompressobj()
        try:
            piece = stream.decompress(data, wanted + 1)
        except zlib.error as e:
            raise Corrupt(f"block {number}: {e}") from None
        check(stream.eof and not stream.unused_data, f"block {number} is no whole zlib stream")
        return piece
    if how in (3, 4):
        try:
            return (inflate_snappy if how == 3 else inflate_lz4)(data, wanted)
        except IndexError:
            raise Corrupt(f"block {number} ends early") from None
    if how == 5:
        return inflate_zstd(data, wanted, number)
    raise Unsupported(f"block {number} uses algorithm {how}")


def _copy_back(out, distance, length):
    check(0 < distance <= len(out), "a match before the start of its block")
    while length > 0:
        piece = out[len(out) - distance:][:length]
        out += piece
        length -= len(piece)


def inflate_snappy(data, wanted):
    """One raw snappy block: its length, then literals and copies."""
    size = shift = pos = 0
    while True:
        b = data[pos]
        pos += 1
        size |= (b & 127) << shift
        shift += 7
        if b < 128:
            break
    check(size == wanted, f"a snappy block of {size} bytes, {wanted} expected")
    out = bytearray()
    while pos < len(data):
        tag = data[pos]
        kind, n = tag & 3, tag >> 2
        pos += 1
        if kind == 0:
            more = max(n - 59, 0)
            n = (int.from_bytes(data[pos:pos + more], "little") if more else n) + 1
            pos += more
            check(pos + n <= len(data), "a literal past the end")
            out += data[pos:pos + n]
            pos += n
        elif kind == 1:
            _copy_back(out, (tag >> 5) << 8 | data[pos], (n & 7) + 4)
            pos += 1
        else:
            width = 2 if kind == 2 else 4
            _copy_back(out, int.from_bytes(data[pos:pos + width], "little"), n + 1)
            pos += width
    return bytes(out)


def _lz4_length(data, pos, n):
    while n >= 15:
        n += data[pos]
        pos += 1
        if data[pos - 1] < 255:
            break
    return n, pos


def inflate_lz4(data, wanted):
    """One raw LZ4 block: pairs of literals and a match, the last without a match."""
    out, pos = bytearray(), 0
    while True:
        token = data[pos]
        n, pos = _lz4_length(data, pos + 1, token >> 4)
        check(pos + n <= len(data), "literals past the end")
        out += data[pos:pos + n]
        pos += n
        if pos == len(data) or len(out) > wanted:
            return bytes(out)
        distance = data[pos] | data[pos + 1] << 8
        n, pos = _lz4_length(data, pos + 2, token & 15)
        _copy_back(out, distance, n + 4)


def inflate_zstd(data, wanted, number):
    """One zstd frame, by the library that most machines have."""
    try:
        lib = ctypes.CDLL("libzstd.so.1")
    except OSError:
        raise Unsupported(f"block {number} uses zstd, whose library is not here") from None
    lib.ZSTD_decompress.restype = ctypes.c_size_t
    lib.ZSTD_decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t] * 2
    out = ctypes.create_string_buffer(wanted + 1)
    size = lib.ZSTD_decompress(out, wanted + 1, bytes(data), len(data))
    check(size == wanted, f"block {number} is no zstd frame of {wanted} bytes")
    return out.raw[:wanted]


# --------------------------------------------------------------------------------------- payload

def _m(size):
    m = 0
    while 16 << m < size:
        m += 1
    return m


def _slots(keys, capacity):
    size = 2 * capacity
    slots = array.array("q", [-1]) * size
    for i, k in enumerate(keys):
        p = ((k & MASK64) * 2654435761 & MASK64) >> 11 & size - 1
        while slots[p] != -1:
            p = (p + 1) & size - 1
        slots[p] = i
    return slots


def _capacity(n, width):
    c = 1 if width == 8 else 2
    while c < n:
        c *= 2
    return c


def _object(kind, attr, n, body):
    return struct.pack("<BBBBiq", _m(16 + len(body)), 0, kind, attr, 0, n) + body


def _runs(values):
    """(keys, offsets): the value and first row of every run, then the row count."""
    keys, offsets, last = [], [], None
    for i, x in enumerate(values):
        if x != last:
            keys.append(x)
            offsets.append(i)
            last = x
    offsets.append(len(values))
    return keys, offsets


def _groups(values):
    rows = {}
    for i, x in enumerate(values):
        rows.setdefault(x, []).append(i)
    offsets, order = [0], []
    for r in rows.values():
        order += r
        offsets.append(len(order))
    return list(rows), offsets, order


def _hash_table(keys, width, new):
    """Keys, the word of the 64-bit form, spare keys, slots: the body behind the header of K."""
    c = _capacity(len(keys), width)
    body = array.array("q" if width == 8 else "i", keys).tobytes()
    body += bytes(c * width + (8 if new else 0) - len(body))
    return body + _slots(keys, c).tobytes()


def parted_payload(values, new=True, kind=20):
    """The bytes after the data of a parted vector. `values` is an array of 4- or 8-byte integers;
    `new` is the 64-bit enumeration form. The zero fill up to a multiple of 8 is included."""
    width = values.itemsize
    keys, offsets = _runs(values)
    check(len(set(keys)) == len(keys), "a parted vector whose values come back")
    return (bytes(-len(values) * width % 8) + (bytes(8) if new else b"")
            + _object(kind, 2, len(keys), _hash_table(keys, width, new))
            + _object(7, 0, len(offsets), array.array("q", offsets).tobytes()))


def grouped_payload(values, new=True, kind=20):
    """The same for a grouped vector."""
    width = values.itemsize
    keys, offsets, order = _groups(values)
    return (bytes(-len(values) * width % 8) + (bytes(8) if new else b"")
            + _object(kind, 2, len(keys), _hash_table(keys, width, new))
            + _object(7, 0, len(offsets), array.array("q", offsets).tobytes())
            + _object(7, 0, len(order), array.array("q", order).tobytes()))


def unique_payload(values, new=True):
    """The same for a unique vector, by analogy with the keys inside a parted one."""
    width = values.itemsize
    check(len(set(values)) == len(values), "a unique vector with a value twice")
    return _hash_table(values, width, new)[len(values) * width:]


def read_payload(buf, pos, values, attr, new, kind=20):
    """Checks the payload at `pos` of `buf` against `values`. Returns (end, exact): where it stops
    and whether it is byte for byte what a writer makes. Real files hold left-overs of memory in
    the fill before the payload, in the word of the 64-bit form, in the second byte of each object
    (5 and 0x83 were met), in its reference count (0 or 1) and in the spare keys."""
    make = {2: unique_payload, 3: parted_payload, 4: grouped_payload}[attr]
    want = make(values, new) if attr == 2 else make(values, new, kind)
    check(len(buf) - pos >= len(want),
          f"payload of {len(buf) - pos} bytes, {len(want)} needed")
    got = bytes(buf[pos:pos + len(want)])
    if got == want:
        return pos + len(want), True
    width, n = values.itemsize, len(values)
    free = set()                                   # byte ranges that may hold left-overs
    at = 0
    if attr == 2:
        free.add((0, len(want) - 16 * _capacity(n, width)))
    else:
        at = -n * width % 8
        free.add((0, at))
        if new:
            free.add((at, at + 8))
            at += 8
        nkeys = struct.unpack_from("<q", want, at + 8)[0]
        c = _capacity(nkeys, width)
        objects = [(at, 16 + c * width + (8 if new else 0) + 16 * c)]
        free.add((at + 16 + nkeys * width, at + 16 + c * width + (8 if new else 0)))
        at += objects[0][1]
        while at < len(want):
            objects.append((at, 16 + 8 * struct.unpack_from("<q", want, at + 8)[0]))
            at += objects[-1][1]
        for start, _ in objects:
            check(struct.unpack_from("<i", got, start + 4)[0] in (0, 1),
                  f"payload object at {start}: reference count")
            free.add((start + 4, start + 8))
            free.add((start + 1, start + 2))
    masked_got, masked_want = bytearray(got), bytearray(want)
    for a, b in free:
        masked_got[a:b] = masked_want[a:b] = bytes(b - a)
    if masked_got != masked_want:
        bad = next(i for i in range(len(want)) if masked_got[i] != masked_want[i])
        raise Corrupt(f"payload byte {bad} is {got[bad]:#x}, must be {want[bad]:#x}")
    return pos + len(want), False


# ------------------------------------------------------------------------------------ nested data

class Nested:
    """A column of lists in the old form: row i is elements [offsets[i-1], offsets[i])."""

    def __init__(self, kind, offsets, data):
        self.kind, self.offsets, self.data = kind, offsets, data

    def __len__(self):
        return len(self.offsets)

    def __getitem__(self, i):
        if i < 0:
            i += len(self)
        if not 0 <= i < len(self):
            raise IndexError(i)
        width = WIDTH[self.kind]
        start = self.offsets[i - 1] if i else 0
        raw = self.data[start * width:self.offsets[i] * width]
        return _vector_of(self.kind, raw)

    def __iter__(self):
        return (self[i] for i in range(len(self)))


def _vector_of(kind, raw):
    if kind in (2, 10):
        return QVector(kind, raw)
    data = array.array(CODE[kind])
    data.frombytes(raw)
    return QVector(kind, data)


class Heap:
    """The items of an anymap column, decoded on demand; remembers which bytes were met."""

    def __init__(self, heap, names):
        self.heap, self.names = heap, names
        self.starts, self.ends = array.array("q"), array.array("q")
        self.inexact = 0            # parted vectors whose payload holds left-overs
        self.wrong_flags = 0        # references whose flag byte is not the usual one

    def _met(self, start, end):
        if self.ends and self.ends[-1] == start:
            self.ends[-1] = end
        else:
            self.starts.append(start)
            self.ends.append(end)

    def _bytes(self, at, n):
        check(0 <= at and n >= 0 and at + n <= len(self.heap), f"heap item at {at} runs out")
        return self.heap[at:at + n]

    def _name(self, i):
        check(0 <= i < len(self.names), f"heap symbol {i} of {len(self.names)}")
        return self.names[i]

    def get(self, reference, depth=0):
        check(depth < 100, "heap items nested too deep")
        at, flags = reference & (1 << 56) - 1, reference >> 56 & 0xff
        first = self._bytes(at, 1)[0]
        if first == 251:
            return self._object(at, flags, depth)
        self.wrong_flags += flags != 1
        code = first - 127
        if code < 0:
            code = -code
            if code == 11:
                v = QAtom(11, self._name(struct.unpack("<i", self._bytes(at + 1, 4))[0]))
                size = 5
            else:
                check(code in WIDTH, f"heap atom of type {code} at {at}")
                raw = self._bytes(at + 1, WIDTH[code])
                v = _vector_of(code, raw)
                v, size = QAtom(code, v[0]), 1 + WIDTH[code]
        elif code == 11:
            n = self._bytes(at + 1, 1)[0]
            where = array.array("i", self._bytes(at + 2, 4 * n))
            v, size = QVector(11, [self._name(i) for i in where]), 2 + 4 * n
        elif code == 20:
            domain = self._name(struct.unpack("<i", self._bytes(at + 1, 4))[0])
            n = self._bytes(at + 5, 1)[0]
            v, size = QEnum(domain, array.array("q", self._bytes(at + 6, 8 * n))), 6 + 8 * n
        else:
            check(code in WIDTH, f"heap item of type {code} at {at}")
            n = self._bytes(at + 1, 1)[0]
            size = 2 + n * WIDTH[code]
            v = _vector_of(code, self._bytes(at + 2, size - 2))
        self._met(at, at + size)
        return v

    def _object(self, at, flags, depth):
        check(at % 16 == 0, f"heap object at {at}, not at a multiple of 16")
        magic, kind, attr, one, n = struct.unpack("<HBBiq", self._bytes(at, 16))
        check(magic == 0x00fb and attr <= 4 and one == 1 and n >= 0, f"heap object at {at}")
        body = at + 16
        if kind in (77, 98, 99):
            count = n if kind == 77 else 2
            check(kind == 77 or n == 2, f"heap object at {at}: count {n} for type {kind}")
            raw = self._bytes(body, 8 * count)
            self._met(at, body + 8 * count)
            items = [self.get(r, depth + 1) for r in struct.unpack(f"<{count}Q", raw)]
            self.wrong_flags += flags != (0 if kind == 77 else 1)
            try:
                if kind == 77:
                    return QList(items, attr)
                if kind == 99:
                    return QDict(*items)
                check(isinstance(items[0], QVector) and items[0].type == 11
                      and isinstance(items[1], QList), f"heap table at {at}")
                return QTable(dict(zip(items[0].data, items[1].items)), attr)
            except ValueError as e:
                raise Corrupt(f"heap object at {at}: {e}") from None
        if kind == 20:
            return self._enum(at, flags, attr, n)
        if kind == 11 and not attr:     # by analogy with the packed form: no real file has it
            where = array.array("i", self._bytes(body, 4 * n))
            self.wrong_flags += flags != 0
            self._met(at, body + 4 * n)
            return QVector(11, [self._name(i) for i in where])
        check(kind in WIDTH, f"heap vector of type {kind} at {at}")
        if attr > 1:
            raise Unsupported(f"heap vector at {at} with attribute {attr}")
        v = _vector_of(kind, self._bytes(body, n * WIDTH[kind]))
        v.attr = attr
        self.wrong_flags += flags != 0
        self._met(at, body + n * WIDTH[kind])
        return v

    def _enum(self, at, flags, attr, n):
        data = array.array("q", self._bytes(at + 16, 8 * n))
        end = at + 16 + 8 * n
        word = struct.unpack("<q", self._bytes(end, 8))[0]
        if word != -1:
            raise Unsupported(f"heap enumeration at {at} of a domain other than sym")
        if attr >= 2:
            end, exact = read_payload(self.heap, end, data, attr, True)
            self.inexact += not exact
            self.wrong_flags += flags != 3
        else:
            end += 8
        self._met(at, end)
        return QEnum("sym", data, attr)

    def check_covered(self):
        """Everything that was met, and gaps of zero bytes, must make up the heap."""
        spans = sorted(set(zip(self.starts, self.ends)))
        at = 0
        for start, end in spans:
            check(start >= at or end <= at, f"heap items overlap at {start}")
            if end <= at:
                continue
            check(start - at < 16 and not any(self.heap[at:start]),
                  f"heap bytes {at} to {start} belong to no item")
            at = end
        check(not any(self.heap[at:]) and len(self.heap) - at < 16,
              f"heap bytes from {at} belong to no item")


class AnyMap:
    """An anymap column, read completely: every item decoded once, the heap accounted for."""

    def __init__(self, refs, heap, names):
        self.heap = Heap(heap, names)
        self.items = self._all(refs)
        self.heap.check_covered()
        self.wrong_flags, self.inexact = self.heap.wrong_flags, self.heap.inexact

    def _all(self, refs):
        """Short strings, the usual case, are cut straight out of the heap."""
        out, heap, h = [], self.heap.heap, self.heap
        for r in refs:
            at = r & 0xffffffffffffff
            if heap[at:at + 1] == b"\x89" and r >> 56 == 1:
                end = at + 2 + h._bytes(at + 1, 1)[0]
                out.append(h._bytes(at + 2, end - at - 2))
                h._met(at, end)
            else:
                v = h.get(r & MASK64)
                plain = isinstance(v, QVector) and v.type == 10 and not v.attr
                out.append(v.data if plain else v)
        return out

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        v = self.items[i]
        return QVector(10, v) if isinstance(v, bytes) else v

    def __iter__(self):
        return (QVector(10, v) if isinstance(v, bytes) else v for v in self.items)


# ----------------------------------------------------------------------------------------- files

class File:
    """One decoded file.

    kind: vector, enum32, enum64, symbols, anymap, nested, list, object. `values` is a QVector,
    QEnum, Nested, AnyMap, QList, or any value for an object. `header_count` is what the header
    says, `rows` the truth. `exact` is False when a payload holds left-over words. `spoilt` says
    why the end of a list or log could not be read, at byte `valid_bytes`."""

    def __init__(self, path, kind, values, rows, header_count=None, attr=0, container=None):
        self.path, self.kind, self.values, self.rows = path, kind, values, rows
        self.header_count, self.attr, self.container = header_count, attr, container
        self.exact, self.size, self.spoilt, self.valid_bytes = True, 0, None, None

    @property
    def type(self):
        """The q type of the column in a table: 11 for enumerations, 0 for lists."""
        if self.kind == "vector":
            return self.values.type
        return 11 if self.kind in ("enum32", "enum64", "symbols") else 0

    @property
    def domain(self):
        return self.values.domain if isinstance(self.values, QEnum) else None


def read_plain(path):
    """(bytes, container) of a file, inflated when it is compressed."""
    with open(path, "rb") as f:
        raw = f.read()
    try:
        return inflate(raw)
    except (Corrupt, Unsupported) as e:
        raise type(e)(f"{path}: {e}") from None


def open_file(path):
    """Decodes one file with the companions it needs."""
    image, container = read_plain(path)
    try:
        out = _decode(path, image)
    except (Corrupt, Unsupported) as e:
        raise type(e)(f"{path}: {e}") from None
    except qipc.Malformed as e:
        raise Corrupt(f"{path}: {e}") from None
    out.container, out.size = container, len(image)
    return out


def _decode(path, b):
    check(len(b) >= 8, f"{len(b)} bytes are no kdb+ file")
    if b[:2] == b"\xff\x01":
        return _decode_object(path, b)
    if b[:2] == b"\xfe\x20":
        return _decode_vector(path, b)
    if b[:1] == b"\xfe":
        return _decode_enum32(path, b)
    if b[:2] == b"\xfd\x20":
        return _decode_page(path, b)
    if b[:2] == b"\xff\x20":
        raise Unsupported("a file of kdb+ 2")
    raise Corrupt(f"starts with {b[:8].hex()}, which is no kdb+ file")


def _body(b, at, width, attr, header):
    """(rows, end of the data): by the length for plain and sorted vectors, else by the header."""
    if attr <= 1:
        check((len(b) - at) % width == 0, f"{len(b) - at} bytes are no whole rows of {width}")
        return (len(b) - at) // width, len(b)
    check(0 <= header <= (len(b) - at) // width, f"count {header} does not fit the file")
    return header, at + header * width


def is_ascending(values, code):
    """Whether a list is sorted as q sorts: nulls first, NaN being the null of the floats."""
    if code in (8, 9, 15):
        values = [-1e400 if v != v else v for v in values]
    it = iter(values)
    next(it, None)
    return all(map(lambda a, b: a <= b, values, it))


def _decode_vector(path, b):
    check(len(b) >= 16, "a vector without its header")
    kind, attr, zero, header = struct.unpack_from("<BBiq", b, 2)
    check(attr <= 4 and zero == 0, f"attribute {attr}, bytes 4-7 {zero:#x}")
    if 78 <= kind <= 96:
        return _decode_nested(path, b, kind - 77, attr, header)
    check(kind in WIDTH, f"type {kind}")
    width = WIDTH[kind]
    rows, end = _body(b, 16, width, attr, header)
    values = _vector_of(kind, b[16:end])
    values.attr = attr
    if kind == 1:
        check(rows == 0 or max(values.data) <= 1, "a boolean other than 0 and 1")
    out = File(path, "vector", values, rows, header, attr)
    if attr == 1:
        check(is_ascending(values.tolist(), kind), "marked sorted, but it is not")
    if attr >= 2:
        if kind in (1, 2, 4, 5, 8, 9, 10, 15):
            raise Unsupported(f"attribute {attr} on type {kind}: its index is not known")
        stop, out.exact = read_payload(b, end, values.data, attr, False, kind)
        check(stop == len(b), f"{len(b) - stop} bytes after the payload")
    return out


def _decode_nested(path, b, kind, attr, header):
    check(attr == 0, f"attribute {attr} on a nested column")
    check(kind in WIDTH, f"nested type {kind}")
    rows, _ = _body(b, 16, 8, 0, header)
    offsets = array.array("q", b[16:])
    data, _ = read_plain(path + "#")
    at = 0
    for e in offsets:
        check(e >= at, "nested offsets go back")
        at = e
    check(at * WIDTH[kind] == len(data), f"{at} elements, {len(data)} bytes in the companion")
    return File(path, "nested", Nested(kind, offsets, data), rows, header, attr)


def _check_positions(values, null):
    if values and min(values) < 0:
        check(all(v >= 0 or v == null for v in values), "a negative position in the domain")


def _decode_enum32(path, b):
    stop = b.find(b"\0", 1)
    check(stop > 1, "a 32-bit enumeration without a domain name")
    name = qipc.bytes_text(b[1:stop])
    if stop <= 7:
        head = 8
        check(not any(b[stop:8]), "the domain name is not filled with zeros")
    else:
        fits = [at for at in range((stop + 8) & ~7, min(len(b) - 7, PAGE), 8)
                if struct.unpack_from("<q", b, at)[0] * 4 == len(b) - at - 8
                and not any(b[stop:at - 5]) and not any(b[at - 4:at]) and at - 8 > stop]
        check(len(fits) == 1, f"a 32-bit enumeration of the long domain {name!r}")
        head = fits[0] - 8
    check(len(b) >= head + 16, "a 32-bit enumeration without its header")
    low, slot, attr, zero, header = struct.unpack_from("<HBBiq", b, head)
    check(low == 0 and slot == 0 and zero == 0 and attr <= 4, "header of a 32-bit enumeration")
    data_at = head + 16
    rows, end = _body(b, data_at, 4, attr, header)
    data = array.array("i", b[data_at:end])
    _check_positions(data, NULL[6])
    out = File(path, "enum32", QEnum(name, data, attr), rows, header, attr)
    if attr >= 2:
        stop, out.exact = read_payload(b, end, data, attr, False)
        check(stop == len(b), f"{len(b) - stop} bytes after the payload")
    return out


def _decode_page(path, b):
    check(len(b) >= PAGE, "a page that ends early")
    stop = b.find(b"\0", 16, 4080)
    check(stop >= 0, "a domain name without its end")
    check(not any(b[2:16]) and not any(b[stop:4080]), "bytes of the first page that are not zero")
    name = qipc.bytes_text(b[16:stop])
    magic, kind, attr, zero, header = struct.unpack_from("<HBBiq", b, 4080)
    if magic == 0x01fd and kind == 77:
        check(attr == 0 and zero == 0 and not name, "header of an anymap")
        return _decode_anymap(path, b, header)
    if magic == 0x00fd and kind == 2:
        raise Unsupported("a guid vector with an attribute")
    if magic == 0x00fd and kind == 4:
        raise Unsupported("the heap of an anymap has no meaning without its parent")
    check(magic == 0x00fd and kind == 20, f"inner header {b[4080:4096].hex()}")
    check(name != "" and zero == 0 and attr <= 4, "header of an enumeration")
    rows, end = _body(b, PAGE, 8, attr, header)
    data = array.array("q", b[PAGE:end])
    _check_positions(data, NULL[7])
    out = File(path, "enum64", QEnum(name, data, attr), rows, header, attr)
    if attr >= 2:
        stop, out.exact = read_payload(b, end, data, attr, True)
        check(stop == len(b), f"{len(b) - stop} bytes after the payload")
    return out


def read_heap(path):
    """The data of an anymap heap file, its page checked."""
    b, _ = read_plain(path)
    want = b"\xfd\x20" + bytes(4078) + b"\xfd\x00\x04" + bytes(13)
    if b[:PAGE] != want:
        raise Corrupt(f"{path}: the page of an anymap heap")
    return b[PAGE:]


def _decode_anymap(path, b, header):
    rows, _ = _body(b, PAGE, 8, 0, header)
    names = read_symbols(path + "##") if os.path.exists(path + "##") else []
    values = AnyMap(array.array("Q", b[PAGE:]), read_heap(path + "#"), names)
    out = File(path, "anymap", values, rows, header)
    out.exact = not values.inexact
    return out


def read_symbols(path):
    """The names of a symbol list file, to the end of the file whatever its count says."""
    f = open_file(path)
    if f.kind != "symbols":
        raise Corrupt(f"{path}: a {f.kind}, not a symbol list")
    return f.values.data


def _decode_object(path, b):
    kind = b[2]
    if kind == 11:
        attr, header = b[3], struct.unpack_from("<i", b, 4)[0]
        check(attr <= 4 and header >= 0, f"attribute {attr}, count {header}")
        check(len(b) == 8 or b[-1] == 0, "a symbol list whose last name is not closed")
        names = [qipc.bytes_text(n) for n in b[8:-1].split(b"\0")] if len(b) > 8 else []
        check(header <= len(names), f"count {header}, {len(names)} names")
        return File(path, "symbols", QVector(11, names, attr), len(names), header, attr)
    if kind == 0:
        return _decode_list(path, b)
    v = qipc.decode(b[2:], files=True)
    rows = len(v) if isinstance(v, (QVector, QEnum, QList, QTable, QDict)) else 1
    return File(path, "object", v, rows, None, getattr(v, "attr", 0) or 0)


def _decode_list(path, b):
    """A general list or a message log: bodies to the end of the file, whatever the count says."""
    attr, header = b[3], struct.unpack_from("<i", b, 4)[0]
    check(attr <= 4 and header >= 0, f"attribute {attr}, count {header}")
    reader = qipc.Reader(b, 8, files=True)
    items, good, why = [], 8, None
    while reader.pos < reader.end:
        try:
            items.append(reader.value(1))
        except qipc.Malformed as e:
            why = str(e)
            break
        good = reader.pos
    out = File(path, "list", QList(items, attr), len(items), header, attr)
    out.spoilt, out.valid_bytes = why, good
    return out


# ---------------------------------------------------------------------------------------- tables

class Splay:
    """One splayed table: `files` by column name in `.d` order; `domains` resolves enumerations."""

    def __init__(self, path, files, domains):
        self.path, self.files, self.domains = path, files, domains
        self.rows = next(iter(files.values())).rows if files else 0

    def names(self):
        return list(self.files)

    def types(self):
        return {name: f.type for name, f in self.files.items()}

    def domain_of(self, name):
        f = self.files[name]
        if f.domain not in self.domains:
            raise LoadError(f"{f.path}: its domain {f.domain} is not in the root")
        return self.domains[f.domain]

    def column(self, name):
        """The values of a column as a Python sequence: array, bytes, list of str (symbols), list
        of 16 bytes (guid), or for list columns a list of bytes (strings) and q values."""
        f = self.files[name]
        if isinstance(f.values, QEnum):
            return f.values.names(self.domain_of(name))
        if isinstance(f.values, QVector):
            return f.values.tolist() if f.values.type == 2 else f.values.data
        if isinstance(f.values, AnyMap):
            return f.values.items
        items = list(f.values)
        return [v.data if isinstance(v, QVector) and v.type == 10 else v for v in items]

    def tuples(self):
        """All rows as Python tuples; chars come as one byte."""
        cols = []
        for name, f in self.files.items():
            c = self.column(name)
            cols.append(f.values.tolist() if f.type == 10 else c)
        return list(zip(*cols))


def load_splayed(path, domains=None, own=False):
    """Reads a splayed table. `domains` maps a name to its symbols; without it they are looked for
    in the directories above."""
    names_file = os.path.join(path, ".d")
    if not os.path.isfile(names_file):
        raise LoadError(f"{path}: no .d, so it is no splayed table")
    d = open_file(names_file)
    if d.kind != "symbols":
        raise LoadError(f"{names_file}: not a symbol list")
    names = d.values.data
    if len(set(names)) != len(names) or not names:
        raise LoadError(f"{names_file}: names {names}")
    files = {}
    for name in names:
        if "/" in name or not os.path.isfile(os.path.join(path, name)):
            raise LoadError(f"{path}: column {name} has no file")
        files[name] = f = open_file(os.path.join(path, name))
        mappable = f.kind in ("vector", "enum32", "enum64", "anymap", "nested")
        if not mappable and not (f.kind == "list" and f.rows == 0 and f.spoilt is None):
            raise LoadError(f"{f.path}: a {f.kind} is no column")
    rows = {name: f.rows for name, f in files.items()}
    if len(set(rows.values())) > 1:
        raise LoadError(f"{path}: columns differ in count: {rows}")
    if domains is None:
        domains = {}
        for f in files.values():
            if f.domain and f.domain not in domains:
                _find_domain(os.path.abspath(path), f.domain, domains)
    splay = Splay(path, files, domains)
    for name, f in files.items():
        if f.domain and f.values.data:
            top = max(f.values.data)
            if top >= len(splay.domain_of(name)):
                raise LoadError(f"{f.path}: position {top}, {f.domain} has "
                                f"{len(splay.domain_of(name))} symbols")
    if own:
        _check_own(path, splay, d)
    return splay


def _find_domain(path, name, domains):
    """Looks for a symbol list in the four directories above a table."""
    for _ in range(4):
        path = os.path.dirname(path)
        near = os.path.join(path, name)
        if os.path.isfile(near):
            domains[name] = read_symbols(near)
            return


def _check_own(path, splay, d):
    allowed = {".d"}
    check(d.header_count == d.rows, f"{d.path}: count {d.header_count}, {d.rows} names")
    for name, f in splay.files.items():
        allowed.add(name)
        if f.kind in ("nested", "anymap"):
            allowed |= {name + "#", name + "##"}
        check(f.header_count == f.rows, f"{f.path}: count {f.header_count}, {f.rows} rows")
        check(f.exact, f"{f.path}: left-over words in the payload")
        if f.kind == "anymap":
            check(not f.values.wrong_flags, f"{f.path}: {f.values.wrong_flags} unusual flag bytes")
    extra = set(os.listdir(path)) - allowed
    check(not extra, f"{path}: files that .d does not name: {sorted(extra)}")


# -------------------------------------------------------------------------------------- database

KINDS = {10: "date", 7: "month", 4: "year"}


def partition_value(name, kind):
    """The integer behind a partition name: days or months since 2000, the year, or the number;
    None when the name does not parse as `kind`."""
    digits = name.replace(".", "")
    if not digits.isascii() or not digits.isdigit():
        return None
    parts = name.split(".")
    try:
        if kind == "date" and [len(p) for p in parts] == [4, 2, 2]:
            return (datetime.date(*map(int, parts)) - qipc.EPOCH).days
        if kind == "month" and [len(p) for p in parts] == [4, 2]:
            first = datetime.date(int(parts[0]), int(parts[1]), 1)
            return (first.year - 2000) * 12 + first.month - 1
    except ValueError:
        return None
    if kind in ("year", "int") and len(parts) == 1:
        if kind == "year" and len(name) != 4:
            return None
        return int(name)
    return None


class Part:
    """One table in one partition directory."""

    def __init__(self, value, name, path, splay):
        self.value, self.name, self.path, self.splay = value, name, path, splay

    @property
    def rows(self):
        return self.splay.rows


class PartitionedTable:
    def __init__(self, name, columns, parts):
        self.name, self.columns, self.parts = name, columns, parts

    @property
    def rows(self):
        return sum(p.rows for p in self.parts)

    def splays(self):
        return [p.splay for p in self.parts]

    def tuples(self):
        """Every row of every partition, without the virtual column."""
        return [row for p in self.parts for row in p.splay.tuples()]


class Database:
    """What a q process would hold after loading: `domains` and other `objects` by name, `splayed`
    tables, partitioned `tables`; `partitions` lists (value, directory) in order of value and
    `virtual` names their column."""

    def __init__(self, root):
        self.root = root
        self.domains, self.objects, self.splayed, self.tables = {}, {}, {}, {}
        self.partitions, self.virtual, self.segments = [], None, None

    def table(self, name):
        return self.tables[name] if name in self.tables else self.splayed[name]


def load_db(root, own=False, torn=False):
    """Loads a database the way `\\l root` does, and then looks at every partition. Raises
    LoadError for whatever would break the load, or a later query, on any version since 3.6.

    A domain with a symbol twice loads everywhere, but nobody writes one; only a power cut leaves
    such a tail (`torn`), to which nothing refers, and the next start cuts it off."""
    db = Database(root)
    names = sorted(os.listdir(root), key=os.fsencode)
    if not names:
        raise LoadError(f"{root}: empty")
    if names[0] == ".d":
        db.splayed[os.path.basename(os.path.abspath(root))] = load_splayed(root, own=own)
        return db
    names = [n for n in names if not n.endswith("$")]
    candidates = [n for n in names if n == "par.txt" or n[:1].isdigit()]
    waiting = []
    for name in names:
        path = os.path.join(root, name)
        if name in candidates or name == "html":
            continue
        if len(name) > 1 and name[-2] == ".":
            raise LoadError(f"{path}: would be run as a script")
        if name.endswith("#"):
            raise LoadError(f"{path}: only 4.1 skips such a name")
        if os.path.isdir(path):
            if not os.path.isfile(os.path.join(path, ".d")):
                raise LoadError(f"{path}: a directory that is no splayed table")
            waiting.append((name, path))
            continue
        try:
            f = open_file(path)
        except (Corrupt, Unsupported, OSError) as e:
            raise LoadError(f"{path}: not loadable: {e}") from None
        if f.kind == "list" and f.spoilt:
            raise LoadError(f"{path}: {f.spoilt}")
        db.objects[name] = f
        if f.kind == "symbols":
            db.domains[name] = f.values.data
            if not torn and len(set(f.values.data)) != len(f.values.data):
                raise LoadError(f"{path}: a symbol twice in a domain")
    for name, path in waiting:
        db.splayed[name] = load_splayed(path, db.domains, own)
    if candidates:
        _open_partitions(db, root, candidates, own)
    return db


def _segments(root, candidates):
    """(directory, names) of every place that holds partitions."""
    if "par.txt" not in candidates:
        return [(root, candidates)], None
    if len(candidates) > 1:
        raise LoadError(f"{root}: par.txt beside {candidates[0]}: 'part")
    with open(os.path.join(root, "par.txt"), "rb") as f:
        text = f.read()
    lines = text.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    places = []
    for line in map(os.fsdecode, lines):
        if not line or line.endswith("/") or line != line.strip():
            raise LoadError(f"{root}/par.txt: line {line!r}")
        where = os.path.join(root, line)
        if not os.path.isdir(where):
            raise LoadError(f"{root}/par.txt: {line} is no directory")
        places.append((where, sorted(os.listdir(where), key=os.fsencode)))
    return places, [p[0] for p in places]


def _open_partitions(db, root, candidates, own):
    places, db.segments = _segments(root, candidates)
    every = sorted({n for _, names in places for n in names}, key=os.fsencode)
    if not every:
        raise LoadError(f"{root}: no segment holds anything: 'empty")
    db.virtual = KINDS.get(len(every[0]), "int")
    found = []
    for where, names in places:
        for name in names:
            value = partition_value(name, db.virtual)
            path = os.path.join(where, name)
            if value is None or not os.path.isdir(path):
                raise LoadError(f"{path}: not a partition by {db.virtual}: 'part")
            found.append((value, name, path))
    found.sort(key=lambda f: f[0])
    db.partitions = [(value, path) for value, _, path in found]
    last = found[-1][0]
    model = {}
    for value, _, path in found:
        if value == last:
            for table in sorted(os.listdir(path), key=os.fsencode):
                if not os.path.isdir(os.path.join(path, table)):
                    raise LoadError(f"{os.path.join(path, table)}: a stray file in the last "
                                    "partition")
                model.setdefault(table, None)
    both = set(model) & (set(db.objects) | set(db.splayed))
    if both:
        raise LoadError(f"{root}: {sorted(both)} are partitioned tables and something else")
    for table in model:
        parts = []
        for value, name, path in found:
            where = os.path.join(path, table)
            if not os.path.isdir(where):
                raise LoadError(f"{where}: missing, the last partition has the table")
            parts.append(Part(value, name, where, load_splayed(where, db.domains, own)))
        db.tables[table] = _same_shape(table, parts, own)
    if own:
        for _, _, path in found:
            extra = set(os.listdir(path)) - set(model)
            check(not extra, f"{path}: {sorted(extra)} are not tables of the last partition")


def _same_shape(table, parts, own):
    columns = parts[-1].splay.types()
    for p in parts:
        types = p.splay.types()
        lost = [c for c in columns if c not in types]
        if lost:
            raise LoadError(f"{p.path}: columns {lost} are missing")
        changed = {c: (types[c], t) for c, t in columns.items() if types[c] != t}
        if changed:
            raise LoadError(f"{p.path}: column types differ from the last partition: {changed}")
        if own:
            check(list(types) == list(columns), f"{p.path}: columns {list(types)}, "
                                                f"the last partition has {list(columns)}")
    return PartitionedTable(table, columns, parts)


def check_order(splay, columns, symbols="name"):
    """Raises Corrupt unless the rows are sorted by `columns`. Symbols compare by name, by
    position in the domain ("index"), or only have to stay together ("together")."""
    keys = []
    for name in columns:
        f = splay.files[name]
        if isinstance(f.values, QEnum) and symbols != "name":
            data = f.values.data
            if symbols == "together":
                first = {}
                data = [first.setdefault(x, i) for i, x in enumerate(data)]
        elif f.type in (8, 9, 15):
            data = [-1e400 if v != v else v for v in splay.column(name)]
        else:
            data = splay.column(name)
        keys.append(data)
    before = None
    for i, row in enumerate(zip(*keys)):
        check(before is None or before <= row,
              f"{splay.path}: row {i} breaks the order by {columns}")
        before = row


def check_dates(table, column):
    """Raises Corrupt when a row of a table partitioned by date lies under another date than its
    `column` says."""
    for p in table.parts:
        f = p.splay.files[column]
        check(f.type in (12, 14, 15), f"{column} is no date")
        low, high = p.value, p.value + 1
        if f.type == 12:
            low, high = low * qipc.DAY_NS, high * qipc.DAY_NS
        data = f.values.data
        if data:
            check(min(data) >= low and max(data) < high,
                  f"{p.path}: rows from {qipc.show(f.type, min(data))} to "
                  f"{qipc.show(f.type, max(data))}")
