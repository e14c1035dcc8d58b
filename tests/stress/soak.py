#!/usr/bin/env python3
"""Soak test of a release binary: the same mixed traffic for an hour, and whether the server needs more and more for it.

Starts the server on a free port with its own SQLite database. Forty users send thirty requests a second: posts, polls, pages,
searches, reactions, edits, deletions, read markers, typing, sign-ins and sign-outs. Sockets, event streams and long polls open,
listen and close. Each second it samples memory, descriptors, threads, CPU and the sizes of the log and the database. Every
`--every` seconds it pauses the traffic and sends a burst of one kind of request. The CPU time of the server during a burst is
that of its requests, to the nanosecond. A machine with other work is not equally fast at each time. So each request of a burst
follows one for the settings, which reads nothing, and the CPU time is divided by that of these.

The run is divided into thirds. Figures are medians of each third, and 99th percentiles of each third's latencies. A figure of the
last third may be at most 1.1 x that of the second. The first third is for caches to fill, and for the database to get its shape.

By nature these grow, without a limit on their own: the number of messages, with it the database, and the log's length, by what is
added in each third. Chats, members, sessions, unread messages, message lengths and the number of changes between two polls stay
the same. A search for a common word finds more and more messages until it has found 1,000.

The exit code is 1 if a limit is exceeded, or if an answer was not as expected. Ctrl-C ends the run and its server.
"""

import argparse
import asyncio
import contextlib
import json
import os
import pathlib
import signal
import statistics
import sys
import tempfile
import time

from bursts import Bursts, cpu_time
from mixed import Traffic, made
from people import Server
from table import MIB, Table, percentile

# Bursts of searches need more than the default.
SETTINGS = {"GREENROOM_RATE_LIMIT": "search=100/s:1000,groups=100/h,dms=100/h"}
# Highest ratio of the last third to the second.
RATIO = 1.1
# Kinds of bursts that are not slowed down like a short request, and are compared as they are.
UNLIKE = {"sign-in and sign-out", "a second of silence"}
# Number of latencies in a third from which on their 99th percentile is compared.
ENOUGH = 300
# KiB that the log must grow by in a third to be compared. In short runs a few lines make the difference.
LOG_ENOUGH = 20
# Seconds between two lines of progress.
PROGRESS = 30


class Samples:
    """What is sampled each second."""

    def __init__(self, server, traffic, folder):
        self.server, self.traffic, self.folder = server, traffic, pathlib.Path(folder)
        self.rows = []
        self.cpu, self.at, self.pauses = cpu_time(server.process), time.monotonic(), 0

    def take(self):
        server = self.server
        cpu, now, pauses = cpu_time(server.process), time.monotonic(), self.traffic.pauses
        is_clean = pauses == self.pauses and self.traffic.gate.is_set()
        self.rows.append({
            "at": now, "memory": server.memory(), "anonymous": server.memory("RssAnon"), "descriptors": server.files(),
            "threads": len(os.listdir(f"/proc/{server.process.pid}/task")), "log": self.size("log"),
            "database": self.size("stress.db"), "wal": self.size("stress.db-wal"), "messages": self.traffic.messages,
            # Without the seconds of a burst.
            "cpu": (cpu - self.cpu) / (now - self.at) * 100 if is_clean else None,
        })
        self.cpu, self.at, self.pauses = cpu, now, pauses

    def size(self, name):
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / name).stat().st_size
        return 0


class Soak:
    """A run: its samples, its bursts and the peak of memory in each third."""

    def __init__(self, server, traffic, folder, seconds, every):
        self.server, self.traffic, self.seconds, self.every = server, traffic, seconds, every
        self.samples, self.bursts = Samples(server, traffic, folder), Bursts(server, traffic)
        self.costs, self.peaks = [], []
        self.begun = time.monotonic()

    async def run(self):
        """Runs until the time is over. Fails if one of the tasks does."""
        tasks = [*self.traffic.start(), *map(asyncio.ensure_future, [self.sampling(), self.bursting(), self.reporting()])]
        try:
            done, _ = await asyncio.wait(tasks, timeout=self.seconds, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
                raise RuntimeError("a part of the traffic has ended")
        finally:
            # A task that is just being answered may miss the first attempt.
            while left := [task for task in tasks if not task.done()]:
                for task in left:
                    task.cancel()
                await asyncio.wait(left, timeout=1)
        self.end_third()

    def third(self, at):
        return min(2, int((at - self.begun) * 3 / self.seconds))

    def end_third(self):
        self.peaks.append(self.server.memory("VmHWM"))
        self.server.forget_peak()

    async def sampling(self):
        self.server.forget_peak()
        while True:
            await asyncio.sleep(1)
            self.samples.take()
            if self.third(time.monotonic()) > len(self.peaks):
                self.end_third()

    async def bursting(self):
        turn = 0
        while True:
            await asyncio.sleep(self.every)
            at = time.monotonic()
            kind, cost, reference = await self.bursts.run(turn)
            self.costs.append({"at": at, "kind": kind, "cpu": cost, "reference": reference,
                               "messages": self.traffic.messages})
            turn += 1

    async def reporting(self):
        while True:
            await asyncio.sleep(PROGRESS)
            rows = self.samples.rows[-PROGRESS:]
            since = time.monotonic() - PROGRESS
            times = [took for kind in self.traffic.times.values() for at, took in kind[-5_000:] if at > since]
            passed = int(time.monotonic() - self.begun)
            cpu = statistics.median(row["cpu"] for row in rows if row["cpu"] is not None)
            print(f"{passed // 60:3}:{passed % 60:02}  {rows[-1]['messages']:,} messages, {len(times) / PROGRESS:.0f} requests a second, "
                  f"memory {rows[-1]['memory'] / MIB:.1f} MiB, CPU {cpu:.1f} %, p99 {percentile(times, 0.99):.1f} ms, "
                  f"{rows[-1]['descriptors']} descriptors, {rows[-1]['threads']} threads", flush=True)

    def by_third(self, pairs):
        """Divides values with their times into thirds."""
        found = [], [], []
        for at, value in pairs:
            if value is not None:
                found[self.third(at)].append(value)
        return found

    def sampled(self, name):
        return self.by_third((row["at"], row[name]) for row in self.samples.rows)

    def report(self, table):
        """Adds a row for each figure."""
        grown = [[(each[-1] - each[0]) / 1024] if each else [] for each in self.sampled("log")]
        usual = statistics.median(burst["reference"] for burst in self.costs)
        references = self.by_third((burst["at"], burst["reference"]) for burst in self.costs)
        speeds = [usual / statistics.median(each) if each else 1 for each in references]
        cpu = [[value * speed for value in each] for each, speed in zip(self.sampled("cpu"), speeds)]
        for what, unit, thirds, divisor in [
            ("memory", "MiB", self.sampled("memory"), MIB),
            ("memory, peak", "MiB", [[peak] for peak in self.peaks], MIB),
            ("descriptors", "", self.sampled("descriptors"), 1),
            ("threads", "", self.sampled("threads"), 1),
            ("log, added", "KiB", grown, 1),
            ("CPU of the traffic", "%", cpu, 1),
        ]:
            enough = ENOUGH if what != "log, added" or thirds[1] > [LOG_ENOUGH] else 0
            self.compare(table, what, [statistics.median(each) / divisor if each else None for each in thirds], unit, enough)
        for name in ("database", "wal"):
            shown = ", ".join(f"{max(each) / MIB:.1f}" for each in self.sampled(name) if each)
            table.add(f"{name}, largest", f"{shown} MiB", "grows with the messages", True)
        shown = ", ".join(f"{statistics.median(each):.3g}" for each in references if each)
        table.add("CPU: settings, the reference", f"{shown} ms", "shows the speed of the machine", True)
        for kind, *_ in self.bursts.kinds:
            bursts = [burst for burst in self.costs if burst["kind"] == kind]
            if kind not in UNLIKE and bursts:
                usual = statistics.median(burst["reference"] for burst in bursts)
                costs = self.by_third((burst["at"], burst["cpu"] * usual / burst["reference"]) for burst in bursts)
            else:
                costs = self.by_third((burst["at"], burst["cpu"]) for burst in bursts)
            self.compare(table, f"CPU: {kind}", [statistics.median(each) if each else None for each in costs], "ms")
        every = [pair for pairs in self.traffic.times.values() for pair in pairs]
        for kind, times in [("all", every), *sorted(self.traffic.times.items())]:
            thirds = self.by_third(times)
            p99 = [percentile(each, 0.99) if each else None for each in thirds]
            self.compare(table, f"p99: {kind}", p99, "ms", min(map(len, thirds[1:])))
        failed = {what: count for what, count in self.traffic.failed.items() if count}
        table.add("unexpected answers", ", ".join(f"{count} x {what}" for what, count in failed.items()) or "0", "0", not failed)

    def compare(self, table, what, thirds, unit, count=ENOUGH):
        shown = ", ".join("-" if value is None else f"{value:.3g}" if value < 1 else f"{value:.2f}" for value in thirds)
        if None in thirds[1:] or not thirds[1] or count < ENOUGH:
            table.add(what, f"{shown} {unit}".strip(), "too few to compare", True)
            return
        ratio = thirds[2] / thirds[1]
        table.add(what, f"{shown} {unit}".strip() + f"; {ratio:.2f} x", f"<= {RATIO} x", ratio <= RATIO)


async def run(options, folder):
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)
    with open(f"{folder}/log", "wb") as log, Server(
            options.binary, folder, settings=SETTINGS, log=options.log, errors=log) as server:
        traffic = Traffic(await made(server))
        soak = Soak(server, traffic, folder, options.seconds, options.every)
        await soak.run()
        if options.json:
            figures = {"seconds": options.seconds, "begun": soak.begun, "samples": soak.samples.rows, "bursts": soak.costs,
                       "peaks": soak.peaks, "times": traffic.times, "failed": traffic.failed}
            pathlib.Path(options.json).write_text(json.dumps(figures))
        table = Table()
        soak.report(table)
    print("\nMedians and p99 of the first, the second and the last third; the last compared with the second.")
    exceeded = [row[0] for row in table.rows if row[3] != "pass"]
    print(f"Exceeded: {', '.join(exceeded)}" if exceeded else "Nothing grows.")
    return not exceeded


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/greenroom", help="the program (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=None, help="duration of the run, without setting up")
    parser.add_argument("--hours", type=float, default=1.0, help="duration, if --seconds is not given (default: %(default)s)")
    parser.add_argument("--every", type=float, default=3.0, metavar="SECONDS", help="pause between two bursts (default: %(default)s)")
    parser.add_argument("--log", default="info", help="the server's --log (default: %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="write all samples to a file")
    options = parser.parse_args()
    options.seconds = options.seconds or options.hours * 3_600
    options.binary = str(pathlib.Path(options.binary).resolve())
    with tempfile.TemporaryDirectory(prefix="greenroom-soak-") as folder:
        try:
            passed = asyncio.run(run(options, folder))
        except (KeyboardInterrupt, asyncio.CancelledError):
            sys.exit("interrupted")
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
