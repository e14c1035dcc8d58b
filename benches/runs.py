"""Runs `greenroom load` against builds and baseline servers, in turn, and says how long it will take."""

import contextlib
import functools
import itertools
import json
import os
import pathlib
import re
import subprocess
import sys
import time

from comparison import Comparison

ROOT = pathlib.Path(__file__).resolve().parent.parent

# What a run takes besides its measurement, for the first estimate of the time that is left.
SECONDS_AROUND = 1.5
CREATED_A_SECOND = 20_000


class NotInstalled(Exception):
    """A program that a target needs is not on this machine."""


class Runs(list):
    """The figures of several runs of one load on one server."""

    def middle(self, value):
        """Returns the median run, by `value`."""
        return sorted(self, key=value)[len(self) // 2]


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder, self.quick = options, folder, options.quick
        self.builds = {"this build": []}
        if options.base:
            self.builds["base"] = ["--server-binary", options.base]
        self.times = 1 if self.quick else 3
        # How often what is measured once without a base is measured.
        self.times_of_long_runs = self.times if options.base else 1
        self.rows, self.plots = [], {}
        self.comparison = Comparison()
        self.expected = self.done = 0
        self.started = time.monotonic()
        self.databases = itertools.count()

    def load(self, kind, *args, at=("--spawn",), warmup=None):
        """Runs the load generator once and returns its figures. Raises RuntimeError if the run reports a fault."""
        times = ["--duration", "2" if self.quick else "8", "--warmup", warmup or ("0.5" if self.quick else "2")]
        command = [self.options.binary, "load", kind, *at, *times, *map(str, args), "--json", "-"]
        figures = self.run(command)
        self.done += expected_seconds(command)
        return figures

    def run(self, command):
        """Runs a command that prints figures, and returns them."""
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"TMPDIR": self.folder})
        if done.returncode != 0:
            figures = json.loads(done.stdout or "{}")
            faults = {"checks": figures.get("checks"), "errors": figures.get("errors")}
            raise RuntimeError(f"{' '.join(command[1:])}: {done.stderr.strip()} {faults}")
        return json.loads(done.stdout)

    def on_builds(self, kind, *args, **keywords):
        """Returns the runs of a load on this build and on the base, by the name of the server."""
        run = lambda build: functools.partial(self.load, kind, *args, at=["--spawn", *build], **keywords)
        return {name: run(build) for name, build in self.builds.items()}

    def on_postgres(self, kind, *args):
        """Returns the runs of a load on both builds, each with a new PostgreSQL."""
        def run(build):
            with self.postgres() as url:
                return self.load(kind, *args, at=["--spawn", *build, "--database-url", url])
        return {name: functools.partial(run, build) for name, build in self.builds.items()}

    def on_limit(self, name, limit, kind, *args):
        """Returns the run of a load on a baseline server. Each run starts a new one: it counts its messages from the start."""
        def run():
            with self.limit(limit) as at:
                return self.load(kind, *args, at=at)
        return {name: run}

    def in_turn(self, what, runs, times=None):
        """Runs each in turn, several times. Returns the figures of each by its name. `what` is for the progress."""
        times = times or self.times
        figures = {name: Runs() for name in runs}
        for turn in range(1, times + 1):
            for name, run in runs.items():
                self.progress(f"{what}: {name}, turn {turn} of {times}")
                figures[name].append(run())
        return figures

    def plot(self, name, titles, kind, *args):
        """Runs once more and keeps some of its plots. Does nothing with a base, since then nothing is written."""
        if self.options.base:
            return
        self.progress(f"{name}: plots")
        report = pathlib.Path(self.folder) / "report.html"
        self.load(kind, *args, "--report", report)
        self.keep_plots(name, titles, report)

    def keep_plots(self, name, titles, report):
        drawn = dict(re.findall(r"<h2>([^<]*)</h2>\s*(<svg.*?</svg>)", report.read_text(), re.DOTALL))
        for title in titles:
            self.plots[f"{name}: {title}"] = drawn[title]

    @contextlib.contextmanager
    def limit(self, name):
        """Starts a baseline server and yields the arguments for a load run against it."""
        file = [f"{self.folder}/limit-{next(self.databases)}.db"] if name == "commit" else []
        process = subprocess.Popen([self.options.limits, name, *file], stdout=subprocess.PIPE, text=True)
        try:
            url = process.stdout.readline().strip().removeprefix("Listening on ")
            yield ["--url", url, "--token", "any", "--pid", str(process.pid)]
        finally:
            process.terminate()
            process.wait()

    @contextlib.contextmanager
    def postgres(self):
        """Starts a durable PostgreSQL and yields the URL of a database. Raises NotInstalled where there is none."""
        script = ROOT / "tests" / "support" / "postgres.sh"
        environment = os.environ | {"OPTIONS": "-c fsync=on"}
        process = subprocess.Popen([script], env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            url = process.stdout.readline().strip()
            if not url.startswith("postgres://"):
                raise NotInstalled("PostgreSQL is not installed")
            yield f"{url}/postgres"
        finally:
            process.stdin.close()
            process.wait()

    def row(self, name, what, target, measured, met, limit="", ratio=None):
        row = {"name": name, "what": what, "target": target, "measured": measured, "limit": limit, "ratio": ratio, "met": met}
        self.rows.append(row)
        shown = f"{ratio:.2f}" if ratio is not None else ""
        print(f"{name:4} {'met' if met else 'NOT':4} {what}: {measured}; target {target}; limit {limit or '-'} {shown}", flush=True)

    def compare(self, target, case, figures, runs, other="base"):
        """Compares this build's figures with another server's. Does nothing without a base."""
        if self.options.base:
            self.comparison.add(target, case, figures, runs, other)

    def progress(self, what):
        """Says what runs now and how long is left, by the time that the runs so far took."""
        took = time.monotonic() - self.started
        pace = took / self.done if self.done > 20 else 1
        left = (self.expected - self.done) * pace
        shown = f"{left / 60:.0f} min" if left >= 100 else f"{left:.0f} s"
        print(f"{what}; about {shown} left", file=sys.stderr, flush=True)


def expected_seconds(command):
    """Returns about how long a load takes, with the creation of its users and messages."""
    options = dict(itertools.pairwise(command))
    number = lambda *names: next((int(options[name]) for name in names if name in options), 1)
    created = number("--rooms", "--chats") * (number("--messages") + number("--members") + 2 * number("--threads"))
    return float(options["--duration"]) + float(options["--warmup"]) + SECONDS_AROUND + created / CREATED_A_SECOND


class Rehearsal(Bench):
    """Runs nothing: adds up how long the loads are expected to take. All their figures are 1."""

    def run(self, command):
        names = ["send", "deliver", "deliver to all", "page", "last page", "before", "after", "unread", "chats", "sync", "threads"]
        ones = {"per_second": 1, "latency": {"p50": 1, "p99": 1}}
        figures = ["server_started_in_ms", "server_mib_without_sockets", "server_kib_per_socket", "seconds_until_all_were_back"]
        return {
            "operations": [{"name": name, **ones} for name in names],
            "figures": dict.fromkeys(figures, 1),
            "server": {"cpu_us_per_operation": 1, "cpu_us_per_delivery": 1, "rss_bytes": 1},
            "errors": {},
        }

    @contextlib.contextmanager
    def limit(self, name):
        yield []

    @contextlib.contextmanager
    def postgres(self):
        yield "postgres://"

    def keep_plots(self, *args):
        pass

    def row(self, *args, **keywords):
        pass

    def compare(self, *args, **keywords):
        pass

    def progress(self, what):
        pass
