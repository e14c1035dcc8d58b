"""Sends a server requests that its description allows, and many that it forbids, and validates the answers."""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

TOP = Path(__file__).parents[2]
PROGRAM = os.environ.get("GREENROOM_PROGRAM", str(TOP / "target/debug/greenroom"))
SCHEMATHESIS = str(Path(sys.executable).with_name("schemathesis"))

# Omitted: which bodies are rejected, as numbers count as texts and unknown fields are ignored; which are accepted, as
# the description states only in words that an emoji must be valid or that a room needs a title; and whether a created
# object exists, as the check takes usernames for users' ids.
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "use_after_free",
    "ignored_auth",
]

# Responses that never end.
ENDLESS = ["streamEvents"]


@contextmanager
def server(folder):
    database = f"sqlite://{folder}/fuzz.db"

    def run(*args):
        done = subprocess.run([PROGRAM, *args, "--database-url", database], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    run("demo")
    command = [PROGRAM, "serve", "--bind", "127.0.0.1:0", "--workers", "1", "--database-url", database,
               "--rate-limit", "off"]
    environment = {**os.environ, "GREENROOM_REGISTRATION": "open", "GREENROOM_LOG": "warn"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        line = process.stdout.readline()
        yield line.split()[-1], run
    finally:
        process.terminate()
        assert process.wait(20) == 0, "the server ends in order"


def description(url, folder):
    """The server's API description, with the token as the only authentication scheme: the runs use no sessions."""
    with urllib.request.urlopen(f"{url}/messages/api/schema/") as answer:
        document = json.load(answer)
    for item in document["paths"].values():
        for operation in item.values():
            operation["security"] = [{"token": []}] if operation["security"] else []
    path = Path(folder) / "schema.json"
    path.write_text(json.dumps(document))
    return str(path)


def fuzz(url, schema, token, seconds, seed):
    command = [SCHEMATHESIS, "run", schema, "--url", url, "--checks", ",".join(CHECKS), "--seed", str(seed)]
    command += ["--max-time", str(seconds), "--request-timeout", "20", "--continue-on-failure", "--no-shrink"]
    command += ["--suppress-health-check", "all", "--warnings", "off", "--max-redirects", "0"]
    for operation in ENDLESS:
        command += ["--exclude-operation-id", operation]
    if token:
        command += ["--header", f"Authorization: Token {token}"]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(Path(__file__).parent)}
    return subprocess.run(command, env=environment, cwd=TOP / "target/fuzz").returncode == 0


def main():
    seconds = int(sys.argv[1])
    seed = int(os.environ.get("GREENROOM_FUZZ_SEED", time.time_ns() % 1_000_000))
    failed = []
    for who, name in [("anybody", None), ("a member", "bob"), ("staff", "alice")]:
        print(f"as {who}, with GREENROOM_FUZZ_SEED={seed}", flush=True)
        with tempfile.TemporaryDirectory() as folder, server(folder) as (url, run):
            token = name and run("token", "create", name)
            share = seconds // 5 if name is None else 2 * seconds // 5
            if not fuzz(url, description(url, folder), token, max(share, 1), seed):
                failed.append(who)
    if failed:
        sys.exit(f"failed as {', '.join(failed)}")


main()
