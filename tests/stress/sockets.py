#!/usr/bin/env python3
"""Stress tests of a release binary, with figures: hostile, slow and half-open sockets, attacks by one user, shutdowns and
backups under load, and timings.

Starts the server on a free port with its own database, and prints each measurement beside its limit. The exit code is 1 if a
limit is exceeded. It needs Linux and Python 3.9. The part on half-open connections creates a network namespace, for which it
must be root and have `ip` and `nft`. All parts take some minutes.
"""

import argparse
import asyncio
import pathlib
import sys
import tempfile

import attacker
import copies
import dead
import endings
import hostile
import sizes
import slow
import stops
import timings
from people import Server, host_of
from table import Table

PARTS = ["frames", "slow", "sessions", "half-open", "shutdown", "stops", "copies", "timings", "attacker", "sizes"]


async def run(binary, parts, folder, count):
    table = Table()
    folders = {part: tempfile.mkdtemp(dir=folder) for part in PARTS}
    with Server(binary, folders["frames"]) as server:
        host = await host_of(server)
        if "frames" in parts:
            await hostile.run(server, host, table)
        if "slow" in parts:
            await slow.run(server, host, table)
        if "sessions" in parts:
            await endings.session_ends(server, host, table)
            await endings.removal(host, table)
    if "half-open" in parts:
        await dead.run(binary, folders["half-open"], table)
    if "shutdown" in parts:
        await endings.shutdown(binary, folders["shutdown"], table)
    if "stops" in parts:
        await stops.run(binary, folders["stops"], table, count)
    if "copies" in parts:
        await copies.run(binary, folders["copies"], table)
    if "timings" in parts:
        await timings.run(binary, folders["timings"], table)
    if "attacker" in parts:
        await attacker.run(binary, folders["attacker"], table)
    if "sizes" in parts:
        await sizes.run(binary, folders["sizes"], table)
    table.show()
    return table.passed()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/greenroom", help="the program (default: %(default)s)")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all of them by default")
    parser.add_argument("--stops", type=int, default=50, metavar="COUNT", help="stops under load (default: %(default)s)")
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}")
    with tempfile.TemporaryDirectory(prefix="greenroom-stress-") as folder:
        binary = str(pathlib.Path(options.binary).resolve())
        passed = asyncio.run(run(binary, options.parts or PARTS, folder, options.stops))
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
