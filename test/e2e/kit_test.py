#!/usr/bin/env python3
"""The tools of the end-to-end tests against the shared vectors and the real kdb+ files."""
import json
import math
import os
import socket
import struct
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import qipc as q
from kit.tap import Skip, Tap, need_shared

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
                 "07ffffffffff", "14000000000000", "0100020000000102", "6200", "700a", "00ffffffff7f",
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


if __name__ == "__main__":
    tap.run()
