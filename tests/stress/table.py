"""A table of measurements and their limits."""

import asyncio
import os
import pathlib
import time

MIB = 1 << 20
DEADLINE = 20.0


class Table:
    """Rows that pass or fail, each printed at once."""

    def __init__(self):
        self.rows = []

    def add(self, what, measured, wanted, passed):
        self.rows.append((what, measured, wanted, "pass" if passed else "FAIL"))
        print(f"{'pass' if passed else 'FAIL'}  {what}: {measured}  (wanted: {wanted})", flush=True)

    def show(self):
        rows = [("what", "measured", "wanted", ""), *self.rows]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        print()
        for row in rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())

    def passed(self):
        return all(row[3] == "pass" for row in self.rows)


def mib(size):
    return f"{size / MIB:.1f} MiB"


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def until(condition, within=DEADLINE, every=0.02):
    """Waits until a condition holds. Returns the seconds it took, or None after a timeout."""
    start = time.monotonic()
    while time.monotonic() - start < within:
        if condition():
            return time.monotonic() - start
        await asyncio.sleep(every)
    return None


def kernel_memory():
    """Returns the memory of all TCP sockets, in bytes."""
    tcp = next(line for line in pathlib.Path("/proc/net/sockstat").read_text().splitlines() if line.startswith("TCP"))
    return int(tcp.split()[-1]) * os.sysconf("SC_PAGESIZE")
