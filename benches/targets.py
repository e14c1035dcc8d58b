"""Runs `greenroom load` for each performance target and its baseline, and writes the results into the docs."""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "BENCHMARKS.md"
LATEST = ROOT / "docs" / "benchmarks" / "latest.json"
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"

TOGETHER = ["--closed", "--until", "heard"]


class Bench:
    def __init__(self, binary, limits, quick, folder):
        self.binary, self.limits, self.quick, self.folder = binary, limits, quick, folder
        self.times = 1 if quick else 3
        self.time = ["--duration", "2s" if quick else "8s", "--warmup", "500ms" if quick else "2s"]
        self.rows = []
        self.plots = {}

    def load(self, kind, *args, at=("--spawn",)):
        """Runs the load generator once and returns its figures. Raises RuntimeError if the run reports a fault."""
        command = [self.binary, "load", kind, *at, *self.time, *map(str, args), "--json", "-"]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"TMPDIR": self.folder})
        if done.returncode != 0:
            figures = json.loads(done.stdout or "{}")
            faults = {"checks": figures.get("checks"), "errors": figures.get("errors")}
            raise RuntimeError(f"{' '.join(command[1:])}: {done.stderr.strip()} {faults}")
        return json.loads(done.stdout)

    def median(self, value, kind, *args, at=("--spawn",)):
        """Returns the median of several runs, by `value`."""
        runs = [self.load(kind, *args, at=at) for _ in range(self.times)]
        return sorted(runs, key=value)[len(runs) // 2]

    def plot(self, name, titles, kind, *args):
        """Runs once more and keeps some of its plots."""
        report = pathlib.Path(self.folder) / "report.html"
        self.load(kind, *args, "--report", report)
        drawn = dict(re.findall(r"<h2>([^<]*)</h2>\s*(<svg.*?</svg>)", report.read_text(), re.DOTALL))
        for title in titles:
            self.plots[f"{name}: {title}"] = drawn[title]

    @contextlib.contextmanager
    def limit(self, *args):
        """Starts a baseline server and yields the arguments for a load run against it."""
        process = subprocess.Popen([self.limits, *args], stdout=subprocess.PIPE, text=True)
        try:
            url = process.stdout.readline().strip().removeprefix("Listening on ")
            yield ["--url", url, "--token", "any", "--pid", str(process.pid)]
        finally:
            process.terminate()
            process.wait()

    @contextlib.contextmanager
    def postgres(self):
        """Starts a durable PostgreSQL and yields the URL of a database; None where PostgreSQL is not installed."""
        script = ROOT / "tests" / "support" / "postgres.sh"
        environment = os.environ | {"OPTIONS": "-c fsync=on"}
        process = subprocess.Popen([script], env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            url = process.stdout.readline().strip()
            yield f"{url}/postgres" if url.startswith("postgres://") else None
        finally:
            process.stdin.close()
            process.wait()

    def row(self, name, what, target, measured, met, limit="", ratio=None):
        row = {"name": name, "what": what, "target": target, "measured": measured, "limit": limit, "ratio": ratio, "met": met}
        self.rows.append(row)
        shown = f"{ratio:.2f}" if ratio is not None else ""
        print(f"{name:4} {'met' if met else 'NOT':4} {what}: {measured}; target {target}; limit {limit or '-'} {shown}", flush=True)


def operation(figures, name):
    return next(operation for operation in figures["operations"] if operation["name"] == name)


def rate(figures):
    return operation(figures, "send")["per_second"]


def cpu(figures):
    return figures["server"]["cpu_us_per_operation"]


def per_delivery(figures):
    return figures["server"]["cpu_us_per_delivery"]


def millis(micros):
    return f"{micros / 1000:.1f} ms"


POSTS = ["--members", 2, "--listeners", 0, "--senders", 64, "--closed"]


def posts(bench):
    own = bench.median(rate, "rooms", "--session", "--rooms", 100, *POSTS)
    files = (str(pathlib.Path(bench.folder) / f"limit-{turn}.db") for turn in range(100))
    with bench.limit("commit", next(files)) as at:
        bare = bench.median(rate, "rooms", "--rooms", 100, *POSTS, at=at)
    with bench.limit("handler") as at:
        empty = bench.median(rate, "rooms", "--rooms", 100, *POSTS, at=at)
    p99 = operation(own, "send")["latency"]["p99"]
    measured = f"{rate(own):,.0f}/s, p99 {millis(p99)}, {cpu(own):.1f} us CPU"
    limit = f"group commit alone {rate(bare):,.0f}/s, {cpu(bare):.1f} us; no database {rate(empty):,.0f}/s, {cpu(empty):.1f} us"
    ratio = cpu(own) / cpu(bare)
    met = rate(own) >= 25_000 and p99 <= 10_000 and cpu(own) <= 40 and ratio <= 1.5
    bench.row("P1", "durable posts over REST, 64 connections, 100 chats", "25,000/s, p99 10 ms, 40 us, 1.5 x the CPU of group commit alone", measured, met, limit, ratio)
    bench.plot("P1", ["send: latency histogram"], "rooms", "--session", "--rooms", 100, *POSTS)
    hot = bench.median(rate, "rooms", "--session", "--rooms", 1, *POSTS)
    ratio = rate(hot) / rate(own)
    bench.row("P2", "the same in one chat", "0.8 of P1", f"{rate(hot):,.0f}/s, {cpu(hot):.1f} us CPU", ratio >= 0.8, f"P1 {rate(own):,.0f}/s", ratio)
    return own


def commands(bench):
    args = ["--rooms", 64, "--members", 1, "--via", "sockets", "--senders", 64, "--closed", "--in-flight", 16]
    own = bench.median(rate, "rooms", *args)
    bench.row("P3", "messages as commands over 64 sockets", "35,000/s", f"{rate(own):,.0f}/s, {cpu(own):.1f} us CPU", rate(own) >= 35_000)


def fan_out(bench):
    fastest = None
    for members in [1_000] if bench.quick else [1_000, 5_000]:
        for senders in [1, 8]:
            args = ["--rooms", 1, "--members", members, "--senders", senders, *TOGETHER]
            own = bench.median(per_delivery, "rooms", *args)
            with bench.limit("room") as at:
                # It counts its messages from the start, so each run needs a new one.
                bare = bench.load("rooms", *args, at=at)
            ratio = per_delivery(own) / per_delivery(bare)
            deliveries = operation(own, "deliver")["per_second"]
            met = ratio <= 1.25 and (senders == 1 or per_delivery(own) <= 1.5)
            target = "1.25 x a bare room" + (", 1.5 us" if senders == 8 else "")
            bench.row("P4", f"fan-out to {members:,} sockets, {senders} in flight", target, f"{per_delivery(own):.2f} us CPU each, {deliveries:,.0f}/s", met, f"{per_delivery(bare):.2f} us, {operation(bare, 'deliver')['per_second']:,.0f}/s", ratio)
            if members == 1_000 and senders == 8:
                fastest = rate(own)
    args = ["--rooms", 1, "--members", 1_000, "--rate", max(1, fastest / 2)]
    own = bench.median(lambda run: operation(run, "deliver to all")["latency"]["p99"], "rooms", *args)
    bench.plot("P5", ["deliver to all: latency histogram", "Deliveries a second", "Memory of the server, MiB", "CPU, percent of a core"], "rooms", *args)
    with bench.limit("room") as at:
        bare = bench.load("rooms", *args, at=at)
    latency, limit = (operation(run, "deliver to all")["latency"] for run in (own, bare))
    met = latency["p50"] <= 6_000 and latency["p99"] <= 20_000
    what = f"from the request to the last of 1,000 sockets, at {fastest / 2:,.0f}/s, half of the most"
    spread = (f"p50 {millis(each['p50'])}, p99 {millis(each['p99'])}" for each in (latency, limit))
    bench.row("P5", what, "p50 6 ms, p99 20 ms", next(spread), met, f"bare room {next(spread)}", latency["p50"] / limit["p50"])


def reading(bench):
    for what in ["page", "chats"]:
        own = bench.median(cpu, "read", "--what", what, "--closed", "--connections", 32, "--session")
        each = operation(own, what)["per_second"]
        name = {"page": "a page of 50 messages", "chats": "a list of 10 chats"}[what]
        bench.row("P6", name, "5,000/s", f"{each:,.0f}/s, {cpu(own):.0f} us CPU", each >= 5_000)


def large_chat(bench):
    count = 100_000 if bench.quick else 1_000_000
    args = ["--chats", 1, "--users", 2, "--members", 2, "--messages", count, "--deleted", 10, "--plain", "--closed", "--connections", 1]
    own = bench.load("read", "--what", "page,last,before,after,unread", *args)
    took = {name: operation(own, name)["latency"]["p50"] for name in ["page", "last page", "before", "after", "unread"]}
    small = bench.load("read", "--what", "unread", *args[:6], "--messages", 50, *args[8:])
    unread = operation(small, "unread")["latency"]["p50"]
    worst = max(took[name] / took["page"] for name in ["last page", "before", "after"])
    worst = max(worst, took["unread"] / unread)
    shown = ", ".join(f"{name} {micros:.0f} us" for name, micros in took.items())
    bench.row("P7", f"pages and unread counts of a chat with {count:,} messages, half of them one's own, a tenth deleted", "1.2 x the first page, or a small chat's count", shown, worst <= 1.2, f"unread among 50: {unread:.0f} us", worst)
    started = own["figures"]["server_started_in_ms"]
    bench.row("P9", f"start with {count:,} messages", "150 ms", f"{started:.0f} ms", started <= 150)


def worst_cases(bench):
    """Compares worst-case amounts of data with small ones in the same run. Latency must not grow with the data."""
    few, many = (1_000, 20_000) if bench.quick else (5_000, 500_000)
    two = ["--users", 2, "--members", 2, "--plain", "--closed", "--connections", 1]
    cases = [
        ("a reader who never wrote", "page,unread,sync", ["--one-sided", "--chats", 1, *two], ["--messages", few], ["--messages", many], 1.2),
        ("a room of 20,000", "page,chats,unread", ["--chats", 1, "--messages", 100, "--plain", "--closed", "--connections", 1],
         ["--users", 200, "--members", 200], ["--users", 20_000, "--members", 20_000], 1.2),
        # Unread counts and sync grow with the number of chats. The list sorts all chats for its first ten.
        ("a user in 3,000 chats", "chats,page,unread,sync", ["--one-sided", "--messages", 5, *two], ["--chats", 100], ["--chats", 3_000], 30),
    ]
    for number, (name, what, args, small, large, limit) in enumerate(cases):
        took = [{part["name"]: part["latency"]["p50"] for part in bench.load("read", "--what", what, *args, *size)["operations"]} for size in (small, large)]
        ratios = {part: took[1][part] / took[0][part] for part in took[0]}
        worst = max(ratios.values())
        shown = ", ".join(f"{part} {took[1][part]:.0f} us ({ratio:.2f} x)" for part, ratio in ratios.items())
        before = ", ".join(f"{part} {micros:.0f} us" for part, micros in took[0].items())
        bench.row(f"P7{'abc'[number]}", f"{name}: {' '.join(map(str, large))} against {' '.join(map(str, small))}", f"{limit} x", shown, worst <= limit, before, worst)


def memory(bench):
    count = 1_000 if bench.quick else 9_000
    own = bench.load("idle", "--sockets", count, "--session")
    empty, each = own["figures"]["server_mib_without_sockets"], own["figures"]["server_kib_per_socket"]
    busy = bench.load("rooms", "--rooms", count // 100, "--members", 100, "--rate", 100)
    mib = busy["server"]["rss_bytes"] / (1 << 20)
    met = empty <= 30 and each <= 16 and mib <= 300
    bench.row("P8", f"memory: idle, each idle socket, {count:,} sockets after traffic", "30 MiB, 16 KiB, 300 MiB with 10,000", f"{empty:.1f} MiB, {each:.1f} KiB, {mib:.0f} MiB", met)


def storm(bench):
    count = 1_000 if bench.quick else 5_000
    own = bench.load("storm", "--sockets", count, "--restart", "--changed", 1)
    seconds = own["figures"]["seconds_until_all_were_back"]
    errors = own["errors"]
    bench.row("P10", f"{count:,} sockets lose their server and resume", "all live within 5 s, no 5xx but 503 with Retry-After", f"{seconds:.2f} s, errors {errors or 'none'}", seconds <= 5 and not errors)


def on_postgres(bench, sqlite):
    with bench.postgres() as url:
        if url is None:
            print("P11 skipped: PostgreSQL is not installed", flush=True)
            return
        own = bench.median(rate, "rooms", "--session", "--rooms", 100, *POSTS, at=["--spawn", "--database-url", url])
    ratio = rate(own) / rate(sqlite)
    bench.row("P11", "P1 on PostgreSQL", "0.4 of SQLite's", f"{rate(own):,.0f}/s, {cpu(own):.1f} us CPU without PostgreSQL's own", ratio >= 0.4, f"P1 {rate(sqlite):,.0f}/s", ratio)


def history(bench):
    few, many = (1_000, 20_000) if bench.quick else (10_000, 1_000_000)
    args = ["--session", "--rooms", 10, *POSTS]
    # Existing messages are indexed for search during the warmup.
    bench.time[-1] = "2s" if bench.quick else "12s"
    short = bench.median(cpu, "rooms", *args, "--messages", few // 10)
    long = bench.median(cpu, "rooms", *args, "--messages", many // 10)
    ratio = cpu(long) / cpu(short)
    bench.row("P12", f"CPU of a post among {many:,} messages against {few:,}", "1.2 x", f"{cpu(long):.1f} us", ratio <= 1.2, f"{cpu(short):.1f} us", ratio)


def table(rows, machine, quick):
    yield f"{machine}{'; a quick run' if quick else '; the middle of three runs'}."
    yield ""
    yield "| | | target | measured | limit in the same run | ratio | met |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
        cells = [row["name"], row["what"], row["target"], row["measured"], row["limit"], ratio, "yes" if row["met"] else "**no**"]
        yield f"| {' | '.join(cells)} |"


def pictures(plots, folder):
    """Writes each plot into a separate file. Yields the lines of Markdown that show them."""
    for old in folder.glob("*.svg"):
        old.unlink()
    for title, svg in plots.items():
        file = folder / f"{re.sub('[^a-z0-9]+', '-', title.lower()).strip('-')}.svg"
        file.write_text(svg + "\n")
        yield ""
        yield f"{title}\n\n![{title}](benchmarks/{file.name})"


def write(rows, plots, quick):
    now = datetime.datetime.now(datetime.timezone.utc)
    cpu_name = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "")
    machine = f"{now:%Y-%m-%d}, {os.cpu_count()} cores ({cpu_name}), Linux {platform.release()}, client and server on one machine"
    LATEST.parent.mkdir(exist_ok=True)
    LATEST.write_text(json.dumps({"at": now.isoformat(), "machine": machine, "quick": quick, "rows": rows}, indent=2) + "\n")
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    shown = "\n".join([*table(rows, machine, quick), *pictures(plots, LATEST.parent)])
    PAGE.write_text(f"{before}{BEGIN}\n{shown}\n{END}{after}")


def keep(bench, only):
    """Writes the results so far, in the order of the targets. A partial run (`--only`) is not written."""
    bench.rows.sort(key=lambda row: (int(row["name"][1:].rstrip("abc")), row["name"]))
    if not only:
        write(bench.rows, bench.plots, bench.quick)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--limits", required=True)
    parser.add_argument("--quick", action="store_true", help="short runs with little data, to check that everything works")
    parser.add_argument("--only", default="", help="comma-separated: posts,commands,fan_out,reading,large_chat,worst_cases,memory,storm,postgres,history")
    options = parser.parse_args()
    only = set(filter(None, options.only.split(",")))
    wanted = lambda name: not only or name in only
    # On disk, not in a RAM disk, so that commits have their real cost.
    with tempfile.TemporaryDirectory(dir=ROOT / "target") as folder:
        bench = Bench(options.binary, options.limits, options.quick, folder)
        sqlite = posts(bench) if wanted("posts") or wanted("postgres") else None
        steps = {"commands": commands, "fan_out": fan_out, "reading": reading, "large_chat": large_chat, "worst_cases": worst_cases, "memory": memory, "storm": storm, "history": history}
        for name, step in steps.items():
            if wanted(name):
                step(bench)
                # Written after each step, so that a later failure does not lose the results.
                keep(bench, only)
        if wanted("postgres"):
            on_postgres(bench, sqlite)
            keep(bench, only)
    missed = [row["name"] for row in bench.rows if not row["met"]]
    print(f"not met: {', '.join(missed)}" if missed else "all met")


if __name__ == "__main__":
    sys.exit(main())
