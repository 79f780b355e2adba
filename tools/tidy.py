#!/usr/bin/env python3
"""The house rules that no compiler knows. Prints `file:line: rule: text`; exit status 1 on findings.

    tools/tidy.py [ROOT]        check the tree (default: the one this script is in)
    tools/tidy.py --unused      list exported functions that no other file uses (advice, exit 0)

Rules:
    rooms      a file includes only the rooms that src/ROOMS allows, and by path
    cycle      no include cycle among files, none among rooms
    stem       a file's stem is unique in the tree
    name       exported names begin with the stem of their header
    comment    every prototype has its sentence; comments are /* */
    essay      each .c and .h opens with a comment that says what it is
    guard      each header has the guard ROOM_STEM_H
    call       no banned call; memory only in base, system calls only in os
    library    a foreign library is seen by one source file only
    todo       no open ends in the trunk

src/ROOMS grants exceptions, each for one file: `names: base/types.h: u8 load_*`, `calls: base/log.c: write`.
"""
import fnmatch
import os
import re
import sys
from collections import defaultdict

ESSAY_WORDS = 12

UNSAFE = set("sprintf vsprintf strcpy strcat strtok gets atoi atol atoll atof alloca system popen "
             "tmpnam assert".split())
MEMORY = set("malloc calloc realloc reallocarray free strdup strndup asprintf vasprintf "
             "aligned_alloc posix_memalign".split())
KERNEL = set("open openat creat read pread readv preadv write pwrite writev pwritev rename renameat "
             "renameat2 unlink unlinkat fsync fdatasync sync_file_range mkdir mkdirat rmdir symlink "
             "symlinkat link linkat readlink truncate ftruncate fallocate flock mmap munmap fopen "
             "freopen opendir stat fstat lstat time gettimeofday clock_gettime nanosleep usleep sleep "
             "fork vfork execv execve execvp posix_spawn posix_spawnp kill waitpid socket connect "
             "accept accept4".split())
ROOM_OF_CALL = [(MEMORY, "base", "memory is had through base"),
                (KERNEL, "os", "only os/ talks to the kernel")]
LIBRARIES = re.compile(r"<(uv\.h|microhttpd\.h|yaml\.h|jansson\.h|zlib\.h|libdeflate\.h|lz4\w*\.h|"
                       r"zstd\.h|snappy-c\.h|curl/curl\.h|openssl/\w+\.h|duckdb\.h|pthread\.h)>")
MANY_USERS = {"pthread.h", "zlib.h"}
ATTRIBUTES = {"MUST_USE", "PRINTF", "_Noreturn", "__attribute__", "_Static_assert"}
TOKEN = re.compile(r"[A-Za-z_]\w*|\d[\w.]*|->|\S")


class Source:
    """One file: its text, its code without comments, strings and directives, line for line."""

    def __init__(self, root, path):
        self.path = path
        self.stem = os.path.splitext(os.path.basename(path))[0]
        self.room = path.split("/")[1] if path.startswith("src/") else path.split("/")[0]
        with open(os.path.join(root, path), encoding="utf-8") as f:
            self.text = f.read()
        self.lines = self.text.split("\n")
        self.code, self.comments, self.slashes = strip(self.text)
        self.directives = re.sub(r"\\\n", " \n", self.code)
        self.includes = []
        self.defines = []
        body, inside = [], False
        for n, line in enumerate(self.code.split("\n"), 1):
            raw = self.lines[n - 1]
            if not inside and line.lstrip().startswith("#"):
                m = re.match(r'\s*#\s*include\s*(<[^>]+>|"[^"]+")', raw)
                if m:
                    self.includes.append((n, m.group(1)))
                m = re.match(r"\s*#\s*define\s+(\w+)", line)
                if m:
                    self.defines.append((n, m.group(1)))
                inside = True
            body.append("" if inside else line)
            inside = inside and line.rstrip().endswith("\\")
        self.body = "\n".join(body)

    @property
    def key(self):
        """`base/str.h`, as src/ROOMS and #include write it."""
        return self.path.split("/", 1)[1]


def strip(text):
    """Blanks comments and the insides of literals. Also the comments as (first, last, text), and the
    lines with // comments."""
    out, comments, slashes = [], [], []
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    at = 0
    for m in pattern.finditer(text):
        out.append(text[at:m.start()])
        found, line = m.group(), text.count("\n", 0, m.start()) + 1
        if found.startswith("/*"):
            comments.append((line, line + found.count("\n"), found))
            out.append(re.sub(r"[^\n]", " ", found))
        elif found.startswith("//"):
            slashes.append(line)
            out.append(" " * len(found))
        else:
            out.append(found[0] + " " * (len(found) - 2) + found[-1])
        at = m.end()
    out.append(text[at:])
    return "".join(out), comments, slashes


def statements(body):
    """Top-level statements of a header as lists of (token, line); a function's body is dropped."""
    current, depth, braces = [], 0, False
    for n, line in enumerate(body.split("\n"), 1):
        for token in TOKEN.findall(line):
            if token == "{":
                depth += 1
                if depth == 1:
                    braces = is_function(current)
            current.append((token, n))
            if token == "}":
                depth -= 1
                if depth == 0 and braces:
                    yield current, True
                    current, braces = [], False
            elif token == ";" and depth == 0:
                yield current, False
                current = []


def is_function(tokens):
    words = [t for t, _ in tokens]
    return ")" in words and "=" not in words and words[0] != "typedef"


def declared(tokens):
    """What one statement exports: (kind, name, line); kinds: function, type, forward, constant, variable."""
    words = [t for t, _ in tokens]
    names = []
    head = [i for i, w in enumerate(words) if w not in ("static", "inline", "extern", "const")]
    if not head or words[0] == "_Static_assert":
        return names
    first = words[head[0]]
    opening = words.index("{") if "{" in words else len(words)
    if "enum" in words[:opening] and opening < len(words) and not is_function(tokens[:opening]):
        for i in range(opening, len(words) - 1):
            if words[i] in "{," and re.match(r"[A-Za-z_]", words[i + 1]) and words[i + 2] != "(":
                names.append(("constant", words[i + 1], tokens[i + 1][1]))
            if words[i] == "}":
                break
    if first == "typedef":
        pointer = [i for i in range(len(words) - 3) if words[i] == "(" and words[i + 1] == "*"]
        if opening == len(words) and pointer:
            at = pointer[0] + 2
        else:
            body_end = len(words) - 1 - words[::-1].index("}") if "}" in words else 0
            end = words.index("[", body_end) if "[" in words[body_end:] else len(words) - 1
            at = max(i for i in range(end) if re.match(r"[A-Za-z_]", words[i]))
        plain = opening == len(words) and len(words) > 2 and words[1] in ("struct", "union") \
            and words[2] == words[at]
        names.append(("forward" if plain else "type", words[at], tokens[at][1]))
        return names
    if first in ("struct", "union", "enum") and opening < len(words) and not is_function(tokens[:opening]):
        if opening and words[opening - 1] not in ("struct", "union", "enum"):
            names.append(("type", words[opening - 1], tokens[opening - 1][1]))
        return names
    if first in ("struct", "union") and len(words) == head[0] + 3:
        names.append(("forward", words[head[0] + 1], tokens[head[0] + 1][1]))
        return names
    skip = 0
    for i in range(opening):
        if words[i] == "(" and i and not skip:
            name = words[i - 1]
            if name in ATTRIBUTES:
                skip = 1
                continue
            if i >= 2 and re.match(r"[A-Za-z_]\w*$", name):
                names.append(("function", name, tokens[i - 1][1]))
            return names
        if skip:
            skip += {"(": 1, ")": -1}.get(words[i], 0)
            if words[i] == ")" and skip == 1:
                skip = 0
    if "extern" in words:
        end = min([words.index(c) for c in ("[", "=", ";") if c in words])
        names.append(("variable", words[end - 1], tokens[end - 1][1]))
    return names


def follows_stem(name, stem):
    """wal.h: wal, wal_append, Wal, WalRecord, WAL_FRAME_MAX; not walk. options.h: also Option."""
    if re.search(r"[^s]s$", stem) and follows_stem(name, stem[:-1]):
        return True
    plain = stem.replace("_", "")
    if name.lower() == stem or name.lower().startswith(stem + "_"):
        return True
    return name.lower().startswith(plain) and name[:1].isupper() and not name.isupper() \
        and (len(name) == len(plain) or not name[len(plain)].islower())


class Tree:
    def __init__(self, root):
        self.root = root
        self.found = []
        self.rooms, self.names, self.calls = {}, defaultdict(list), defaultdict(set)
        self.read_rooms()
        self.files = [Source(root, p) for p in self.walk(("src", "include"))]
        self.headers = [f for f in self.files if f.path.endswith(".h")]
        self.stems = {f.stem for f in self.files}
        self.exports = {f.path: [(kind, name, line, tokens, inline)
                                 for tokens, inline in statements(f.body)
                                 for kind, name, line in declared(tokens)] for f in self.headers}

    def say(self, path, line, rule, text):
        self.found.append((path, line, rule, text))

    def walk(self, tops, ending=(".c", ".h")):
        for top in tops:
            for folder, folders, files in os.walk(os.path.join(self.root, top)):
                folders.sort()
                for name in sorted(files):
                    if name.endswith(ending):
                        yield os.path.relpath(os.path.join(folder, name), self.root)

    def read_rooms(self):
        with open(os.path.join(self.root, "src/ROOMS"), encoding="utf-8") as f:
            for n, line in enumerate(f, 1):
                line = line.strip()
                if not line or line.startswith("#"):
                    continue
                parts = [p.strip() for p in line.split(":")]
                if parts[0] == "names" and len(parts) == 3:
                    self.names[parts[1]] += parts[2].split()
                elif parts[0] == "calls" and len(parts) == 3:
                    self.calls[parts[1]].update(parts[2].split())
                elif len(parts) == 2:
                    for room in parts[1].split():
                        if room not in self.rooms:
                            self.say("src/ROOMS", n, "cycle", f"{parts[0]} sees {room}, which stands below it")
                    self.rooms[parts[0]] = parts[1].split()
                else:
                    self.say("src/ROOMS", n, "rooms", f"not understood: {line}")

    # ---- the rules

    def check(self):
        self.check_exceptions()
        self.check_stems()
        self.check_includes()
        self.check_cycles()
        for f in self.files:
            self.check_comments(f)
            self.check_calls(f)
        for f in self.headers:
            self.check_names(f)
            self.check_prototypes(f)
            self.check_guard(f)
        self.check_todo()
        return sorted(set(self.found))

    def check_exceptions(self):
        """An exception for a file that is gone must go too; a room need not be built yet."""
        for key in sorted({*self.names, *self.calls}):
            room = os.path.join(self.root, "src", key.split("/")[0])
            if os.path.isdir(room) and not os.path.exists(os.path.join(self.root, "src", key)):
                self.say("src/ROOMS", 1, "rooms", f"an exception for src/{key}, which does not exist")

    def check_stems(self):
        where = defaultdict(set)
        for f in self.files:
            where[f.stem].add(os.path.dirname(f.path))
            parts = f.path.split("/")
            if parts[0] == "src" and (len(parts) != 3 or parts[1] not in self.rooms):
                self.say(f.path, 1, "rooms", "not in a room that src/ROOMS names")
        for f in self.files:
            if len(where[f.stem]) > 1 and f.path.startswith("src/"):
                self.say(f.path, 1, "stem", f"{f.stem} also stands in {', '.join(sorted(where[f.stem] - {os.path.dirname(f.path)}))}")

    def check_includes(self):
        known = {f.key for f in self.headers}
        users = defaultdict(list)
        for f in self.files:
            allowed = {f.room, *self.rooms.get(f.room, [])}
            for line, target in f.includes:
                m = LIBRARIES.match(target)
                if m and m.group(1) not in MANY_USERS:
                    users[m.group(1)].append((f.path, line))
                if target[0] == "<":
                    continue
                target = target[1:-1]
                if target not in known:
                    self.say(f.path, line, "rooms", f'"{target}" is no header of the tree (include by path: "room/stem.h")')
                elif f.path.startswith("src/") and "/" in target and target.split("/")[0] not in allowed:
                    self.say(f.path, line, "rooms", f"{f.room} may not include {target}: it sees {' '.join(sorted(allowed))}")
        for header, places in users.items():
            if len({p for p, _ in places}) > 1:
                for path, line in places:
                    self.say(path, line, "library", f"<{header}> belongs behind one file, and is seen by {len(places)}")

    def check_cycles(self):
        graph = {f.key: [(t[1:-1], n) for n, t in f.includes if t[0] == '"'] for f in self.headers}
        state = {}

        def visit(node, path):
            state[node] = "open"
            for target, line in graph.get(node, []):
                if state.get(target) == "open":
                    ring = path[path.index(target):] + [target]
                    self.say(f"src/{node}", line, "cycle", " -> ".join(ring))
                elif target not in state and target in graph:
                    visit(target, path + [target])
            state[node] = "done"

        for node in sorted(graph):
            if node not in state:
                visit(node, [node])

    def check_comments(self, f):
        for line in f.slashes:
            self.say(f.path, line, "comment", "write /* */, not //")
        first = next((n for n, line in enumerate(f.lines, 1) if line.strip()), 0)
        if not f.comments or not f.lines[first - 1].startswith("/*"):
            self.say(f.path, 1, "essay", "the file does not open with a comment that says what it is")
        elif f.path.endswith(".c") and len(re.findall(r"\w+", f.comments[0][2])) < ESSAY_WORDS:
            self.say(f.path, 1, "essay", f"the opening comment is too short to tell its task ({ESSAY_WORDS} words)")

    def check_calls(self, f):
        if not f.path.startswith("src/"):
            return
        for n, line in enumerate(f.code.split("\n"), 1):
            for m in re.finditer(r"(?<![\w.>])([a-z]\w*)\s*\(", line):
                name = m.group(1)
                if name in self.calls[f.key]:
                    continue
                if name in UNSAFE:
                    self.say(f.path, n, "call", f"{name}() is not used here")
                for calls, room, why in ROOM_OF_CALL:
                    if name in calls and f.room != room:
                        self.say(f.path, n, "call", f"{name}(): {why}")

    def check_names(self, f):
        stem = "silt" if f.path.startswith("include/") else f.stem
        allowed = self.names[f.key] + ["*_H"]
        exported = [(name, line, kind) for kind, name, line, _, _ in self.exports[f.path]]
        exported += [(name, line, "macro") for line, name in f.defines]
        for name, line, kind in exported:
            if follows_stem(name, stem) or any(fnmatch.fnmatchcase(name, a) for a in allowed):
                continue
            # A type of another file may be announced without its header.
            if kind == "forward" and any(follows_stem(name, s) for s in self.stems):
                continue
            self.say(f.path, line, "name", f"{kind} {name} does not begin with {stem}")

    def check_prototypes(self, f):
        """A comment in the same paragraph above, or on the same lines, speaks for a prototype; so does the
        one above a type whose calls follow it at once. Inline functions in a row share one."""
        commented = {n for first, last, _ in f.comments for n in range(first, last + 1)}
        spoken_until, speaker = 0, ""
        for kind, name, _, tokens, inline in self.exports[f.path]:
            first, last = tokens[0][1], tokens[-1][1]
            top = first
            while top > 1 and f.lines[top - 2].strip():
                top -= 1
            here = any(n in commented for n in range(top, (first if inline or kind == "type" else last) + 1))
            follows = spoken_until == top - 2 and kind == "function" and (inline or speaker == "type")
            if kind == "function" and not here and not follows:
                self.say(f.path, first, "comment", f"{name} has no sentence that says what it does and how it fails")
            if (here or follows) and (inline or kind == "type"):
                spoken_until, speaker = last, "inline" if inline else "type"
            elif not follows:
                spoken_until = 0

    def check_guard(self, f):
        wanted = re.sub(r"\W", "_", f.key if f.path.startswith("src/") else os.path.basename(f.path)).upper()
        if not re.search(rf"#ifndef {wanted}\n#define {wanted}\n", f.text):
            self.say(f.path, 1, "guard", f"no include guard {wanted}")

    def check_todo(self):
        word = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
        tops = ("src", "include", "test", "bench", "tools", "doc", "demo")
        paths = list(self.walk(tops, (".c", ".h", ".py", ".sh", ".md", ".scd", ".yaml")))
        for path in paths + [p for p in ("Makefile", ".ci/run", "README.md") if os.path.exists(os.path.join(self.root, p))]:
            with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as f:
                for n, line in enumerate(f, 1):
                    m = word.search(line)
                    if m:
                        self.say(path, n, "todo", f"{m.group(1)}: finish it, or file it")

    def unused(self):
        """Exported functions that stand in no file but their own."""
        texts = {p: open(os.path.join(self.root, p), encoding="utf-8").read()
                 for p in self.walk(("src", "include", "test", "bench"))}
        for f in self.headers:
            own = os.path.splitext(f.path)[0]
            for kind, name, line, _, _ in self.exports[f.path]:
                users = [p for p, t in texts.items()
                         if os.path.splitext(p)[0] != own and re.search(rf"\b{name}\b", t)]
                if kind == "function" and not any(p.startswith(("src/", "include/")) for p in users):
                    yield f.path, line, "unused", f"{name}: {'tests only' if users else 'no other file'}"


def main():
    arguments = [a for a in sys.argv[1:] if a != "--unused"]
    root = arguments[0] if arguments else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    tree = Tree(root)
    found = list(tree.unused()) if "--unused" in sys.argv else tree.check()
    for path, line, rule, text in found:
        print(f"{path}:{line}: {rule}: {text}")
    return 1 if found and "--unused" not in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
