#!/usr/bin/env python3
"""Small readers of what the demo receives. Each takes JSON from standard input, or files.

    figures.py rows             an answer of POST /data as CSV
    figures.py ms               the milliseconds that its header tells
    figures.py tables           GET /meta: where the rows of each table are, as a table for people
    figures.py parts            silt part list --json: the partitions, summarised for people
    figures.py eod              silt eod --wait --json: what was written
    figures.py dates TABLE      the same: `date,rows` of each date partition that has rows of TABLE
    figures.py same A B         compares two CSV files, the lines of each in any order; exit 1 and
                                the first difference when they differ. Numbers may differ by 1e-9
                                of their size, as sums depend on their order.
"""
import csv
import itertools
import json
import sys

NEAR = 1e-9


def grid(rows, right):
    """Prints rows of texts in columns; those whose number is in `right` stand at the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = (cell.rjust(width) if i in right else cell.ljust(width)
                 for i, (cell, width) in enumerate(zip(row, widths)))
        print("     " + "   ".join(cells).rstrip())


def size(n):
    """Bytes as people say them."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if n < 1000 or unit == "GB":
            return f"{n:,.0f} {unit}" if unit == "bytes" else f"{n:,.1f} {unit}"
        n /= 1000
    return None


def rows():
    payload = json.load(sys.stdin)["payload"]
    if payload:
        out = csv.writer(sys.stdout, lineterminator="\n")
        out.writerow(payload[0].keys())
        out.writerows(row.values() for row in payload)


def ms():
    print(f'{json.load(sys.stdin)["header"]["ms"]:.1f}')


def tables():
    found = [["table", "in memory", "in intervals", "in days", "together"]]
    for t in json.load(sys.stdin)["tables"]:
        counts = t["liveRows"], t["intradayRows"], t["historyRows"]
        found.append([t["table"], *(f"{n:,}" for n in (*counts, sum(counts)))])
    grid(found, {1, 2, 3, 4})


def day(part):
    """2001.01.31 as kdb+ writes it, whichever way the JSON does."""
    return part["date"][:10].replace("-", ".")


def parts():
    """One line for each run of days of a month, one for each kind of interval partition."""
    everything = [p for p in json.load(sys.stdin) if p["rows"] > 0]
    found = [["what", "partitions", "rows", "size", "tier", "why it is there"]]

    def group(p):
        month = day(p)[:7] if p["kind"] == "date" else ""
        return p["kind"], p["table"], p["tier"], p["why"], month

    for key, members in itertools.groupby(sorted(everything, key=group), key=group):
        members = list(members)
        kind, table, tier, why, _ = key
        if kind == "date":
            days = sorted({day(p) for p in members})
            names = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
            count = f"{len(days)} date" + "s" * (len(days) > 1)
        else:
            names, count = "today's intervals", str(len(members))
            if "other days" in why:
                names = "rows of other days"
        found.append([f"{table}, {names}", count, f'{sum(p["rows"] for p in members):,}',
                      size(sum(p["bytes"] for p in members)), tier, why])
    grid(found, {1, 2, 3})


def eod():
    done = json.load(sys.stdin)
    print(f'   {done["rows"]:,} rows sorted into the partitions of their days, '
          f'{done["bytes"]:,} bytes, in {done["ms"]:,.0f} ms')


def dates(table):
    print("date,rows")
    for p in json.load(sys.stdin):
        if p["kind"] == "date" and p["table"] == table and p["rows"] > 0:
            print(f'{day(p)},{p["rows"]}')


def equal(a, b):
    if a == b:
        return True
    try:
        x, y = float(a), float(b)
    except ValueError:
        return False
    return abs(x - y) <= NEAR * max(abs(x), abs(y))


def read(path):
    with open(path, newline="", encoding="utf-8") as f:
        lines = list(csv.reader(f))
    return lines[:1] + sorted(lines[1:])


def same(a, b):
    left, right = read(a), read(b)
    for i, (x, y) in enumerate(itertools.zip_longest(left, right, fillvalue=[])):
        if len(x) != len(y) or not all(map(equal, x, y)):
            sys.exit(f"row {i} of {max(len(left), len(right)) - 1}: "
                     f"{','.join(x) or 'nothing'} where {','.join(y) or 'nothing'} is expected")
    if len(left) < 2:
        sys.exit("there are no rows")


if __name__ == "__main__":
    commands = {f.__name__: f for f in (rows, ms, tables, parts, eod, dates, same)}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
