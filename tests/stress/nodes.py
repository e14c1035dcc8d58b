#!/usr/bin/env python3
"""Faults of two nodes of a release binary on one PostgreSQL, with figures.

Starts PostgreSQL, Redis and the nodes in temporary folders. Users post to and listen at both nodes, while the script stops,
kills, pauses and cuts off one component after the other. Prints each measurement beside its limit. The exit code is 1 if a
limit is exceeded. It needs Linux, Python 3.9, PostgreSQL and Redis, and takes some minutes.
"""

import argparse
import asyncio
import pathlib
import signal
import sys
import tempfile

from fleet import Fleet
from table import Table


async def scene(options, table, name, disturb, checks, before=4, after=6):
    """Injects a fault into the fleet while users write, lets them continue, and checks the events they received."""
    with tempfile.TemporaryDirectory(prefix="greenroom-nodes-") as folder:
        fleet = Fleet(options.binary, folder)
        try:
            await fleet.start()
            fleet.phase = "before"
            await asyncio.sleep(before)
            fleet.phase = "during"
            await disturb(fleet)
            fleet.phase = "after"
            await asyncio.sleep(after)
            wrong, took = await fleet.settle()
            report = fleet.nodes[0].run("check").splitlines()[-1]
        finally:
            await fleet.end()
        count = len(fleet.acknowledged)
        table.add(f"{name}: {count} acknowledged, wrong", str(wrong or "nothing"), "nothing", not wrong)
        resyncs = sum(listener.resyncs for listener in fleet.listeners)
        table.add(f"{name}: chats that were read anew on resync", str(resyncs), "-", True)
        table.add(f"{name}: greenroom check", report, "0 differences", report.endswith(" 0 differences found"))
        table.add(f"{name}: all delivered after the last answer", f"{took:.2f} s", "< 5 s", took < 5)
        for what, measured, wanted, passed in checks(fleet):
            table.add(f"{name}: {what}", measured, wanted, passed)


def remote(within):
    """Measures the delay of events at the other node and at the same node."""
    def checks(fleet):
        yield "remote p50 / p99 before", fleet.spread("before"), "-", True
        during = fleet.latencies("during")
        slow = sorted(during)[int(len(during) * 0.99)] if during else 0
        yield "remote p50 / p99 during", fleet.spread("during"), f"p99 < {within} s", slow < within
        yield "remote p50 / p99 after", fleet.spread("after"), "-", True
        yield "local p50 / p99 during", fleet.spread("during", remote=False), "-", True
        gap = fleet.gaps["during"]
        yield "longest without an answer during", f"{gap * 1000:.0f} ms", "< 1 s", gap < 1
    return checks


def answers(within):
    def checks(fleet):
        slowest = max(fleet.slowest["during"], fleet.slowest["after"])
        yield "slowest single answer", f"{slowest * 1000:.0f} ms", f"< {within} s", slowest < within
        gap = max(fleet.gaps["during"], fleet.gaps["after"])
        yield "longest that somebody went without a 2xx", f"{gap:.2f} s", "-", True
        yield "remote p50 / p99 before and after", f"{fleet.spread('before')}, {fleet.spread('after')}", "-", True
    return checks


async def redis_stopped(fleet):
    await fleet.redis.does("stop")
    await asyncio.sleep(10)
    await fleet.redis.does("continue")


async def redis_killed(fleet):
    await fleet.redis.does("kill")
    await asyncio.sleep(10)
    await fleet.redis.does("start")


async def redis_cut_off(fleet):
    fleet.ways[0].is_cut = True
    await asyncio.sleep(10)
    fleet.ways[0].is_cut = False


async def postgres(fleet, *commands, pause=0.0):
    for number, command in enumerate(commands):
        if number:
            await asyncio.sleep(pause)
        await fleet.postgres.does(command)


async def nodes_killed(fleet, cycles=10):
    for cycle in range(cycles):
        fleet.kill(cycle % 2)
        await asyncio.sleep(0.5)
        await asyncio.to_thread(fleet.begin, cycle % 2)
        await asyncio.sleep(0.7)


async def node_paused(fleet, seconds=30):
    fleet.signal(1, signal.SIGSTOP)
    await asyncio.sleep(seconds)
    fleet.signal(1, signal.SIGCONT)


SCENES = {
    "redis-stopped": (redis_stopped, remote(2)),
    "redis-killed": (redis_killed, remote(2)),
    # A node detects the cut only after some seconds without an answer.
    "redis-cut-off": (redis_cut_off, remote(5)),
    "postgres-fast": (lambda fleet: postgres(fleet, "restart fast"), answers(2.5)),
    "postgres-immediate": (lambda fleet: postgres(fleet, "restart immediate"), answers(2.5)),
    "postgres-killed": (lambda fleet: postgres(fleet, "kill", "start"), answers(2.5)),
    "postgres-paused": (lambda fleet: postgres(fleet, "pause", "continue", pause=10), answers(2.5)),
    "nodes-killed": (nodes_killed, answers(5.5)),
    "node-paused": (node_paused, answers(5.5)),
}


async def run(options):
    table = Table()
    for name in options.scenes or SCENES:
        disturb, checks = SCENES[name]
        await scene(options, table, name, disturb, checks)
    table.show()
    return table.passed()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/greenroom", help="the program (default: %(default)s)")
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help=f"{', '.join(SCENES)}; all of them by default")
    options = parser.parse_args()
    unknown = set(options.scenes) - set(SCENES)
    if unknown:
        parser.error(f"no such scene: {', '.join(unknown)}")
    options.binary = str(pathlib.Path(options.binary).resolve())
    sys.exit(0 if asyncio.run(run(options)) else 1)


if __name__ == "__main__":
    main()
