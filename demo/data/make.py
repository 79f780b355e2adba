#!/usr/bin/env python3
"""Makes flights-20k.csv.gz from data/flights-20k.json of the npm package vega-datasets.

    demo/data/make.py [PACKAGE.tgz]      without an argument the package is fetched with `npm pack`

The demo does not run this: the result is kept beside it. Rows keep the order of the source.
"""
import glob
import hashlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from datetime import datetime

PACKAGE = "vega-datasets@3.2.1"
MEMBER = "package/data/flights-20k.json"
SHA256 = "52f0ddd892d4569284b845e17323abc9afb7d303ec8f63251634a20327a610bb"
FIELDS = ("date", "delay", "distance", "origin", "destination")
# kdb+ keeps the name `date` for the day of a partition.
COLUMNS = ("time",) + FIELDS[1:]


def read_json(tgz):
    with tarfile.open(tgz) as tar:
        data = tar.extractfile(MEMBER).read()
    if hashlib.sha256(data).hexdigest() != SHA256:
        sys.exit(f"{tgz}: {MEMBER} is not the file of {PACKAGE}")
    return json.loads(data)


def row_text(row):
    """`2001/01/01 00:47` becomes the kdb+ timestamp `2001.01.01D00:47:00.000000000`."""
    if set(row) != set(FIELDS):
        sys.exit(f"unexpected fields: {row}")
    time = datetime.strptime(row["date"], "%Y/%m/%d %H:%M")
    names = (row["origin"], row["destination"])
    if not all(name.isalnum() for name in names):
        sys.exit(f"a name that would need quotes: {row}")
    return ",".join((time.strftime("%Y.%m.%dD%H:%M:%S.000000000"),
                     str(int(row["delay"])), str(int(row["distance"])), *names))


def main():
    with tempfile.TemporaryDirectory() as folder:
        if len(sys.argv) > 1:
            tgz = sys.argv[1]
        else:
            subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True)
            tgz = glob.glob(os.path.join(folder, "*.tgz"))[0]
        rows = read_json(tgz)
    text = "\n".join([",".join(COLUMNS), *map(row_text, rows)]) + "\n"
    packed = subprocess.run(["gzip", "-9n"], input=text.encode("ascii"), check=True,
                            stdout=subprocess.PIPE).stdout
    target = os.path.join(os.path.dirname(os.path.abspath(__file__)), "flights-20k.csv.gz")
    with open(target, "wb") as out:
        out.write(packed)
    print(f"{target}: {len(rows)} rows, {len(packed)} bytes")


if __name__ == "__main__":
    main()
