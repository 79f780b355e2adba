#!/usr/bin/env python3
"""Compressed date tiers with real processes: what a day job writes is containers that an independent
decoder reads, late rows join them, and every answer is right before, after and across restarts."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import proc
from kit.system import System
from kit.tap import Tap
from main_road_test import ORDERS, Road, tables

tap = Tap()
NUMBERS = {"qipc": 1, "gzip": 2, "snappy": 3, "lz4hc": 4, "zstd": 5}


def tiers(algorithm, level, block):
    return [{"name": "idb", "mount": "idb", "schedule": {"freq": "0D01:00:00"}},
            {"name": "hdb", "mount": "hdb", "schedule": {"freq": "1D00:00:00", "snap": "00:00:00"},
             "compression": {"algorithm": algorithm, "level": level, "block": block}}]


def check_containers(disk, algorithm, level, block):
    """Every column of every date part is a container as the tier says; some blocks may be raw."""
    blocks = packed = 0
    for name in ORDERS:
        for part in disk.hdb.tables[name].parts:
            for column, f in part.splay.files.items():
                if f.rows == 0 and f.container is None:
                    continue    # a list column without rows has no vector to compress
                c = f.container
                assert c is not None, f"{f.path} is not compressed"
                said = (c.algorithm, c.level, c.block)
                assert said == (NUMBERS[algorithm], level, 1 << block), f"{f.path}: {said}"
                assert all(how in (0, c.algorithm) for _, how in c.blocks), f.path
                blocks += len(c.blocks)
                packed += sum(how != 0 for _, how in c.blocks)
    assert packed > blocks // 3, f"{packed} of {blocks} blocks are compressed"
    return blocks


def inflated(s):
    text = s.http("GET", "/metrics", port=s.da_port).body.decode()
    line = [x for x in text.splitlines() if x.startswith("silt_da_inflated_blocks_total")]
    return float(line[0].split()[-1])


def day(road, s, where, *setting, turns=4):
    """Rows in, an interval, rows, a day; then disk and answers."""
    for turn in range(turns):
        for _ in range(2):
            road.publish(700)
            road.publish_kinds(40)
        if turn == 1:
            s.eoi()
            road.ask_everything()
    s.eod()
    road.check_at_rest(where)
    blocks = check_containers(s.disk(), *setting)
    road.ask_everything()
    return blocks


@tap.test("gzip: intervals, days, late rows, restarts")
def _():
    setting = ("gzip", 6, 12)
    with proc.workdir() as folder, System(folder, tables=tables(), tiers=tiers(*setting)) as s:
        road = Road(s, 21)
        first = day(road, s, "after the first day", *setting)
        before = inflated(s)
        road.ask({"agg": [["v", "sum", "price"]], "groupBy": ["side"]})
        assert inflated(s) >= before > 0, (before, inflated(s))
        # late rows join date parts that are compressed
        road.feed.late = 0.5
        second = day(road, s, "after late rows", *setting)
        assert second > first, (first, second)
        s.check()
        for end in (s.stop, s.kill):
            road.publish(50)
            end()
            s.start()
            road.ask_everything()
        s.eod()
        road.check_at_rest("after restarts")
        check_containers(s.disk(), *setting)
        column = s.disk().hdb.tables["trade"].parts[0].splay.files["price"].path
        dump = s.silt("dump", column)
        said = [x.split() for x in dump.stdout.decode().splitlines()]
        assert ["compression", "gzip"] in said and ["blockBytes", "4096"] in said, said
        s.stop()
        s.check()


@tap.test("a tier that changes its compression rewrites what late rows join, and reads the rest")
def _():
    settings = [("snappy", 0, 13), ("lz4hc", 9, 12), ("qipc", 0, 12), ("zstd", 3, 17)]
    with proc.workdir() as folder, System(folder, tables=tables(), tiers=tiers(*settings[0])) as s:
        road = Road(s, 22)
        road.feed.late = 0.3
        for i, setting in enumerate(settings):
            if i > 0:
                proc.write_assembly(s.assembly.path, freq="0D01:00:00", tables=tables(),
                                    tiers=tiers(*setting), sm_port=s.sm_port, da_port=s.da_port)
                s.start()
                road.ask_everything()   # of parts as they were written before
            day(road, s, f"with {setting[0]}", *setting, turns=2)
            s.stop()
            s.check()


if __name__ == "__main__":
    tap.run()
