#!/usr/bin/env python3
"""Seeds for the fuzzers of kdb+ files, cut from real files.

    tools/fuzz_seeds.py FOLDER       writes FOLDER/<fuzzer>/...; does nothing when no real files are there

The files are those of data/kdb in the folder that SILT_SHARED names (or ../shared), each described in an
expected.json; see test/golden/expected.h. Each fuzzer's own comment says how its input is laid out.
"""
import json
import os
import struct
import sys
import zlib

SEED_MAX = 16384
HEADER_PAGE = 4096


def plain(data):
    """The plain bytes of a file; None when it is compressed by something that is not gzip."""
    if data[:8] != b"kxzipped":
        return data
    count = struct.unpack("<q", data[-8:])[0]
    trailer = len(data) - 8 * (5 + count)
    out, at = b"", 8
    for i in range(count):
        size, codec = struct.unpack_from("<II", data, trailer + 32 + 8 * i)
        block = data[at:at + size]
        at += size
        if codec not in (0, 2):
            return None
        out += zlib.decompress(block) if codec == 2 else block
    return out


def enumeration(data):
    wide = data[0] == 0xFD
    attr, count, head = (data[4083], 4088, 4096) if wide else (data[11], 16, 24)
    rows = struct.unpack_from("<q", data, count)[0]
    body = data[head:]
    if len(body) > SEED_MAX or rows > 0xFFFF:
        return None
    return bytes([wide, attr]) + struct.pack("<H", rows) + body


def nested(data, companion):
    rows = min(255, (len(data) - 16) // 8)
    counts = struct.unpack_from(f"<{rows}q", data, 16)
    if not rows or counts[-1] > 32767:
        rows = min(rows, 16)
        counts = counts[:rows]
    return bytes([data[2] - 77, rows]) + struct.pack(f"<{rows}h", *counts) + companion[:SEED_MAX]


def anymap(data, heap, names):
    rows = min(255, (len(data) - HEADER_PAGE) // 8)
    heap, names = heap[HEADER_PAGE:HEADER_PAGE + SEED_MAX], names[8:][:255]
    out = bytes([rows, len(names)])
    for reference in struct.unpack_from(f"<{rows}Q", data, HEADER_PAGE):
        out += struct.pack("<HB", reference & 0xFFFF, reference >> 56)
    return out + names + heap


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except FileNotFoundError:
        return b""


def blocks(data):
    """The blocks of a container, as codec_fuzz wants them."""
    count = struct.unpack("<q", data[-8:])[0]
    trailer = len(data) - 8 * (5 + count)
    block_size, at = struct.unpack_from("<q", data, trailer + 24)[0], 8
    for i in range(count):
        size, codec = struct.unpack_from("<II", data, trailer + 32 + 8 * i)
        if size <= 65536:
            yield bytes([codec, data[trailer + 5]]) + struct.pack("<H", min(block_size // 4, 65535)) + data[at:at + size]
        at += size


def entry(kind, name, data=b""):
    """One entry of a tree, as walk_fuzz wants them."""
    return bytes([kind, len(name)]) + name.encode() + struct.pack("<H", len(data)) + data


def tree(top):
    """A folder with its small files."""
    out = b""
    for folder, _, files in sorted(os.walk(top)):
        for name in sorted(files):
            path = os.path.join(folder, name)
            data = read(path)
            if len(data) <= 4096 and len(out) < 2 * SEED_MAX - 5000:
                out += entry(0, os.path.relpath(path, top), data)
    return out


def trees():
    """Databases of every shape, made of one column."""
    column = b"\xfe\x20\x07\0\0\0\0\0\2" + bytes(7) + bytes(16)
    index = b"\xfe" + b"sym".ljust(15, b"\0") + b"\2" + bytes(7) + bytes(8)
    names = b"\xff\x01\x0b\0\2\0\0\0"
    for parts in (["2024.01.01", "2024.01.02"], ["2024.01"], ["2024"], ["7", "12"], ["s/2024.01.01", "r/2024.01.01"]):
        out = entry(0, "sym", names + b"A\0B\0")
        for part in parts:
            out += entry(0, part + "/t/.d", names + b"x\0s\0") + entry(0, part + "/t/x", column)
            out += entry(0, part + "/t/s", index)
        if "/" in parts[0]:
            out += entry(0, "par.txt", b"s\r\nr\n") + entry(2, "l", b"s")
        yield out
    yield entry(0, ".d", names + b"x\0") + entry(0, "x", column)
    yield entry(2, "2024.01.01", b"2024.01.01") + entry(0, "par.txt", b"l\n") + entry(2, "l", b".")


def main():
    root = os.path.join(os.environ.get("SILT_SHARED", "../shared"), "data/kdb")
    made = {}

    def seed(fuzzer, data):
        if not data:
            return
        folder = os.path.join(sys.argv[1], fuzzer)
        os.makedirs(folder, exist_ok=True)
        made[fuzzer] = made.get(fuzzer, 0) + 1
        with open(os.path.join(folder, f"seed-{made[fuzzer]:03}"), "wb") as f:
            f.write(data)

    for text in (b"one\ntwo\n", b"one\r\n\r\ntwo \t\n", b"s3://bucket/db/\n/disk/db/\none\none", b"\n"):
        seed("par_fuzz", text)
    for made_tree in trees():
        seed("walk_fuzz", made_tree)
    if not os.path.isdir(root):
        print(f"fuzz_seeds: no {root}: fuzzers of kdb+ files start from nothing", file=sys.stderr)
        return
    for folder in sorted(os.listdir(root)):
        for top, folders, _ in sorted(os.walk(os.path.join(root, folder))):
            if any(f[:1].isdigit() for f in folders):
                seed("walk_fuzz", tree(top))
        description = os.path.join(root, folder, "expected.json")
        if not os.path.exists(description):
            continue
        with open(description, encoding="utf-8") as f:
            entries = json.load(f)
        for entry in entries:
            path, kind = os.path.join(root, folder, entry["path"]), entry["kind"]
            stored = read(path)
            data = plain(stored)
            if "zip" in entry and len(stored) <= 4 * SEED_MAX:
                seed("container_fuzz", stored)
            if "zip" in entry:
                for block in blocks(stored):
                    if made.get("codec_fuzz", 0) < 60:
                        seed("codec_fuzz", block)
            if data is None:
                continue
            if len(data) <= SEED_MAX:
                seed("vector_fuzz", data)
            if kind.startswith("enum"):
                seed("enumeration_fuzz", enumeration(data))
            elif kind.startswith("old nested") and "companion" not in kind:
                seed("nested_fuzz", nested(data, plain(read(path + "#"))))
            elif kind == "anymap":
                seed("anymap_fuzz", anymap(data, plain(read(path + "#")), read(path + "##")))
            elif kind.startswith("object") and len(data) <= SEED_MAX:
                seed("object_fuzz", data)
            elif kind == "list/log" and len(data) <= SEED_MAX:
                seed("tplog_fuzz", data)
    print("fuzz_seeds: " + ", ".join(f"{n} {f}" for f, n in sorted(made.items())))


main()
