#!/usr/bin/env python3
"""Every rule of tidy.py finds what it is for, and lets a clean tree pass."""
import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tidy  # noqa: E402

ROOMS = """# rooms
base:
os: base
q: base os
names: base/pond.h: u8 load_*
calls: q/reed.c: free
"""

HEADER = """/*
 * pond: water, its depth and who swims in it.
 */
#ifndef BASE_POND_H
#define BASE_POND_H

#include <stdint.h>

typedef uint8_t u8;
typedef enum { POND_SMALL, POND_LARGE } PondKind;

typedef struct Pond {
    int depth[4];
    void (*ripple)(void *arg);
} Pond;

#define POND_DEPTH_MAX 40

/* Fills a pond; E_FULL when it is full. */
__attribute__((warn_unused_result)) int pond_fill(Pond *p, int (*drop)(int), int n);

/* How deep, and how wide. */
int pond_depth(const Pond *p);
int pond_width(const Pond *p);

/* Loads from any address. */
static inline u8 load_u8(const void *p) { return *(const u8 *)p; }

static inline int pond_at(const Pond *p, int i) { return p->depth[i]; }

#endif
"""

SOURCE = """/*
 * pond: water, its depth and who swims in it. Every pond is filled from above and never overflows,
 * for the caller must not pour more than fits.
 */
#include "base/pond.h"

int pond_depth(const Pond *p) { return p->depth[0]; /* never strcpy( here */ }

const char *pond_text = "malloc(1) // not a call or a comment";
"""

REED = """/*
 * reed: what grows at the edge of a pond, cut once a year, and given back to the pond afterwards.
 */
#include "base/pond.h"
#include <uv.h>

static void reed_cut(void *p) { free(p); p->free(p); p.open(p); }
"""


class Rules(unittest.TestCase):
    def findings(self, **changes):
        """The (rule, path) pairs found in the clean tree after some files were changed or added."""
        files = {"src/ROOMS": ROOMS, "src/base/pond.h": HEADER, "src/base/pond.c": SOURCE,
                 "src/q/reed.c": REED}
        files.update(changes.get("files", {}))
        with tempfile.TemporaryDirectory() as root:
            for path, text in files.items():
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                    f.write(text)
            self.said = tidy.Tree(root).check()
        return {(rule, path) for path, _, rule, _ in self.said}

    def finds(self, rule, path, text, base=None):
        """`text` put at the end of a clean file (before its #endif) makes exactly this finding."""
        base = base or {"src/base/pond.h": HEADER, "src/base/pond.c": SOURCE, "src/q/reed.c": REED}[path]
        changed = base.replace("\n#endif\n", f"\n{text}\n\n#endif\n") if path.endswith(".h") else base + text + "\n"
        self.assertEqual(self.findings(files={path: changed}), {(rule, path)}, self.said)

    def test_clean_tree_passes(self):
        self.assertEqual(self.findings(), set(), self.said)

    def test_room_below_may_not_see_room_above(self):
        rush = "/* rush: grows in water. */\n#ifndef Q_RUSH_H\n#define Q_RUSH_H\n#endif\n"
        found = self.findings(files={"src/q/rush.h": rush, "src/base/pond.c": SOURCE + '#include "q/rush.h"\n'})
        self.assertEqual(found, {("rooms", "src/base/pond.c")}, self.said)

    def test_include_must_be_a_path_that_exists(self):
        self.finds("rooms", "src/base/pond.c", '#include "pond.h"')

    def test_unknown_room(self):
        self.assertIn(("rooms", "src/attic/moth.c"), self.findings(files={"src/attic/moth.c": SOURCE}))

    def test_room_cycle(self):
        self.assertIn(("cycle", "src/ROOMS"), self.findings(files={"src/ROOMS": ROOMS.replace("base:\n", "base: q\n", 1)}))

    def test_header_cycle(self):
        lily = HEADER.replace("pond", "lily").replace("POND", "LILY").replace("Pond", "Lily") \
            .replace("<stdint.h>", '"base/pond.h"').replace("typedef uint8_t u8;", "").replace("load_u8", "lily_u8")
        found = self.findings(files={"src/base/lily.h": lily,
                                     "src/base/pond.h": HEADER.replace("<stdint.h>", '"base/lily.h"')})
        self.assertEqual({rule for rule, _ in found}, {"cycle"}, self.said)

    def test_stem_twice(self):
        found = self.findings(files={"src/q/pond.c": SOURCE})
        self.assertEqual({rule for rule, _ in found}, {"stem"}, self.said)

    def test_names(self):
        for text in ("/* Whose? */\nint lake_depth(void);", "typedef struct { int a[3]; } Lake;",
                     "enum { LAKE_SMALL };", "#define LAKE_MAX 3", "/* Whose? */\nextern const int lake;",
                     "typedef void (*LakeRipple)(int);", "/* Not ponder. */\nint ponder(void);",
                     "struct Lake { int a; };"):
            with self.subTest(text):
                self.finds("name", "src/base/pond.h", text)

    def test_names_that_follow_the_stem(self):
        for text in ("/* . */\nint pond(void);", "typedef struct { struct { int a; } b[3]; } PondList;",
                     "#define POND 3", "/* . */\nextern const int pond_table[3];", "typedef int (*PondDrop)(int a);",
                     "enum { POND_A = 1 << 2, POND_B };", "struct PondRing { int a; };"):
            with self.subTest(text):
                found = self.findings(files={"src/base/pond.h": HEADER.replace("\n#endif\n", f"\n{text}\n\n#endif\n")})
                self.assertEqual(found, set(), self.said)

    def test_prototype_without_sentence(self):
        self.finds("comment", "src/base/pond.h", "int pond_area(const Pond *p);")
        self.finds("comment", "src/base/pond.h", "struct PondA { int a; };\n\nint pond_area(const Pond *p);")

    def test_line_comment(self):
        self.finds("comment", "src/base/pond.c", "// no")

    def test_essay(self):
        self.finds("essay", "src/base/pond.c", "", base="/* pond */\nint pond_a;")
        self.finds("essay", "src/base/pond.c", "", base="int pond_a; /* " + "many words " * 20 + "*/")

    def test_guard(self):
        self.finds("guard", "src/base/pond.h", "", base=HEADER.replace("BASE_POND_H", "POND_H"))

    def test_calls(self):
        for text in ("int pond_a(void) { return atoi(pond_text); }", "int pond_a(void) { return fsync (3); }",
                     "int pond_a(void) { return (int)time(0); }"):
            with self.subTest(text):
                self.finds("call", "src/base/pond.c", text)
        self.finds("call", "src/q/reed.c", "static void *reed_a(void) { return malloc(3); }")

    def test_calls_where_they_are_at_home(self):
        found = self.findings(files={"src/base/pond.c": SOURCE + "void *pond_a(void) { return malloc(3); }\n",
                                     "src/os/shore.c": REED.replace("<uv.h>", "<stdio.h>").replace("free(p); p", "fsync(p); p")})
        self.assertEqual(found, set(), self.said)

    def test_library_behind_one_file(self):
        found = self.findings(files={"src/q/rush.c": REED.replace("free(p); p->", "p->")})
        self.assertEqual(found, {("library", "src/q/reed.c"), ("library", "src/q/rush.c")}, self.said)

    def test_open_end(self):
        self.finds("todo", "src/base/pond.c", "/* TO" + "DO: swim */")

    def test_exception_for_a_lost_file(self):
        self.assertEqual(self.findings(files={"src/ROOMS": ROOMS + "calls: q/gone.c: free\n"}), {("rooms", "src/ROOMS")})

    def test_line_numbers(self):
        self.findings(files={"src/base/pond.c": SOURCE + '/* two\n   lines */\nint pond_b(void) { return atoi("\\"*/"); }\n'})
        self.assertEqual([(line, rule) for _, line, rule, _ in self.said], [(SOURCE.count("\n") + 3, "call")])


if __name__ == "__main__":
    result = unittest.main(exit=False, verbosity=0).result
    wrong = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - wrong} passed, {wrong} failed")
    sys.exit(1 if wrong or not result.testsRun else 0)
