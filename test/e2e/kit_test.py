#!/usr/bin/env python3
"""The tools of the end-to-end tests against the shared vectors and the real kdb+ files."""
import array
import hashlib
import json
import math
import os
import shutil
import socket
import struct
import sys
import tempfile
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import kdbfiles as k
from kit import proc
from kit import qipc as q
from kit.model import Model, NotDefined, aggregate, like
from kit.tap import Tap, need_shared

tap = Tap()


def vectors(*kinds):
    with open(need_shared("data", "ipc-vectors.json")) as f:
        return [v for v in json.load(f) if v["kind"] in kinds]


def same(a, b, what):
    assert a == b, f"{what}: {a!r} is not {b!r}"


def refuses(body, error, what):
    try:
        body()
    except error:
        return
    raise AssertionError(f"{what} was accepted")


# ------------------------------------------------------------------------------------------- ipc

@tap.test("ipc: every value, function and message decodes and encodes to the same bytes")
def _():
    entries = vectors("value", "function", "message", "compression not applied")
    assert len(entries) >= 135, len(entries)
    for v in entries:
        raw = bytes.fromhex(v["hex"])
        kind, value = q.decode_message(raw)
        same(kind, raw[1], v["q"])
        same(q.message(value, kind).hex(), v["hex"], v["q"])


@tap.test("ipc: every value survives big-endian")
def _():
    for v in vectors("value", "function", "message"):
        kind, value = q.decode_message(bytes.fromhex(v["hex"]))
        big = q.message(value, kind, little=False)
        assert big[0] == 0
        kind2, value2 = q.decode_message(big)
        assert kind2 == kind and value2 == value, v["q"]
        same(q.message(value2, kind).hex(), v["hex"], v["q"])


@tap.test("ipc: compressed messages decode, and the greedy encoder makes the same bytes")
def _():
    entries = vectors("compressed")
    assert len(entries) >= 7, len(entries)
    for v in entries:
        raw = bytes.fromhex(v["hex"])
        plain = q.decompress(raw)
        if "uncompressed_hex" in v:
            same(plain.hex(), v["uncompressed_hex"], v["q"])
        same(q.compress(plain).hex(), v["hex"], v["q"])
        q.decode_message(raw)


@tap.test("ipc: handshakes are the bytes the description gives")
def _():
    wanted = {v["hex"] for v in vectors("handshake")}
    for user, password, capability in (("user", "pwd", 3), ("onlyuser", None, 3), ("", None, 3),
                                       ("user", "pwd", 6)):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.sendall(b"\x03")
            c = q.Connection(ours, user, password, capability)
            same(c.capability, 3, "capability")
            assert theirs.recv(100).hex() in wanted, (user, password, capability)


@tap.test("ipc: heads of messages above 2 and 4 GB read as lengths and counts")
def _():
    for v in vectors("large message, first bytes only"):
        raw = bytes.fromhex(v["hex_prefix"])
        little, _, packed, size = q.read_header(raw[:8])
        same(size, v["length"], v["q"])
        if v["q"].startswith("2") and not packed:
            reader = q.Reader(raw, pos=9)
            same(reader.attr_count(), (0, int(v["q"].split("#")[0])), v["q"])
    reader = q.Reader(bytes.fromhex("80" + "00ac420601000000"))
    same(reader.attr_count(), (0, 4400000000), "64-bit count")
    assert q.message(b"x", 0)[3] == 0


@tap.test("ipc: what the validator refuses is refused")
def _():
    for body in ("ff02", "0100030000000200", "f561", "07000200000001000000", "0705000000000000",
                 "07ffffffffff", "14000000000000", "0100020000000102", "6200", "700a",
                 "00ffffffff7f",
                 "6200630b000100000061000000020000000600000000000600000000" "00",
                 "6200630b0002000000610062000000020000000600010000000100000006000000000000",
                 "630b0001000000610006000000000000", "8061", "f90000"):
        refuses(lambda: q.decode(bytes.fromhex(body)), q.Malformed, body)
    deep = b"\x00\x00\x01\x00\x00\x00" * 5000 + b"\x00\x00\x00\x00\x00\x00"
    refuses(lambda: q.decode(deep), q.Malformed, "deep nesting")
    refuses(lambda: q.decode(b"\xff\x00\x00"), q.Malformed, "trailing bytes")
    good = bytes.fromhex(vectors("compressed")[3]["hex"])
    for at in range(12, len(good)):
        for cut in (good[:at], good[:at] + b"\xff" + good[at + 1:], good + b"\0"):
            cut = cut[:4] + struct.pack("<I", len(cut)) + cut[8:]
            try:
                q.decode_message(cut)
            except q.Malformed:
                pass


@tap.test("ipc: compression round trips on data of every texture")
def _():
    state = 1
    for size in (0, 1, 9, 17, 100, 2001, 20000):
        for texture in (1, 3, 17, 256):
            data = bytearray()
            for _ in range(size):
                state = state * 6364136223846793005 + 1442695040888963407 & 2**64 - 1
                data.append((state >> 33) % texture)
            plain = q.message(q.QVector(10, data))
            packed = q.compress(plain)
            assert packed is plain or len(packed) < len(plain) / 2
            same(q.decompress(packed) if packed is not plain else plain, plain, "round trip")


@tap.test("ipc: constructors give the types they name")
def _():
    t = q.table({"time": q.vec("timestamp", [0, None]), "sym": ["a", None], "px": [1.5, None],
                 "n": [1, 2], "note": [b"x", b"yz"], "ok": [True, False]})
    same([c.type if isinstance(c, q.QVector) else 0 for c in t.columns.values()],
         [12, 11, 9, 7, 0, 1], "column types")
    same(q.decode(q.encode(t)), t, "table")
    assert isinstance(q.lst(1, 2), q.QVector) and isinstance(q.lst(1, "a"), q.QList)
    same(q.ts("2000.01.04D05:36:57.600").value, 279417600000000, "timestamp")
    same(q.ts("2000-01-04T05:36:57.600Z").value, 279417600000000, "iso timestamp")
    same(q.show(12, 279417600000000), "2000.01.04D05:36:57.600000000", "timestamp text")
    same(q.date("2001.01.01").value, 366, "date")
    assert q.QVector(9, [1.0, math.nan]) == q.QVector(9, [1.0, -math.nan])
    assert q.QVector(9, [1.0]) != q.QVector(8, [1.0]) and q.long(1) != q.int_(1)
    same(q.dict_({"a": 1, "b": "x"})["b"], q.sym("x"), "dictionary")
    assert q.guid("8c680a01-5a49-5aab-5a65-d4bfddb6a661").value[0] == 0x8c
    names = [f"s{i}" for i in range(1000)]
    same(q.decode(q.encode(q.QVector(11, names))).data, names, "many symbols")


@tap.test("ipc: a connection calls, gets errors, sets pushes aside and refuses bad handshakes")
def _():
    def serve(listener):
        with listener.accept()[0] as s:
            assert s.recv(100) == b"me:pw\x03\x00"
            s.sendall(b"\x03")
            c = q.Connection.__new__(q.Connection)
            c.sock, c.capability, c.compressing = s, 3, False
            kind, call = c.receive()
            assert kind == q.SYNC and call == q.QList([q.text("f"), q.long(1), q.null()])
            c.send(q.from_py(["upd", "t", 1]))
            big = q.message(q.QVector(7, [7] * 5000), q.RESPONSE)
            for i in range(0, len(big), 3001):
                s.sendall(big[i:i + 3001])
            c.receive()
            c.send(q.QErrorReply("type"), q.RESPONSE)
            c.receive()
            s.sendall(q.compress(q.message(q.QVector(7, [7] * 5000), q.RESPONSE, True)))
            assert c.receive() == (q.ASYNC, q.QVector(10, b"bye"))
        listener.accept()[0].close()
        with listener.accept()[0] as s:
            s.recv(100)
            s.sendall(b"\x06")
        with listener.accept()[0] as s:
            s.recv(100)
            s.sendall(b"\x03\x01")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        failed = []

        def guarded():
            try:
                serve(listener)
            except Exception as e:
                failed.append(e)
                listener.close()
        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        with q.connect("127.0.0.1", port, "me", "pw", timeout=5) as c:
            same(c.call("f", 1, None), q.QVector(7, [7] * 5000), "answer")
            same(c.push(), q.from_py(["upd", "t", 1]), "push")
            refuses(lambda: c.sync("bad"), q.QError, "an error reply")
            same(len(c.sync("again")), 5000, "compressed answer")
            c.async_("bye")
        refuses(lambda: q.connect("127.0.0.1", port, timeout=5), q.AccessDenied, "a closed door")
        refuses(lambda: q.connect("127.0.0.1", port, timeout=5), q.Malformed, "a higher number")
        refuses(lambda: q.connect("127.0.0.1", port, timeout=5), q.Malformed, "two bytes")
        thread.join(5)
        assert not failed and not thread.is_alive(), failed


# ----------------------------------------------------------------------------------------- files

REPOS = ("torq-finance-starter-pack", "torq-air", "torq-air-g", "torq", "torq-crypto",
         "torq-crypto-zip", "advancedkdb", "memories", "dremio-kdb", "btick2", "kx-ml",
         "enterprise-components")


def expected():
    for repo in REPOS:
        root = need_shared("data", "kdb", repo)
        with open(os.path.join(root, "expected.json")) as f:
            for e in json.load(f):
                yield root, e


def domain_near(path, name, stop):
    """The symbol list `name` in the nearest directory above a column."""
    while path != stop:
        path = os.path.dirname(path)
        near = os.path.join(path, name)
        if os.path.isfile(near) and k.open_file(near).kind == "symbols":
            return k.read_symbols(near)
    return []


def shown(code, v):
    """A value as expected.json prints it."""
    if code in (1, 5, 6, 7):
        return str(int(v))
    if code == 10:
        return repr(v.decode("latin-1"))
    return q.show(code, v)


def close(a, b):
    return float(a) == b or math.isclose(float(a), b, rel_tol=1e-12)


def check_vector(e, v):
    code = v.type
    same(e["kind"], "vector " + q.NAMES[code], "kind")
    if not len(v):
        return
    same(shown(code, v[0]), e["first"], "first")
    same(shown(code, v[-1]), e["last"], "last")
    if code == 1:
        same(sum(v.data), e["true"], "true")
        return
    if code == 10:
        same(len(set(v.data)), e["distinct"], "distinct")
        same(v.data.count(b" "), e["spaces"], "spaces")
        same(sum(v.data), e["sum_bytes"], "sum_bytes")
        return
    known = [x for x in v.data if not q.is_null(code, x)]
    finite = [x for x in known if x not in (q.INF[code], -q.INF[code])]
    same(len(v) - len(known), e.get("nulls", 0), "nulls")
    same(len(known) - len(finite), e.get("infs", 0), "infs")
    if "sum" in e:
        if code in q.FLOATS:
            for name, of in (("min", min), ("max", max), ("sum", math.fsum)):
                assert close(e[name], of(finite)), (name, of(finite))
        else:
            same((shown(code, min(finite)), shown(code, max(finite)), str(sum(finite))),
                 (e["min"], e["max"], e["sum"]), "min, max, sum")
    else:
        assert not finite


def check_enum(e, f, domain):
    v = f.values
    same(f.kind, e["kind"], "kind")
    same(v.domain, e["domain"], "domain")
    if not len(v):
        return
    null = v.null()
    same(sum(i for i in v.data if i != null), e["index_sum"], "index_sum")
    same(v.data.count(null), e.get("nulls", 0), "nulls")
    same(len(set(v.data)), e["distinct"], "distinct")
    same(sum(1 for i, x in enumerate(v.data) if not i or x != v.data[i - 1]), e["runs"], "runs")
    if not domain:            # one database comes without its sym file
        assert "/tick/hdb/bid/" in f.path, f.path
        return
    try:
        names = v.names(domain)
    except IndexError:        # the sym file of another is older than its columns
        assert "/torq-air/" in f.path, f.path
        names = [domain[i] if 0 <= i < len(domain) else f"#{i}" for i in v.data]
    as_text = [("(null)" if i == null else s) for i, s in zip(v.data, names)]
    same((as_text[0], as_text[-1]), (e["first"], e["last"]), "first, last")
    top = [p.rsplit(":", 1)[0] for p in e["top"].split(", ")]
    counts = [f"{s}:{as_text.count(s)}" for s in top]
    same(", ".join(counts), e["top"], "top")


def check_columns(wanted, columns, domains):
    same([c["name"] for c in wanted], list(columns), "column names")
    for w, (name, c) in zip(wanted, columns.items()):
        same(len(c), w["rows"], f"rows of {name}")
        if isinstance(c, q.QEnum):
            same(w["type"], "enum:" + c.domain, name)
            c.names(domains(c.domain))
            same((str(c.data[0]), str(c.data[-1])), (w["first"], w["last"]), name)
            continue
        same(q.NAMES[c.type] if isinstance(c, q.QVector) else "list", w["type"].split(" ")[0], name)
        if isinstance(c, q.QVector) and len(c) and c.type not in (1,):
            same((shown(c.type, c[0]), shown(c.type, c[-1])), (w["first"], w["last"]), name)
        elif isinstance(c, q.QList) and len(c) and getattr(c[-1], "type", 0) == 10:
            assert f"('V', 10, 0, {c[-1].data.decode()!r})"[:40] == w["last"][:40], w["last"]


def calls_of(messages):
    totals = {}
    for m in messages:
        if not isinstance(m, q.QList) or len(m) != 3 or m[0] != q.sym("upd"):
            continue
        name, table, data = m
        if isinstance(data, q.QTable):
            rows = len(data)
        else:
            first = data[0]
            rows = 1 if isinstance(first, (q.QAtom, int, float, str)) else len(first)
        got = totals.setdefault((name.value, table.value), [0, 0])
        got[0] += 1
        got[1] += rows
    return "; ".join(f"{a} {b}: {n} msgs {r} rows" for (a, b), (n, r) in sorted(totals.items()))


def ends(strings):
    return repr(strings[0].data.decode()), repr(strings[-1].data.decode())


def check_entry(root, e):
    path = os.path.join(root, e["path"])
    with open(path, "rb") as f:
        raw = f.read()
    same((len(raw), hashlib.sha256(raw).hexdigest()), (e["bytes"], e["sha256"]), "the file itself")
    plain, container = k.inflate(raw)
    if "zip" in e:
        used = sorted({b[1] for b in container.blocks})
        same(f"v{container.version} alg={container.algorithm} lvl={container.level} "
             f"bs={container.block} blocks={len(container.blocks)} ulen={container.plain} "
             f"algs={','.join(map(str, used))}", e["zip"], "zip")
        same(hashlib.sha256(plain).hexdigest(), e["plain_sha256"], "inflated bytes")
    else:
        assert container is None
    kind = e["kind"]
    if kind == "anymap heap":
        same(len(k.read_heap(path)), e["heap_bytes"], "heap bytes")
        return
    if kind.startswith("old nested companion"):
        assert len(k.open_file(path[:-1]).values.data) == len(plain)
        return
    f = k.open_file(path)
    if "hdr_count" in e:
        same(f.header_count, e["hdr_count"], "header count")
    if "rows" in e:
        same(f.rows, e["rows"], "rows")
    if "attr" in e:
        same("".join(a for a, n in q.ATTRS.items() if n == f.attr), e["attr"], "attribute")
    if kind == "symbol list":
        names = f.values.data
        same((f.kind, names[0], names[-1]), ("symbols", e["first"], e["last"]), "names")
        same(sum(map(len, names)), e["chars"], "chars")
        same(" ".join(names), e.get("values", " ".join(names)), "names")
    elif kind.startswith("vector "):
        check_vector(e, f.values)
    elif kind in ("enum32", "enum64"):
        check_enum(e, f, domain_near(path, f.values.domain, root) if f.rows else [])
    elif kind.startswith("old nested "):
        v = f.values
        same(("old nested " + q.NAMES[v.kind], v.offsets[-1]), (kind, e["elements"]), "nested")
        if v.kind == 10:
            same(ends(v), (e["first"], e["last"]), "rows")
        else:
            for at, name in ((0, "first"), (-1, "last")):
                same("[" + " ".join(map(repr, v[at].tolist())) + "]", e[name], name)
            flat = [x for row in v for x in row]
            for name, of in (("min", min), ("max", max), ("sum", math.fsum)):
                assert close(e["flat"][name], of(flat)), (name, of(flat))
    elif kind == "anymap":
        v = f.values
        if "total_chars" in e:
            same(ends(v), (e["first"], e["last"]), "rows")
            same(sum(map(len, v)), e["total_chars"], "chars")
            same(sum(1 for s in v if not len(s)), e["empty"], "empty strings")
        elif e["first"].startswith("('atom'"):
            same(v[0], q.float_(1.0907025731743183), "first item")
            same(v[1], q.QVector(9, [3.0, 1.4161468365471424]), "second item")
        else:
            same([sorted(d.keys.columns) for d in v], [["sym"], ["ex", "sym"]], "keyed tables")
            same(v[0].keys["sym"].data[:3], ["AAPL", "AIG", "AMD"], "symbols")
            assert isinstance(v[1].keys["sym"], q.QEnum) and v[1].keys["sym"].attr == 3
    elif kind == "list/log":
        same((f.kind, f.rows, f.valid_bytes, f.spoilt is None),
             ("list", e["messages"], e["valid_bytes"], e["clean"]), "log")
        same(calls_of(f.values), e["by_call"], "calls")
    elif kind == "object/table":
        check_columns(e["columns"], f.values.columns, lambda d: domain_near(path, d, root))
    elif kind == "object/keyed table":
        check_columns(e["keys"], f.values.keys.columns, None)
        check_columns(e["values"], f.values.values.columns, None)
    elif kind == "object/dict":
        same(str(f.values.keys.data), e["keys"], "keys")
    else:
        raise AssertionError(f"unknown kind {kind}")


@tap.test("files: all real kdb+ files decode to what is known about them")
def _():
    seen = 0
    for root, e in expected():
        try:
            check_entry(root, e)
        except Exception as why:
            raise AssertionError(f"{root}/{e['path']} ({e['kind']}): {why!r}") from why
        seen += 1
    same(seen, 267, "files")


@tap.test("files: payloads of real parted and grouped columns are rebuilt")
def _():
    exact, parted, grouped = 0, 0, 0
    for root, e in expected():
        if e["kind"] in ("enum32", "enum64") and e["attr"] in ("p", "g"):
            path = os.path.join(root, e["path"])
            f = k.open_file(path)
            image, _ = k.read_plain(path)
            make = k.parted_payload if e["attr"] == "p" else k.grouped_payload
            want = make(f.values.data, e["kind"] == "enum64")
            head, width = (24, 4) if e["kind"] == "enum32" else (4096, 8)
            same(len(image), head + width * f.rows + len(want), e["path"])
            same(image.endswith(want), f.exact, e["path"])
            exact += f.exact
            parted += e["attr"] == "p"
            grouped += e["attr"] == "g"
    same((parted, grouped, exact), (16, 1, 8), "parted, grouped, rebuilt byte for byte")


@tap.test("files: the worked example of a payload, and each broken byte of it is found")
def _():
    values = array.array("q", [5, 5, 2, 6, 4, 3, 3, 3])
    want = k.parted_payload(values, True)
    slots = struct.unpack_from("<16q", want, 8 + 16 + 8 * 8 + 8)
    same(slots, (-1,) * 11 + (2, 0, 3, 1, 4), "slots")
    same(struct.unpack_from("<6q", want, len(want) - 48), (0, 2, 3, 4, 5, 8), "offsets")
    same((want[8], want[11]), (4, 2), "header of the keys")
    same(k.read_payload(want, 0, values, 3, True), (len(want), True), "exact")
    loose = [i for i in range(len(want)) if k_accepts(want, i, values)]
    same(loose, [*range(8), 9, 12, *range(64, 96), 225, 228], "bytes that may differ")
    refuses(lambda: k.read_payload(want[:-1], 0, values, 3, True), k.Corrupt, "a short payload")
    back = array.array("q", [1, 2, 1])
    refuses(lambda: k.parted_payload(back), k.Corrupt, "a value that returns")
    same(len(k.parted_payload(array.array("q"))), 4176 - 4096, "empty, 64 bit")
    same(len(k.parted_payload(array.array("i"), False)), 104 - 24, "empty, 32 bit")


def k_accepts(want, i, values):
    try:
        k.read_payload(want[:i] + bytes((want[i] ^ 1,)) + want[i + 1:], 0, values, 3, True)
        return True
    except k.Corrupt:
        return False


def put(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


def vector(kind, data, attr=0, count=None):
    v = q.QVector(q.CODES[kind], data)
    raw = v.data if v.type in (2, 10) else v.data.tobytes()
    n = len(v) if count is None else count
    return struct.pack("<BBBBiq", 0xfe, 0x20, v.type, attr, 0, n) + raw


def symbols(*names, count=None):
    n = len(names) if count is None else count
    return b"\xff\x01\x0b\0" + struct.pack("<i", n) + b"".join(s.encode() + b"\0" for s in names)


def enum64(data, attr=0, domain=b"sym"):
    data = array.array("q", data)
    page = (b"\xfd\x20" + bytes(14) + domain).ljust(4080, b"\0")
    page += struct.pack("<HBBiq", 0xfd, 20, attr, 0, len(data))
    return page + data.tobytes() + (k.parted_payload(data) if attr == 3 else b"")


def small_db(root, dates=("2024.01.01", "2024.01.02"), where=None):
    put(f"{root}/sym", symbols("a", "b", "c"))
    for i, d in enumerate(dates):
        base = f"{where[i % len(where)] if where else root}/{d}"
        put(f"{base}/t/.d", symbols("sym", "n"))
        put(f"{base}/t/sym", enum64([0, 0, 2], 3))
        put(f"{base}/t/n", vector("long", [1, 2, 3 + i]))
    return root


@tap.test("files: vectors are sized by their length, and lies are found")
def _():
    with tempfile.TemporaryDirectory() as d:
        def reads(data):
            put(f"{d}/x", data)
            return k.open_file(f"{d}/x")
        same(reads(vector("long", [1, 2], count=0)).rows, 2, "rows")
        same(reads(vector("guid", [bytes(16)] * 3)).rows, 3, "guids")
        same(reads(vector("timestamp", [None, 1, 2], 1)).attr, 1, "sorted")
        for bad, what in ((vector("long", [2, 1], 1), "a false sorted"),
                          (vector("float", [1.0, math.nan], 1), "a null after a value"),
                          (vector("long", [1]) + b"\0", "padding"), (b"\xfe\x20\x07", "a stump"),
                          (vector("boolean", [1])[:-1] + b"\2", "a boolean 2"),
                          (b"\xfe\x20\x0b" + bytes(13), "a plain symbol vector"),
                          (b"#!/bin/sh\n", "a script"), (symbols("a")[:-1], "an open name"),
                          (symbols("a", count=2), "a name too few"),
                          (enum64([-1]), "a position -1"),
                          (enum64([0, 0], 3)[:-8], "a cut payload"),
                          (enum64([0]).replace(b"\xfd\x20\0", b"\xfd\x20\1", 1), "a page byte"),
                          (b"kxzipped" + bytes(48), "an empty container"),
                          (b"\xff\x01\x07\0\1\0\0\0" + bytes(9), "a byte after an object")):
            refuses(lambda: reads(bad), k.Corrupt, what)
        refuses(lambda: reads(b"kxzippEd" + bytes(60)), k.Unsupported, "an encrypted file")
        refuses(lambda: reads(vector("float", [1.0], 3)), k.Unsupported, "parted floats")
        torn = reads(b"\xff\x01\0\0\0\0\0\0" + q.encode(q.from_py(["upd", "t", 1])) + b"\0\0\3")
        same((torn.rows, torn.valid_bytes, torn.spoilt is None), (1, 31, False), "a torn log")
        ints = array.array("i", [4, 4, 9])
        f = reads(struct.pack("<BBBBiq", 0xfe, 0x20, 6, 3, 0, 3) + ints.tobytes()
                  + k.parted_payload(ints, False, 6))
        same((f.rows, f.exact), (3, True), "parted ints")


@tap.test("db: real databases load and stray files break them")
def _():
    root = need_shared("data", "kdb")
    db = k.load_db(os.path.join(root, "dremio-kdb/src/test/resources/data/db"))
    same((db.virtual, len(db.partitions)), ("date", 2), "partitions")
    same((set(db.tables), set(db.objects)), ({"trade"}, {"daily", "depth", "mas", "sym"}), "names")
    assert db.table("trade").rows > 15271 and db.table("trade").parts[0].rows == 15271
    same(len(k.load_db(os.path.join(root, "memories/db")).table("memories").tuples()), 7, "splayed")
    same(sorted(k.load_db(os.path.join(root, "torq/tests/dataaccess/queryorder/hdb")).tables)[-1:],
         ["quote"], "tables")
    with tempfile.TemporaryDirectory() as d:
        db = k.load_db(small_db(f"{d}/db"), own=True)
        same(db.table("t").tuples(), [("a", 1), ("a", 2), ("c", 3), ("a", 1), ("a", 2), ("c", 4)],
             "rows")
        put(f"{d}/db/keep$", b"x")
        put(f"{d}/db/html/x", b"x")
        same(len(k.load_db(f"{d}/db").partitions), 2, "names that are skipped")
        same(k.load_db(f"{d}/db/2024.01.01/t").splayed["t"].names(), ["sym", "n"], "one table")


@tap.test("db: everything that breaks a load is refused")
def _():
    spoil = {
        "a text file": lambda r: put(f"{r}/README.md", b"hello"),
        "a hidden file": lambda r: put(f"{r}/.DS_Store", b"\0" * 20),
        "a lock file": lambda r: put(f"{r}/lock", b""),
        "a directory without .d": lambda r: os.mkdir(f"{r}/tmp"),
        "a script": lambda r: put(f"{r}/x.q", b"1+1"),
        "a partition of another kind": lambda r: os.mkdir(f"{r}/2024.01"),
        "a date that is none": lambda r: os.mkdir(f"{r}/2024.02.30"),
        "a digit name": lambda r: put(f"{r}/1.txt", b""),
        "par.txt beside partitions": lambda r: put(f"{r}/par.txt", b"x\n"),
        "a stray file in the last partition": lambda r: put(f"{r}/2024.01.02/x", b""),
        "a table missing in an older one": lambda r: shutil.rmtree(f"{r}/2024.01.01/t"),
        "a column missing": lambda r: os.remove(f"{r}/2024.01.01/t/n"),
        "columns of different counts": lambda r: put(f"{r}/2024.01.01/t/n", vector("long", [1])),
        "a type that changed": lambda r: put(f"{r}/2024.01.01/t/n", vector("int", [1, 2, 3])),
        "a position outside the domain": lambda r: put(f"{r}/sym", symbols("a")),
        "no domain": lambda r: os.remove(f"{r}/sym"),
        "a symbol twice": lambda r: put(f"{r}/sym", symbols("a", "b", "a")),
    }
    for what, how in spoil.items():
        with tempfile.TemporaryDirectory() as d:
            how(small_db(f"{d}/db"))
            refuses(lambda: k.load_db(f"{d}/db"), k.LoadError, what)
    for what, how in {
            "a stale count": lambda r: put(f"{r}/2024.01.01/t/n",
                                           vector("long", [1, 2, 3], count=0)),
            "a file .d does not name": lambda r: put(f"{r}/2024.01.01/t/x", b""),
            "another order of columns": lambda r: put(f"{r}/2024.01.01/t/.d", symbols("n", "sym")),
            "a stray file in an older partition": lambda r: put(f"{r}/2024.01.01/x", b"")}.items():
        with tempfile.TemporaryDirectory() as d:
            how(small_db(f"{d}/db"))
            k.load_db(f"{d}/db")
            refuses(lambda: k.load_db(f"{d}/db", own=True), k.Corrupt, what)


@tap.test("db: par.txt with relative and absolute lines, the same date in two segments")
def _():
    with tempfile.TemporaryDirectory() as d:
        small_db(f"{d}/db", ("2024.01.01", "2024.01.01", "2024.01.02"), (f"{d}/s1", f"{d}/s2"))
        put(f"{d}/db/par.txt", f"../s1\n{d}/s2".encode())
        db = k.load_db(f"{d}/db")
        same([p[0] for p in db.partitions], [8766, 8766, 8767], "dates")
        same(db.table("t").rows, 9, "rows")
        put(f"{d}/s1/stray", b"")
        refuses(lambda: k.load_db(f"{d}/db"), k.LoadError, "a stray file in a segment")
        os.remove(f"{d}/s1/stray")
        for bad in (b"../s1/\n", b"../none\n", b"../s1\n\n"):
            put(f"{d}/db/par.txt", bad)
            refuses(lambda: k.load_db(f"{d}/db"), k.LoadError, bad)
        os.mkdir(f"{d}/s3")
        put(f"{d}/db/par.txt", b"../s3\n")
        refuses(lambda: k.load_db(f"{d}/db"), k.LoadError, "empty segments")
        for names, kind in ((("2024.01", "2023.12"), "month"), (("2024", "2025"), "year"),
                            (("2", "11", "0"), "int")):
            small_db(f"{d}/{kind}", names)
            db = k.load_db(f"{d}/{kind}")
            same((db.virtual, [p[0] for p in db.partitions] == sorted(p[0] for p in db.partitions)),
                 (kind, True), kind)


@tap.test("db: order and dates of rows are checked")
def _():
    with tempfile.TemporaryDirectory() as d:
        put(f"{d}/sym", symbols("b", "a"))
        put(f"{d}/2024.01.01/t/.d", symbols("sym", "time"))
        put(f"{d}/2024.01.01/t/sym", enum64([0, 0, 1], 3))
        day = 8766 * q.DAY_NS
        put(f"{d}/2024.01.01/t/time", vector("timestamp", [day, day + 5, day + 1]))
        table = k.load_db(d).table("t")
        splay = table.splays()[0]
        k.check_order(splay, ["sym", "time"], "index")
        k.check_order(splay, ["sym", "time"], "together")
        refuses(lambda: k.check_order(splay, ["sym"]), k.Corrupt, "order by name")
        refuses(lambda: k.check_order(splay, ["time"]), k.Corrupt, "order by time")
        k.check_dates(table, "time")
        put(f"{d}/2024.01.01/t/time", vector("timestamp", [day, day + 5, day + q.DAY_NS]))
        refuses(lambda: k.check_dates(k.load_db(d).table("t"), "time"), k.Corrupt, "a foreign date")


# ----------------------------------------------------------------------------------------- model

def trades():
    m = Model([("time", "timestamp"), ("sym", "symbol"), ("price", "float"), ("size", "long"),
               ("side", "char"), ("note", "string"), ("id", "guid")], "time")
    day = q.parse_timestamp("2024.01.02")
    m.add([(day + 3, "a", 1.5, 10, b"B", b"x", bytes(16)),
           (day + 1, "b", 2.5, 20, b"S", b"", b"1" * 16)])
    m.add([(day + 2, "a", math.nan, 30, b"B", b"yy", None),
           (day + 2, "a", 4.0, None, b"S", b"x", None)])
    m.add([(day + q.DAY_NS, "", 0.5, 5, b" ", b"z", None)])
    return m, day


@tap.test("model: missing, doubled and foreign rows are told apart")
def _():
    m, _ = trades()
    rows = list(m.kept.rows())
    m.assert_same(rows)
    m.assert_same([rows[:2], rows[2:][::-1]])
    r = m.compare([rows[:2] + rows[3:] + rows[:1] + [rows[1][:3] + (21,) + rows[1][4:]]])
    same(r.counts, {"missing": 1, "doubled": 1, "foreign": 1}, "counts")
    same((r.doubled[0][0], r.foreign[0][0][3]), (rows[0], 21), "rows")
    assert r.missing[0][0][:2] == rows[2][:2] and "1 missing" in str(r) and not r.ok
    same(m.compare([rows + rows]).counts["doubled"], 5, "everything twice")
    same(m.compare([[]]).counts["missing"], 5, "nothing")
    refuses(lambda: m.assert_same([rows[1:]]), AssertionError, "a missing row")
    for value in (-1, -2):
        a = Model([("time", "timestamp"), ("x", "long")], "time")
        a.add([(0, value)])
        same(a.compare([[(0, -3 - value)]]).counts["foreign"], 1, "-1 is not -2")


@tap.test("model: a row in doubt may be there once, and settles")
def _():
    m, day = trades()
    rows = list(m.kept.rows())
    maybe = [(day, "q", 1.0, 1, b"B", b"", None), (day, "r", 1.0, 1, b"B", b"", None)]
    m.doubt(maybe)
    there = tuple(bytes(16) if v is None else v for v in maybe[1])
    m.assert_same([rows])
    m.assert_same([rows, [there]])
    same(m.compare([rows, [there, there]]).counts["doubled"], 1, "twice")
    same((m.settle([rows, [there]]), len(m), len(m.doubted)), (1, 6, 0), "settled")
    same(m.compare([rows]).counts["missing"], 1, "settled rows count")


@tap.test("model: rows on disk and in answers compare with the model")
def _():
    m = Model([("sym", "symbol"), ("time", "timestamp"), ("s", "string"), ("f", "float")], "time")
    day = 8766 * q.DAY_NS
    m.add([("a", day, b"one", 1.0), ("b", day + 5, b"", math.nan)])
    t = q.table({"sym": ["b", "a"], "time": q.vec("timestamp", [day + 5, day]), "s": [b"", b"one"],
                 "f": q.vec("float", [-math.nan, 1.0])})
    m.assert_same(t)
    rest = q.QTable({n: t[n] for n in ("time", "s", "f")})
    m.assert_same(q.QDict(q.QTable({"sym": t["sym"]}), rest))
    refuses(lambda: m.assert_same(q.QTable({**t.columns, "f": q.QVector(8, [math.nan, 1.0])})),
            AssertionError, "another type")
    with tempfile.TemporaryDirectory() as d:
        put(f"{d}/sym", symbols("a", "b"))
        put(f"{d}/2024.01.01/t/.d", symbols("sym", "time", "s", "f"))
        put(f"{d}/2024.01.01/t/sym", enum64([0, 1], 3))
        put(f"{d}/2024.01.01/t/time", vector("timestamp", [day, day + 5]))
        put(f"{d}/2024.01.01/t/f", vector("float", [1.0, math.nan]))
        page = (b"\xfd\x20").ljust(4080, b"\0")
        put(f"{d}/2024.01.01/t/s",
            page + struct.pack("<HBBiq2Q", 0x1fd, 77, 0, 0, 2, 1 << 56, 1 << 56 | 5))
        put(f"{d}/2024.01.01/t/s#", page + b"\xfd\0\4" + bytes(13) + b"\x89\3one\x89\0")
        db = k.load_db(d, own=True)
        m.assert_same(db.table("t"))
        m.add([("c", day, b"", 0.0)])
        same(m.compare(db.table("t")).counts["missing"], 1, "a row that is not on disk")
        put(f"{d}/2024.01.01/t/s#", page + b"\xfd\0\4" + bytes(13) + b"\x89\3one\x89\0\1")
        refuses(lambda: k.load_db(d), k.Corrupt, "a heap byte that belongs to nobody")


@tap.test("model: aggregations follow q, nulls and all")
def _():
    n, nn = q.NULL[7], math.nan
    for name, code, x, want in (
            ("sum", 7, [2, 3, n, 7], (7, 12)), ("sum", 9, [nn, 8.0], (9, 8.0)),
            ("sum", 7, [], (7, 0)),
            ("sum", 1, [1, 1, 0], (6, 2)), ("sum", 7, [2**63 - 1, 1], (7, -2**63)),
            ("prd", 7, [2, 3, n, 7], (7, 42)), ("avg", 9, [1.0, nn, 2.0, 3.0], (9, 2.0)),
            ("avg", 1, [1, 0, 1], (9, 2 / 3)), ("max", 7, [n, 5, n, 1], (7, 5)),
            ("max", 7, [n, n], (7, -q.INF[7])), ("min", 9, [nn], (9, math.inf)),
            ("min", 10, [b"g", b"e"], (10, b"e")), ("first", 7, [n, 1], (7, n)),
            ("last", 11, [], (11, "")),
            ("count", 7, [n, n], (7, 2)), ("all", 7, [1, n], (1, 1)), ("any", 7, [0, 0], (1, 0)),
            ("all", 14, [0], (1, 0)), ("any", 10, [b" ", b"\0"], (1, 1)), ("all", 7, [], (1, 1)),
            ("distinct", 11, ["b", "a", "b"], (0, ["b", "a"]))):
        same(aggregate(name, code, x), want, f"{name} {x}")
    for name, x, want in (("dev", [10, 343, 232, 55], 134.3484),
                          ("sdev", [10, 343, 232, 55], 155.1322),
                          ("var", [2, 3, 5, 7], 3.6875), ("svar", [2, 3, 5, 7], 4.916667)):
        assert math.isclose(aggregate(name, 7, x)[1], want, rel_tol=1e-6), name
    for name, w, x, want in (("wavg", [2, n, 4, 5], [1, 2, n, 8], 6.0),
                             ("wavg", [2, 3, 4], [1, 2, 4], 8 / 3),
                             ("wsum", [2, 3, 4], [1, 2, 4], 24.0),
                             ("cov", [2, 3, 5, 7], [3, 3, 5, 9], 4.5),
                             ("scov", [2, 3, 5, 7], [3, 3, 5, 9], 6.0),
                             ("cor", [29, 10, 54], [1, 3, 9], 0.7727746),
                             ("cor", [1, 3, n], [1, 3, 9], 1.0)):
        assert math.isclose(aggregate(name, 7, x, w, 7)[1], want, rel_tol=1e-6), name
    for got in (aggregate("cor", 7, [1, 3, 9], [1, 1, 1], 7), aggregate("avg", 7, [n]),
                aggregate("svar", 7, [1])):
        assert got[1] != got[1]
    refuses(lambda: aggregate("sum", 11, ["a"]), NotDefined, "a sum of symbols")
    for pattern, yes, no in (("qu?ck", "quick", "quuick"), ("br[ao]wn", "brawn", "brewn"),
                             ("br[^o]wn", "brawn", "brown"), ("quick*", "quickly", "quic"),
                             ("*", "", None), ("[a-c]*.x", "b1.x", "d.x"), ("a.b", "a.b", "axb"),
                             ("*b*b*", "abcb", "abc")):
        assert like(pattern)(yes.encode()), pattern
        assert no is None or not like(pattern)(no.encode()), pattern


@tap.test("model: filters, groups, sorting, limits and fills")
def _():
    m, day = trades()

    def col(args, name="size"):
        a = m.get_data(args)
        return a.columns[a.names.index(name)]
    n = q.NULL[7]
    same(col({}), [20, 30, n, 10, 5], "by time, then position")
    same(col({"startTS": day + 2, "endTS": "2024.01.03D00:00:00.000000000"}), [30, n, 10], "range")
    for f, want in (([("=", "sym", "a")], [30, n, 10]), ([("<>", "sym", "a")], [20, 5]),
                    ([("<", "size", 10)], [n, 5]), ([("<=", "price", None)], [30]),
                    ([(">", "price", 2), (">=", "size", 20)], [20]),
                    ([("in", "side", [b"S"])], [20, n]),
                    ([("like", "note", "y*")], [30]), ([("within", "size", (10, 20))], [20, 10]),
                    ([("or", ("=", "size", 5), ("not", (">", "price", None)))], [30, 5]),
                    ([("and", ("=", "sym", ""), ("=", "side", b" "))], [5]),
                    ([("=", "price", None)], [30])):
        same(col({"filter": f}), want, f)
    same(col({"sortCols": ["sym", "asc", "size", "desc"]}), [5, 30, 10, n, 20], "sorted")
    same(col({"limit": -2}), [10, 5], "the last ones")
    same(col({"fill": "forward"}), [20, 30, 30, 10, 5], "forward")
    same(col({"fill": "zero"}, "price"), [2.5, 0.0, 4.0, 1.5, 0.5], "zero")
    a = m.get_data({"groupBy": ["sym"], "agg": [
        ("n", "count", "size"), ("p", "last", "price"), ("v", "wavg", ("size", "price")),
        ("d", "distinct", "side")]})
    same(a.rows()[0], ("", 1, 0.5, 0.5, [b" "]), "first group")
    same((a.rows()[1][:3], a.names), (("a", 3, 1.5), ["sym", "n", "p", "v", "d"]), "second group")
    same(a.types, [11, 7, 9, 9, 0], "types")
    total = [("s", "sum", "size")]
    same(m.get_data({"agg": total, "filter": [("=", "sym", "none")]}).rows(), [(0,)], "no rows")
    same(len(m.get_data({"agg": total, "groupBy": ["sym"], "endTS": 0})), 0, "no groups")
    same(col({"temporality": "slice", "startTS": day + 1, "endTS": day + q.DAY_NS + 3}),
         [20, 30, n], "slice")
    same(m.get_data({}, upto=2).columns[3], [20, 10], "a prefix")


@tap.test("model: answers are accepted in any order that is free, and refused when wrong")
def _():
    m, day = trades()

    def answer(args):
        a = m.get_data(args)
        columns = {}
        for n, t, c in zip(a.names, a.types, a.columns):
            t = 9 if t == "number" else t
            columns[n] = q.QList(map(q.text, c)) if t == 0 else q.QVector(t, c)
        return a, q.QTable(columns)
    a, t = answer({})
    a.check(t)
    back = q.QTable({n: q.QVector(c.type, c.tolist()[::-1]) if isinstance(c, q.QVector)
                     else q.QList(c.items[::-1]) for n, c in t.columns.items()})
    a.check(back)
    s, _ = answer({"sortCols": ["size"]})
    refuses(lambda: s.check(back), AssertionError, "rows out of order")
    wrong = q.QTable({**t.columns, "size": q.QVector(7, [20, 30, 0, 10, 5])})
    refuses(lambda: a.check(wrong), AssertionError, "a wrong value")
    refuses(lambda: a.check(q.QTable({**t.columns, "size": q.QVector(6, [20, 30, None, 10, 5])})),
            AssertionError, "a wrong type")
    turned = q.QTable(dict(reversed(t.columns.items())))
    refuses(lambda: a.check(turned), AssertionError, "columns turned")
    args = {"groupBy": ["sym"], "agg": [("v", "avg", "price"), ("w", "wsum", ("size", "price"))]}
    a, t = answer(args)
    a.check(t)
    a.check(q.QDict(q.QTable({"sym": t["sym"]}), q.QTable({"v": t["v"], "w": t["w"]})))
    near = q.QTable({**t.columns, "v": q.QVector(9, [v * (1 + 1e-12) for v in t["v"]])})
    far = q.QTable({**t.columns, "v": q.QVector(9, [v * (1 + 1e-6) for v in t["v"]])})
    a.check(near)
    refuses(lambda: a.check(far), AssertionError, "a wrong average")
    args = {"limit": 2}
    a, t = answer({**args, "limit": -2})
    m.check_answer({"limit": 2}, t)
    refuses(lambda: m.check_answer({"limit": 3}, t), AssertionError, "too few rows")
    _, t = answer({"agg": ["sym"]})
    m.check_answer_between({"agg": ["sym"]}, t, 3, 5)
    refuses(lambda: m.check_answer_between({"agg": ["sym"]}, t, 0, 4), AssertionError,
            "another state")


# -------------------------------------------------------------------------------------- processes

@tap.test("proc: assemblies are the YAML that was meant")
def _():
    with proc.workdir() as d:
        a = proc.write_assembly(f"{d}/a.yaml", sm_port=5000, da_port=5001, freq="0D00:00:05")
        with open(a.path) as f:
            text = f.read()
        for line in ("name: e2e", "  trade:", '          freq: "0D00:00:05"', "        port: 5001",
                     f'    baseURI: "file://{d}/idb"', "      -\n        name: time\n",
                     "    port: 5000"):
            assert line in text, (line, text)
        same((a.sm_port, a.da_port, a.idb), (5000, 5001, f"{d}/idb"), "assembly")
        same(proc.yaml_text({"a": [1, {"b": "x", "c": []}], "d": "12:30", "e": True, "f": {}}),
             'a:\n  - 1\n  -\n    b: x\n    c: []\nd: "12:30"\ne: true\nf: {}\n', "yaml")
    assert not os.path.exists(d) or os.environ.get("KEEP")
    ports = {proc.free_port() for _ in range(20)}
    same(len(ports), 20, "ports")


@tap.test("proc: a process starts, is seen ready, answers HTTP, and is stopped or killed")
def _():
    # A stand-in for the binary: serves /readyz and logs an event.
    script = ("#!/usr/bin/env python3\nimport http.server, sys\n"
              "class H(http.server.BaseHTTPRequestHandler):\n"
              "    def do_GET(self):\n"
              "        ok = self.path == '/readyz'\n"
              "        self.send_response(200 if ok else 404); self.end_headers()\n"
              "        self.wfile.write(b'[1]')\n"
              "    def do_POST(self):\n"
              "        n = int(self.headers['Content-Length']); b = self.rfile.read(n)\n"
              "        self.send_response(200); self.end_headers(); self.wfile.write(b)\n"
              "s = http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), H)\n"
              "print('event=start port=' + sys.argv[1], file=sys.stderr, flush=True)\n"
              "s.serve_forever()\n")
    before = os.environ.get("SILT")
    with proc.workdir() as d:
        try:
            put(f"{d}/silt", script.encode())
            os.chmod(f"{d}/silt", 0o755)
            os.environ["SILT"] = f"{d}/silt"
            port = proc.free_port()
            p = proc.start([port], folder=d, name="stand-in").wait_ready(port=port)
            p.wait_ready(line="event=start")
            same(p.events("start"), [{"event": "start", "port": str(port)}], "events")
            url = f"http://127.0.0.1:{port}/x?a=1"
            same(proc.http_request("GET", url).status, 404, "status")
            same(proc.http_request("POST", url, {"a": 1}).json(), {"a": 1}, "json")
            same(p.terminate(), -15, "status")
            p = proc.start([port], folder=d).wait_ready(port=port)
            p.kill9()
            assert not p.running()
            refuses(lambda: proc.start(["x"], folder=d).wait_ready(port=port), AssertionError,
                    "a dead process")
            same(proc.run(["x"], folder=d).returncode, 1, "run")
        finally:
            if before is None:
                del os.environ["SILT"]
            else:
                os.environ["SILT"] = before


if __name__ == "__main__":
    tap.run()
