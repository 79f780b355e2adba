#!/usr/bin/env python3
"""Damaged files: bits flipped, ends cut off, pages zeroed, files emptied, lost or exchanged. Nobody
crashes or hangs; a reader answers right or says which file is bad; silt check --deep names what is
broken, whatever it is, and never calls a healthy tree damaged. A reader compares no checksums: a value
that is changed within a column's rows and breaks no order, index or range is answered as it stands
until the scrub has found it. Such cases are counted."""
import os
import random
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import proc, qipc as q, trades
from kit.model import Model
from kit.system import CRASH, QueryFailed, System, now_ns
from kit.tap import Tap

tap = Tap()
TABLES = {"trade": trades.spec(), "note": proc.table_spec([("time", "timestamp"),
          ("text", "string")], sort_ord=["time"], sort_disk=["time"])}
QUESTIONS = [{}, {"agg": [["n", "count", "id"], ["v", "sum", "size"]], "groupBy": ["sym"]},
             {"filter": [("=", "sym", "S03")]}, {"filter": [(">", "price", 50.0)], "limit": 5}]


class Tree:
    """A stopped database: history, interval parts, rows in the stream; and its right answers."""

    def __init__(self, top):
        self.top, self.model = top, Model(trades.COLUMNS, "time")
        self.base = os.path.join(top, "base")
        os.makedirs(self.base)
        feed = trades.Trades(31)
        s = System(self.base, "0D12:00:00", tables=TABLES)
        with s:
            for step in ("eod", "eoi", "eoi", None):
                c = feed.columns(120, now_ns())
                s.publish("trade", trades.table(c))
                self.model.add_columns(*c)
                s.publish("note", q.QTable({"time": q.vec("timestamp", [now_ns()] * 2),
                                            "text": q.QList([q.text("one"), q.text("two " * 9)])}))
                if step:
                    getattr(s, step)()
            s.stop()
        self.files = sorted(self.list_files())

    def list_files(self):
        for d, _, files in os.walk(self.base):
            for f in files:
                path = os.path.relpath(os.path.join(d, f), self.base)
                if path.split("/")[0] in ("idb", "hdb") and not os.path.islink(os.path.join(d, f)):
                    yield path

    def kind(self, path):
        """What a file is, so that each kind is damaged."""
        parts = path.split("/")
        if "data" in parts:
            return ("history " if parts[0] == "hdb" else "interval ") + "/".join(parts[-2:])
        if "manifest" in parts:
            return "manifest " + ("view" if parts[-1].startswith("view") else parts[-1][0])
        if parts[-1].endswith(".wal"):
            return "stream"
        return "/".join(parts)

    def copy(self, name):
        """A copy of the tree at a new place, with its own assembly."""
        folder = os.path.join(self.top, name)
        shutil.copytree(self.base, folder, symlinks=True)
        for d, dirs, files in os.walk(folder):      # links are absolute or relative: look
            for f in dirs + files:
                p = os.path.join(d, f)
                if os.path.islink(p) and os.readlink(p).startswith(self.base):
                    to = folder + os.readlink(p)[len(self.base):]
                    os.unlink(p)
                    os.symlink(to, p)
        for f in os.listdir(folder):
            if f.endswith((".err", ".out")):
                os.unlink(os.path.join(folder, f))
        return folder


def flip(data, r):
    at = r.randrange(len(data))
    return data[:at] + bytes((data[at] ^ 1 << r.randrange(8),)) + data[at + 1:]


def flip_head(data, r):
    at = r.randrange(min(len(data), 32))
    return data[:at] + bytes((data[at] ^ 1 << r.randrange(8),)) + data[at + 1:]


def cut(data, r):
    return data[:r.randrange(len(data))]


def zero(data, r):
    at = r.randrange(len(data)) // 4096 * 4096
    return data[:at] + bytes(len(data[at:at + 4096])) + data[at + 4096:]


HOW = {"bit": flip, "bit near the head": flip_head, "cut": cut, "zeroed page": zero,
       "longer": lambda d, r: d + r.randbytes(24), "empty": lambda d, r: b"",
       "gone": None, "exchanged": None}


def damage(folder, path, how, r, others):
    """Damages one file; returns False when nothing changed by it."""
    full = os.path.join(folder, path)
    if how == "gone":
        os.unlink(full)
        return True
    with open(full, "rb") as f:
        data = f.read()
    if how == "exchanged":
        with open(os.path.join(folder, r.choice(others)), "rb") as f:
            new = f.read()
    else:
        new = HOW[how](data, r) if data or how == "longer" else data
    with open(full, "wb") as f:
        f.write(new)
    return new != data


def ask(folder, model):
    """What a reader makes of it without a manager: 'right', 'refused', or 'WRONG ...'."""
    s = System(folder, "0D12:00:00", tables=TABLES)
    p = proc.start(["da", s.assembly.path], folder=folder, name="da")
    try:
        try:
            p.wait_ready(port=s.da_port, timeout=10)
        except AssertionError:
            if p.running():
                return f"WRONG: neither ready nor ended: {p.tail(3)}"
            code = p.popen.returncode
            return "refused" if code in (3, 5, 7) else f"WRONG: ended with {code}: {p.tail(5)}"
        out = "right"
        for args in QUESTIONS:
            try:
                wire = {k: q.QList([q.lst(*f) for f in v]) if k == "filter" else v
                        for k, v in args.items()}
                got = s.query({"table": "trade", **wire})
            except QueryFailed as e:
                if not e.text:
                    return f"WRONG: an error without text: {e}"
                out = "refused"
                continue
            try:
                model.check_answer(args, got)
            except AssertionError as e:
                out = f"other rows: {str(e)[:150]}"
        if not p.running() or CRASH.search(p.stderr()):
            return f"WRONG: ended with {p.popen.returncode}: {p.tail(5)}"
        return out
    finally:
        s.hang_up()
        p.kill9()


def named(path):
    """Whether the view names the file, so that no change of it may go unnoticed."""
    return "data" in path.split("/") or "/manifest/i." in path or "/manifest/d." in path or \
        path == "hdb/sym"


def check(folder):
    """(exit status, text) of silt check of both databases."""
    text, worst = "", 0
    for base in ("idb", "hdb"):
        done = proc.run(["check", "--deep", os.path.join(folder, base)], timeout=60)
        text += (done.stdout + done.stderr).decode(errors="replace")
        worst = max(worst, done.returncode) if done.returncode >= 0 else done.returncode
        if worst < 0:
            break
    return worst, text


@tap.test("silt check is content with a healthy tree, wherever it lies")
def _():
    with proc.workdir() as top:
        tree = Tree(top)
        assert check(tree.base) == (0, check(tree.base)[1]), check(tree.base)
        moved = tree.copy("moved")
        status, text = check(moved)
        assert status == 0, text
        assert ask(moved, tree.model) == "right"


@tap.test("no damage crashes a reader or silt check, and what breaks a rule is named")
def _():
    r = random.Random(int(os.environ.get("DAMAGE_SEED", "1")))
    count = int(os.environ.get("DAMAGE_COUNT", "40"))
    with proc.workdir() as top:
        tree = Tree(top)
        kinds = {}
        for f in tree.files:
            kinds.setdefault(tree.kind(f), []).append(f)
        names = sorted(k for k in kinds if k not in ("idb/lock", "idb/wal/durable"))
        seen, bad = {}, []
        for n in range(count):
            kind = names[n % len(names)] if n < len(names) else r.choice(names)
            path, how = r.choice(kinds[kind]), r.choice(sorted(HOW))
            folder = tree.copy(f"d{n}")
            if damage(folder, path, how, r, tree.files):
                status, text = check(folder)
                answer = ask(folder, tree.model)
                what = f"{path}, {how}: check {status}, reader {answer}"
                if os.environ.get("DAMAGE_SHOW"):
                    print("#", what, flush=True)
                place = path if "data" not in path.split("/") else os.path.dirname(path)
                # A marker that names some tier: check asks for the assembly file.
                asked = status == 3 and path.endswith("siltstone.json")
                if (status not in (0, 7) and not asked) or answer.startswith("WRONG") or CRASH.search(text):
                    bad.append(f"{what}: {text[-300:]}")
                elif status == 0 and (answer != "right" or named(path)) and \
                        (path, how) != ("hdb/sym", "longer"):    # what views need is there
                    bad.append(f"{what}: unnoticed by silt check")
                elif status == 7 and place not in text and how != "exchanged" \
                        and not path.endswith("siltstone.json"):
                    bad.append(f"{what}: not named in {text[:300]!r}")
                key = f"check {'names it' if status == 7 else 'sees nothing'}, reader " \
                      f"{answer.partition(':')[0]}"
                seen[key] = seen.get(key, 0) + 1
            shutil.rmtree(folder)
        print(f"# {count} damages over {len(names)} kinds of files: {seen}", flush=True)
        assert not bad, "\n".join(bad)


@tap.test("any flipped bit of any file that the view names is found by silt check --deep")
def _():
    r = random.Random(int(os.environ.get("DAMAGE_SEED", "2")))
    count = int(os.environ.get("DAMAGE_BITS", "300"))
    with proc.workdir() as top:
        tree = Tree(top)
        names = [f for f in tree.files if named(f)]
        names += [max((f for f in tree.files if "/manifest/view." in f),
                      key=lambda f: int(f.rpartition(".")[2]))]
        kinds = {tree.kind(f) for f in names}
        assert {"hdb/sym", "history trade/price", "history trade/.d"} <= kinds, kinds
        assert any(f.endswith(".sums") for f in names) and any(f.endswith("#") for f in names)
        bad = []
        for n in range(count):
            path = names[n] if n < len(names) else r.choice(names)
            full = os.path.join(tree.base, path)
            with open(full, "r+b") as f:
                data = f.read()
                at = r.randrange(len(data))
                f.seek(at)
                f.write(bytes((data[at] ^ 1 << r.randrange(8),)))
            done = proc.run(["check", "--deep", os.path.join(tree.base, "idb")], timeout=60)
            text = done.stdout.decode(errors="replace")
            if done.returncode != 7 or path not in text:
                bad.append(f"byte {at} of {path}: {done.returncode} {text[-300:]}")
            with open(full, "r+b") as f:
                f.write(data)
        print(f"# {count} bits flipped in {len(names)} files, {len(bad)} unnoticed", flush=True)
        assert not bad, "\n".join(bad[:10])
        assert check(tree.base)[0] == 0


@tap.test("exchanged files and lost checksums are named")
def _():
    with proc.workdir() as top:
        tree = Tree(top)
        part = os.path.dirname(next(f for f in tree.files if f.endswith("trade/price")))
        one = os.path.join(tree.base, part, "price")
        same = [f for f in os.listdir(os.path.join(tree.base, part))
                if os.path.getsize(os.path.join(tree.base, part, f)) == os.path.getsize(one)]
        other = os.path.join(tree.base, part, next(f for f in same if f != "price"))
        os.rename(one, one + ".x")
        os.rename(other, one)
        os.rename(one + ".x", other)
        status, text = check(tree.base)
        assert status == 7 and "checksum" in text and one in text and other in text, text
        os.rename(one, one + ".x")
        os.rename(other, one)
        os.rename(one + ".x", other)
        assert check(tree.base)[0] == 0
        sums = [f for f in tree.files if f.endswith(".sums")]
        a, b = (os.path.join(tree.base, f) for f in sums[:2])
        os.rename(a, a + ".x")
        status, text = check(tree.base)
        assert status == 7 and f"{a} is missing" in text, text
        os.rename(b, a)
        os.rename(a + ".x", b)
        status, text = check(tree.base)
        assert status == 7 and a in text and b in text, text


if __name__ == "__main__":
    tap.run()
