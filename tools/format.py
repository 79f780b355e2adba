#!/usr/bin/env python3
"""Formats C files in place with clang-format 14.

    tools/format.py FILE...
    tools/format.py --check FILE...     only names the files that are not formatted; exit 1 if any

clang-format wraps a comment that is a few columns too long so that only the `*/` goes to a line of its
own; the last word is then moved down to it, which clang-format leaves as it is.
"""
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

ORPHAN = re.compile(r"^([ \t]*)(/\*.*) (\S+)\n\1 \*/$|^([ \t]*)( \*.*) (\S+)\n\4 \*/$", re.M)


def move_word_down(match):
    """`/* some text\n */` becomes `/* some\n * text */`; essays keep their closing line."""
    indent, text, word = (match.group(1), match.group(2), match.group(3)) if match.group(2) else \
        (match.group(4), match.group(5), match.group(6))
    if len(indent + text + " " + word) < 97:
        return match.group()
    return f"{indent}{text}\n{indent} * {word} */"


def check(path):
    with open(path, "rb") as f:
        now = f.read()
    wanted = subprocess.run(["clang-format-14", path], check=True, stdout=subprocess.PIPE).stdout
    if wanted == now:
        return True
    line = next((n for n, (a, b) in enumerate(zip(now.split(b"\n"), wanted.split(b"\n")), 1) if a != b), 1)
    print(f"{path}:{line}: format: not as clang-format writes it; run `make format`")
    return False


def main():
    files = sys.argv[1:]
    if files[:1] == ["--check"]:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            sys.exit(0 if all(list(pool.map(check, files[1:]))) else 1)
    subprocess.run(["clang-format-14", "-i", *files], check=True)
    for path in files:
        with open(path, encoding="utf-8") as f:
            text = f.read()
        changed = ORPHAN.sub(move_word_down, text)
        if changed != text:
            with open(path, "w", encoding="utf-8") as f:
                f.write(changed)


if __name__ == "__main__":
    main()
