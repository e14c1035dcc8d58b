"""Compares the figures of two builds with the limits of their ratios. `comparison.py FILE` checks that a base can be used."""

import collections
import math
import mmap
import pathlib
import statistics
import subprocess
import sys

# The limits of this build's figure divided by the other's. A target is named alone or with its case.
LIMITS = {
    # target, figure, compared with
    ("P1", "CPU a post", "base"): ("<=", 0.55),
    ("P1", "posts a second", "base"): (">=", 1.8),
    ("P1", "p99", "base"): ("<=", 1.0),
    ("P1", "CPU a post", "group commit alone"): ("<=", 1.7),
    ("P2", "CPU a post", "base"): ("<=", 0.7),
    ("P3", "CPU a post", "base"): ("<=", 0.6),
    ("P4", "CPU a delivery", "base"): ("<=", 1.02),
    ("P5 at 100/s", "p50", "bare room"): ("<=", 1.0),
    ("P5 at 100/s", "p99", "bare room"): ("<=", 1.1),
    ("P6", "CPU a request", "base"): ("<=", 1.02),
    ("P7", "p50", "base"): ("<=", 1.02),
    ("P7a", "p50", "base"): ("<=", 1.02),
    ("P7b", "p50", "base"): ("<=", 1.02),
    ("P7c", "p50", "base"): ("<=", 1.02),
    ("P8", "memory", "base"): ("<=", 1.02),
    ("P9", "time", "base"): ("<=", 1.02),
    ("P10", "time", "base"): ("<=", 1.02),
    ("P11", "posts a second", "base"): (">=", 1.3),
    ("P12", "CPU a post", "base"): ("<=", 1.02),
}

VERDICTS = {None: "", True: "yes", False: "NO"}

# A figure of a run: its name, how to read it, and the format of a value.
Figure = collections.namedtuple("Figure", "name value shown")

Line = collections.namedtuple("Line", "target case figure own other other_value ratio limit within")


class Comparison:
    def __init__(self):
        self.lines = []

    def add(self, target, case, figures, runs, other):
        """Compares the medians of this build's figures with the medians of another server's, and prints each."""
        for name, value, shown in figures:
            own, theirs = (statistics.median(map(value, runs[server])) for server in ("this build", other))
            ratio = own / theirs if theirs else math.inf
            limit = LIMITS.get((f"{target} {case}", name, other)) or LIMITS.get((target, name, other))
            within = None if limit is None else ratio <= limit[1] if limit[0] == "<=" else ratio >= limit[1]
            self.lines.append(Line(target, case, name, shown.format(own), other, shown.format(theirs), ratio, limit, within))
            print(f"{target:4} {VERDICTS[within]:4} {case}: {name} {shown.format(own)}, {other} {shown.format(theirs)}; ratio {ratio:.2f}{f', limit {limit[0]} {limit[1]}' if limit else ''}", flush=True)

    def table(self):
        yield "| target | | figure | this build | compared with | its figure | ratio | limit | within |"
        yield "|---|---|---|---|---|---|---|---|---|"
        for line in sorted(self.lines, key=lambda line: order(line.target)):
            yield f"| {' | '.join(cells(line))} |"

    def exceeded(self):
        """Returns the names of the figures that are not within their limits."""
        lines = sorted(self.lines, key=lambda line: order(line.target))
        return [f"{line.target} {line.case}, {line.figure} to {line.other}" for line in lines if line.within is False]


def order(target):
    """Returns the sort key of a target's name, such as P7a."""
    return int(target[1:].rstrip("abc")), target


def cells(line):
    limit = " ".join(map(str, line.limit)) if line.limit else ""
    return [line.target, line.case, line.figure, line.own, line.other, line.other_value, f"{line.ratio:.2f}", limit, VERDICTS[line.within]]


def version(program):
    """Returns the version of a build of Greenroom. Raises ValueError if the program is none."""
    if not pathlib.Path(program).is_file():
        raise ValueError(f"there is no file {program}")
    try:
        said = subprocess.run([str(pathlib.Path(program).resolve()), "--version"], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=10)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise ValueError(f"{program} does not start: {error}") from error
    if said.returncode != 0 or not said.stdout.startswith("greenroom "):
        raise ValueError(f"{program} is not Greenroom: its --version does not say so")
    return said.stdout.split()[1]


def has_failpoints(program):
    """Returns whether a build contains failpoints, as one that was built for tests or benchmarks does."""
    with open(program, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(b"not supported for the fail point") >= 0


def checked_version(program):
    """Returns the version of a base. Exits with 2 if it is no build of Greenroom."""
    try:
        return version(program)
    except ValueError as error:
        print(f"The base cannot be used: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    checked_version(sys.argv[1])
