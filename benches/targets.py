"""Runs `greenroom load` for each performance target and its baseline, and writes the results into the docs.
With a base, compares this build with it instead: prints the ratio of each figure beside its limit."""

import argparse
import datetime
import functools
import json
import os
import platform
import re
import sys
import tempfile

from comparison import Figure, checked_version, has_failpoints, order
from runs import ROOT, Bench, NotInstalled, Rehearsal

PAGE = ROOT / "docs" / "BENCHMARKS.md"
LATEST = ROOT / "docs" / "benchmarks" / "latest.json"
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"

TOGETHER = ["--closed", "--until", "heard"]
POSTS = ["--members", 2, "--listeners", 0, "--senders", 64, "--closed"]


def operation(figures, name):
    return next(operation for operation in figures["operations"] if operation["name"] == name)


def rate(figures):
    return operation(figures, "send")["per_second"]


def cpu(figures):
    return figures["server"]["cpu_us_per_operation"]


def per_delivery(figures):
    return figures["server"]["cpu_us_per_delivery"]


def figure(name):
    """Returns how to read a figure that only one scenario has."""
    return lambda figures: figures["figures"][name]


def mib(figures):
    return figures["server"]["rss_bytes"] / (1 << 20)


def micros(name, percentile):
    """Returns how to read a percentile of an operation's latency, in microseconds."""
    return lambda figures: operation(figures, name)["latency"][percentile]


def millis(micros):
    return f"{micros / 1000:.1f} ms"


def latencies(name):
    """Returns the figures of an operation's latency."""
    return [Figure(percentile, micros(name, percentile), "{:,.0f} us") for percentile in ("p50", "p99")]


CPU_OF_A_POST = Figure("CPU a post", cpu, "{:.1f} us")
OF_POSTS = [Figure("posts a second", rate, "{:,.0f}"), CPU_OF_A_POST, *latencies("send")]


@functools.cache
def durable_posts(bench):
    """Runs P1, with which other targets are compared."""
    limits = bench.on_limit("group commit alone", "commit", "rooms", "--rooms", 100, *POSTS)
    limits |= bench.on_limit("no database", "handler", "rooms", "--rooms", 100, *POSTS)
    return bench.in_turn("P1", bench.on_builds("rooms", "--session", "--rooms", 100, *POSTS) | limits)


def posts(bench):
    runs = durable_posts(bench)
    own, bare, empty = (runs[name].middle(rate) for name in ("this build", "group commit alone", "no database"))
    p99 = operation(own, "send")["latency"]["p99"]
    measured = f"{rate(own):,.0f}/s, p99 {millis(p99)}, {cpu(own):.1f} us CPU"
    limit = f"group commit alone {rate(bare):,.0f}/s, {cpu(bare):.1f} us; no database {rate(empty):,.0f}/s, {cpu(empty):.1f} us"
    ratio = cpu(own) / cpu(bare)
    met = rate(own) >= 25_000 and p99 <= 10_000 and cpu(own) <= 40 and ratio <= 1.5
    bench.row("P1", "durable posts over REST, 64 connections, 100 chats", "25,000/s, p99 10 ms, 40 us, 1.5 x the CPU of group commit alone", measured, met, limit, ratio)
    bench.compare("P1", "100 chats", OF_POSTS, runs)
    bench.compare("P1", "100 chats", [CPU_OF_A_POST], runs, "group commit alone")
    bench.plot("P1", ["send: latency histogram"], "rooms", "--session", "--rooms", 100, *POSTS)


def one_chat(bench):
    own = durable_posts(bench)["this build"].middle(rate)
    runs = bench.in_turn("P2", bench.on_builds("rooms", "--session", "--rooms", 1, *POSTS))
    hot = runs["this build"].middle(rate)
    ratio = rate(hot) / rate(own)
    bench.row("P2", "the same in one chat", "0.8 of P1", f"{rate(hot):,.0f}/s, {cpu(hot):.1f} us CPU", ratio >= 0.8, f"P1 {rate(own):,.0f}/s", ratio)
    bench.compare("P2", "one chat", OF_POSTS, runs)


def commands(bench):
    args = ["--rooms", 64, "--members", 1, "--via", "sockets", "--senders", 64, "--closed", "--in-flight", 16]
    runs = bench.in_turn("P3", bench.on_builds("rooms", *args))
    own = runs["this build"].middle(rate)
    bench.row("P3", "messages as commands over 64 sockets", "35,000/s", f"{rate(own):,.0f}/s, {cpu(own):.1f} us CPU", rate(own) >= 35_000)
    bench.compare("P3", "64 sockets", OF_POSTS, runs)


@functools.cache
def deliveries(bench, members, senders):
    args = ["--rooms", 1, "--members", members, "--senders", senders, *TOGETHER]
    return bench.in_turn(f"P4, {members:,} sockets, {senders} in flight", bench.on_builds("rooms", *args) | bench.on_limit("bare room", "room", "rooms", *args))


def delivered(figures):
    return operation(figures, "deliver")["per_second"]


def fan_out(bench):
    of_deliveries = [Figure("deliveries a second", delivered, "{:,.0f}"), Figure("CPU a delivery", per_delivery, "{:.2f} us")]
    for members in [1_000] if bench.quick else [1_000, 5_000]:
        for senders in [1, 8]:
            runs = deliveries(bench, members, senders)
            own, bare = (runs[name].middle(per_delivery) for name in ("this build", "bare room"))
            ratio = per_delivery(own) / per_delivery(bare)
            met = ratio <= 1.25 and (senders == 1 or per_delivery(own) <= 1.5)
            target = "1.25 x a bare room" + (", 1.5 us" if senders == 8 else "")
            bench.row("P4", f"fan-out to {members:,} sockets, {senders} in flight", target, f"{per_delivery(own):.2f} us CPU each, {delivered(own):,.0f}/s", met, f"{per_delivery(bare):.2f} us, {delivered(bare):,.0f}/s", ratio)
            bench.compare("P4", f"{members:,} sockets, {senders} in flight", of_deliveries, runs)


def last_delivery(bench):
    """Asks for the latency at two rates, each beside the bare room's at that rate."""
    fastest = deliveries(bench, 1_000, 8)
    half = max(1, min(rate(fastest[build].middle(per_delivery)) for build in bench.builds) / 2)
    p50, p99 = (micros("deliver to all", percentile) for percentile in ("p50", "p99"))
    for each, asked in [(100, ""), (half, ", half of the most")]:
        case = f"at {each:,.0f}/s{asked}"
        args = ["--rooms", 1, "--members", 1_000, "--rate", each]
        runs = bench.in_turn(f"P5 {case}", bench.on_builds("rooms", *args) | bench.on_limit("bare room", "room", "rooms", *args))
        own, bare = (runs[name].middle(p99) for name in ("this build", "bare room"))
        if asked:
            target, met = "p50 6 ms, p99 20 ms", p50(own) <= 6_000 and p99(own) <= 20_000
        else:
            target, met = "p50 of a bare room, 1.1 x its p99", p50(own) <= p50(bare) and p99(own) <= 1.1 * p99(bare)
        spread = (f"p50 {millis(p50(run))}, p99 {millis(p99(run))}" for run in (own, bare))
        what = f"from the request to the last of 1,000 sockets, {case}"
        bench.row("P5", what, target, next(spread), met, f"bare room {next(spread)}", p50(own) / p50(bare))
        of_deliveries = [*latencies("deliver to all"), Figure("CPU a delivery", per_delivery, "{:.2f} us")]
        bench.compare("P5", case, of_deliveries, runs)
        bench.compare("P5", case, of_deliveries, runs, "bare room")
    bench.plot("P5", ["deliver to all: latency histogram", "Deliveries a second", "Memory of the server, MiB", "CPU, percent of a core"], "rooms", *args)


def reading(bench):
    for what in ["page", "chats"]:
        runs = bench.in_turn(f"P6, {what}", bench.on_builds("read", "--what", what, "--closed", "--connections", 32, "--session"))
        own = runs["this build"].middle(cpu)
        requests = lambda figures: operation(figures, what)["per_second"]
        name = {"page": "a page of 50 messages", "chats": "a list of 10 chats"}[what]
        bench.row("P6", name, "5,000/s", f"{requests(own):,.0f}/s, {cpu(own):.0f} us CPU", requests(own) >= 5_000)
        of_requests = [Figure("requests a second", requests, "{:,.0f}"), Figure("CPU a request", cpu, "{:.1f} us"), *latencies(what)]
        bench.compare("P6", name, of_requests, runs)


def large_chat(bench):
    count = 100_000 if bench.quick else 1_000_000
    args = ["--chats", 1, "--users", 2, "--members", 2, "--messages", count, "--deleted", 10, "--plain", "--closed", "--connections", 1]
    parts = ["page", "last page", "before", "after", "unread"]
    runs = bench.in_turn("P7", bench.on_builds("read", "--what", "page,last,before,after,unread", *args), bench.times_of_long_runs)
    own = runs["this build"].middle(micros("page", "p50"))
    took = {name: micros(name, "p50")(own) for name in parts}
    small = bench.on_builds("read", "--what", "unread", *args[:6], "--messages", 50, *args[8:])["this build"]
    unread = micros("unread", "p50")(bench.in_turn("P7", {"this build, 50 messages": small}, 1)["this build, 50 messages"][0])
    worst = max(took[name] / took["page"] for name in ["last page", "before", "after"])
    worst = max(worst, took["unread"] / unread)
    shown = ", ".join(f"{name} {each:.0f} us" for name, each in took.items())
    bench.row("P7", f"pages and unread counts of a chat with {count:,} messages, half of them one's own, a tenth deleted", "1.2 x the first page, or a small chat's count", shown, worst <= 1.2, f"unread among 50: {unread:.0f} us", worst)
    for name in parts:
        bench.compare("P7", name, latencies(name), runs)
    start = figure("server_started_in_ms")
    started = start(own)
    bench.row("P9", f"start with {count:,} messages", "150 ms", f"{started:.0f} ms", started <= 150)
    bench.compare("P9", "start", [Figure("time", start, "{:.1f} ms")], runs)


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
    for target, (name, what, args, small, large, limit) in zip(["P7a", "P7b", "P7c"], cases):
        little = bench.on_builds("read", "--what", what, *args, *small)["this build"]
        before = bench.in_turn(target, {"this build, little data": little}, 1)["this build, little data"][0]
        runs = bench.in_turn(target, bench.on_builds("read", "--what", what, *args, *large), bench.times_of_long_runs)
        after = runs["this build"].middle(micros("page", "p50"))
        took = [{part["name"]: part["latency"]["p50"] for part in figures["operations"]} for figures in (before, after)]
        ratios = {part: took[1][part] / took[0][part] for part in took[0]}
        worst = max(ratios.values())
        shown = ", ".join(f"{part} {took[1][part]:.0f} us ({ratio:.2f} x)" for part, ratio in ratios.items())
        limits = ", ".join(f"{part} {each:.0f} us" for part, each in took[0].items())
        bench.row(target, f"{name}: {' '.join(map(str, large))} against {' '.join(map(str, small))}", f"{limit} x", shown, worst <= limit, limits, worst)
        for part in took[1]:
            bench.compare(target, f"{name}: {part}", latencies(part), runs)


def memory(bench):
    count = 1_000 if bench.quick else 9_000
    idle = bench.in_turn("P8, idle", bench.on_builds("idle", "--sockets", count, "--session"), bench.times_of_long_runs)
    busy = bench.in_turn("P8, traffic", bench.on_builds("rooms", "--rooms", count // 100, "--members", 100, "--rate", 100), bench.times_of_long_runs)
    empty, each = figure("server_mib_without_sockets"), figure("server_kib_per_socket")
    own, after = idle["this build"].middle(each), busy["this build"].middle(mib)
    met = empty(own) <= 30 and each(own) <= 16 and mib(after) <= 300
    bench.row("P8", f"memory: idle, each idle socket, {count:,} sockets after traffic", "30 MiB, 16 KiB, 300 MiB with 10,000", f"{empty(own):.1f} MiB, {each(own):.1f} KiB, {mib(after):.0f} MiB", met)
    bench.compare("P8", "idle", [Figure("memory", empty, "{:.1f} MiB")], idle)
    bench.compare("P8", "an idle socket", [Figure("memory", each, "{:.2f} KiB")], idle)
    bench.compare("P8", "after traffic", [Figure("memory", mib, "{:.1f} MiB")], busy)


def storm(bench):
    count = 1_000 if bench.quick else 5_000
    runs = bench.in_turn("P10", bench.on_builds("storm", "--sockets", count, "--restart", "--changed", 1), bench.times_of_long_runs)
    back = figure("seconds_until_all_were_back")
    own = runs["this build"].middle(back)
    seconds, errors = back(own), own["errors"]
    bench.row("P10", f"{count:,} sockets lose their server and resume", "all live within 5 s, no 5xx but 503 with Retry-After", f"{seconds:.2f} s, errors {errors or 'none'}", seconds <= 5 and not errors)
    bench.compare("P10", "until all are back", [Figure("time", back, "{:.2f} s")], runs)


def on_postgres(bench):
    sqlite = durable_posts(bench)["this build"].middle(rate)
    try:
        runs = bench.in_turn("P11", bench.on_postgres("rooms", "--session", "--rooms", 100, *POSTS))
    except NotInstalled as error:
        print(f"P11 skipped: {error}", flush=True)
        return
    own = runs["this build"].middle(rate)
    ratio = rate(own) / rate(sqlite)
    bench.row("P11", "P1 on PostgreSQL", "0.4 of SQLite's", f"{rate(own):,.0f}/s, {cpu(own):.1f} us CPU without PostgreSQL's own", ratio >= 0.4, f"P1 {rate(sqlite):,.0f}/s", ratio)
    bench.compare("P11", "on PostgreSQL", OF_POSTS, runs)


def history(bench):
    few, many = (1_000, 20_000) if bench.quick else (10_000, 1_000_000)
    # Existing messages are indexed for search during the warmup.
    warmup = "2" if bench.quick else "12"
    among = lambda count: bench.on_builds("rooms", "--session", "--rooms", 10, *POSTS, "--messages", count // 10, warmup=warmup)
    short = bench.in_turn("P12, few messages", {"this build": among(few)["this build"]})["this build"].middle(cpu)
    runs = bench.in_turn("P12, many messages", among(many))
    long = runs["this build"].middle(cpu)
    ratio = cpu(long) / cpu(short)
    bench.row("P12", f"CPU of a post among {many:,} messages against {few:,}", "1.2 x", f"{cpu(long):.1f} us", ratio <= 1.2, f"{cpu(short):.1f} us", ratio)
    bench.compare("P12", f"among {many:,} messages", OF_POSTS, runs)


def json_web_tokens(bench):
    args = ["--what", "unread", "--closed", "--connections", 32]
    on_this = lambda flag: bench.on_builds("read", *args, flag)["this build"]
    runs = bench.in_turn("P13", {"session": on_this("--session"), "JWT": on_this("--jwt")})
    session, jwt = (cpu(runs[name].middle(cpu)) for name in ("session", "JWT"))
    bench.row("P13", "a small request with a JSON Web Token", "1.2 x one with a session", f"{jwt:.1f} us CPU", jwt <= 1.2 * session, f"session {session:.1f} us", jwt / session)


def replies(bench):
    plain = bench.on_builds("rooms", "--session", "--rooms", 100, *POSTS)["this build"]
    in_thread = bench.on_builds("rooms", "--session", "--rooms", 100, *POSTS, "--in-thread")["this build"]
    runs = bench.in_turn("P14", {"plain": plain, "replies": in_thread})
    post, reply = (cpu(runs[name].middle(cpu)) for name in ("plain", "replies"))
    bench.row("P14", "a reply in a thread, over REST", "1.3 x the CPU of a post", f"{reply:.1f} us CPU", reply <= 1.3 * post, f"post {post:.1f} us", reply / post)


def followed_threads(bench):
    count = 1_000 if bench.quick else 10_000
    args = ["--chats", 1, "--users", 2, "--members", 2, "--one-sided", "--messages", 5, "--plain", "--threads", count, "--closed", "--connections", 1]
    runs = bench.in_turn("P15", {"this build": bench.on_builds("read", "--what", "threads,unread", *args)["this build"]})
    own = runs["this build"].middle(micros("threads", "p99"))
    p99, unread = micros("threads", "p99")(own), micros("unread", "p99")(own)
    bench.row("P15", f"the threads of a user who follows {count:,}, all unread", "p99 20 ms", f"p99 {millis(p99)}; unread counts {millis(unread)}", p99 <= 20_000)


# Each step measures one target or several.
STEPS = [
    (["P1"], posts), (["P2"], one_chat), (["P3"], commands), (["P4"], fan_out), (["P5"], last_delivery), (["P6"], reading),
    (["P7", "P9"], large_chat), (["P7a", "P7b", "P7c"], worst_cases), (["P8"], memory), (["P10"], storm), (["P12"], history),
    (["P11"], on_postgres), (["P13"], json_web_tokens), (["P14"], replies), (["P15"], followed_threads),
]


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


def keep(bench):
    """Writes the results so far, in the order of the targets. Of some targets, or beside a base, none are written."""
    bench.rows.sort(key=lambda row: order(row["name"]))
    if not bench.options.only and not bench.options.base:
        write(bench.rows, bench.plots, bench.quick)


def targets(text):
    """Parses names of targets, separated by commas."""
    known = {target for names, _ in STEPS for target in names}
    asked = {name.strip().replace("p", "P") for name in text.split(",") if name.strip()}
    if asked - known:
        raise argparse.ArgumentTypeError(f"there is no target {', '.join(sorted(asked - known))}: give some of {','.join(sorted(known, key=order))}")
    return asked


def run(bench, steps):
    """Runs the steps. Returns the names of those that failed beside a base. Without one, the first failure ends the run."""
    failed = []
    for names, step in steps:
        try:
            step(bench)
        except RuntimeError as error:
            if not bench.options.base:
                raise
            print(f"{' and '.join(names)} failed: {error}", flush=True)
            failed += names
        # Written after each step, so that a later failure does not lose the results.
        keep(bench)
    return failed


def compare_from_the_start(options):
    """Says which builds are compared. Exits with 2 if the base is no build of Greenroom."""
    base = checked_version(options.base)
    options.base = os.path.realpath(options.base)
    own = os.path.realpath(options.binary)
    print(f"this build: {own}, version {checked_version(own)}\nbase: {options.base}, version {base}", flush=True)
    if has_failpoints(own) != has_failpoints(options.base):
        print("Only one of them has failpoints, which cost time: build both anew with `make build`.", flush=True)
    if os.path.samefile(own, options.base):
        print("Both are the same file, so the ratios show how much this machine varies.", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--limits", required=True)
    parser.add_argument("--base", help="another build of greenroom, to compare this one with")
    parser.add_argument("--quick", action="store_true", help="short runs with little data, to check that everything works")
    parser.add_argument("--only", default=set(), type=targets, help="targets, separated by commas, such as P1,P5")
    options = parser.parse_args()
    if options.base:
        compare_from_the_start(options)
    steps = [(names, step) for names, step in STEPS if not options.only or options.only & set(names)]
    # On disk, not in a RAM disk, so that commits have their real cost.
    with tempfile.TemporaryDirectory(dir=ROOT / "target") as folder:
        rehearsal = Rehearsal(options, folder)
        for _, step in steps:
            step(rehearsal)
        bench = Bench(options, folder)
        bench.expected = rehearsal.done
        failed = run(bench, steps)
    missed = [row["name"] for row in bench.rows if not row["met"]]
    whole = "all that ran" if failed else "all"
    print(f"not met: {', '.join(missed)}" if missed else f"{whole} met")
    if options.base:
        print("", *bench.comparison.table(), "", sep="\n")
        exceeded = bench.comparison.exceeded()
        print(f"not within their limits: {'; '.join(exceeded)}" if exceeded else f"{whole} within their limits")
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
