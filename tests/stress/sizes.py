"""The cost of one user's largest chats for another user.

Fills a database with extreme objects: groups with 500,000 messages by one member, rooms with 20,000 members, groups that 20,000
members left, messages with 100,000 reactions, a user in 5,000 chats, and a user whom 20,000 users block. One user then works with
them as fast as possible, while another user's posts and list of chats are measured, as in `attacker`. It also counts the writer's
jobs that took over 5 ms, by kind: while such a job runs, no other write is stored.
"""

import asyncio
import contextlib
import os
import pathlib
import re
import sqlite3
import subprocess
import urllib.request

from attacker import MANY_WORDS, SECONDS, Attack, Stage, Victim, compare
from fleet import SUPPORT, Keeper
from people import Server, host_of, somebody

MESSAGES, MEMBERS, REACTIONS, CHATS, PEOPLE = 500_000, 20_000, 100_000, 5_000, 50_000
# First ids: of the users, and of the chats of each kind.
ALIKE, HISTORY, DOOMED, SQUARE, EMPTIED, REACTED, HALLS, OWN = 1_000, 1, 2, 3, 4, 5, 10, 100_000
# Number of rooms with MEMBERS, and of messages with REACTIONS, to be deleted.
COPIES = 4


def counted(statement, count):
    """Wraps a statement so that table `n` has the numbers from 1 to `count` in its column `i`."""
    at = statement.index("SELECT")
    numbers = f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) "
    return statement[:at] + numbers + statement[at:] + ";\n"


def chat(number, kind, messages, members, seq, is_public=False):
    return (
        "INSERT INTO chats (id, chat_type, title, title_key, created_at, updated_at, seq, meta_seq, last_pos, last_live_pos, "
        f"deleted_count, member_count, is_public) VALUES ({number}, '{kind}', 'Long {number}', 'long {number}', 1, 1, {seq}, 1, "
        f"{messages}, {messages}, 0, {members}, {is_public});\n"
    )


def messages(number, sender, count):
    """Returns statements that insert a chat's first messages. An id consists of the chat and the position."""
    first = f"{number} * 1000000"
    return counted(
        "INSERT INTO messages (chat_id, pos, id, sender_id, content, created_at, updated_at, is_edited, is_deleted, "
        f"created_seq, seq, reactions) SELECT {number}, i, {first} + i, {sender}, 'word' || (i % 50) || ' about nothing ' || i, "
        "i, i, FALSE, FALSE, i + 1, i + 1, '[]' FROM n", count,
    ) + counted(f"INSERT INTO message_ids (id, chat_id, pos) SELECT {first} + i, {number}, i FROM n", count) + sent_counts(number, sender, count)


def sent_counts(number, sender, count):
    """Returns a statement for the counts of a chat whose messages are all from one sender."""
    blocks = (count + 1) // 16
    counts = f"INSERT INTO sent_counts (chat_id, sender_id, block, sent) SELECT {number}, {sender}, i - 1, i * 16 - 1 FROM n"
    return counted(counts, blocks) if blocks else ""


MEMBER = "INSERT INTO members (chat_id, user_id, role, joined_at, joined_seq, member_seq, read_seq, read_pos, from_pos"


def member(number, user, role="member", read=0):
    return f"{MEMBER}) VALUES ({number}, {user}, '{role}', 1, 1, 1, 1, {read}, 0);\n"


def world(ids):
    """Returns the statements that fill the database, the same for both backends."""
    attacker, silent, hoarder, hated = ids
    seq = MESSAGES + MEMBERS + REACTIONS
    yield counted(
        "INSERT INTO users (id, username, username_key, password, email, first_name, last_name, avatar_url, name_key, email_key, "
        f"is_active, is_staff, created_at) SELECT {ALIKE} + i, 'alex' || i, 'alex' || i, '!', '', 'Alex', 'Smith ' || i, '', "
        "'alex smith ' || i, '', TRUE, FALSE, 1 FROM n", PEOPLE,
    )
    for number in (HISTORY, DOOMED):
        yield chat(number, "group", MESSAGES, 2, MESSAGES + 1) + messages(number, attacker, MESSAGES)
        yield member(number, attacker, "admin", MESSAGES) + member(number, silent)
    for number in (SQUARE, *range(HALLS, HALLS + COPIES)):
        yield chat(number, "room", 1, MEMBERS + 2, MEMBERS + 2, True) + messages(number, attacker, 1)
        yield member(number, attacker, "admin") + member(number, silent)
        yield counted(f"{MEMBER}) SELECT {number}, {ALIKE} + i, 'member', 1, i, i, 1, 0, 0 FROM n", MEMBERS)
    yield chat(EMPTIED, "group", 5, 2, 2 * MEMBERS + 10) + messages(EMPTIED, attacker, 5)
    yield member(EMPTIED, attacker, "admin") + member(EMPTIED, silent)
    yield counted(f"{MEMBER}, left_seq) SELECT {EMPTIED}, {ALIKE} + i, 'member', 1, i, {MEMBERS} + i, 1, 0, 0, {MEMBERS} + i FROM n",
                  MEMBERS)
    yield chat(REACTED, "group", COPIES, 2, seq) + messages(REACTED, attacker, COPIES)
    yield member(REACTED, attacker, "admin") + member(REACTED, silent)
    for pos in range(1, COPIES + 1):
        message = REACTED * 1_000_000 + pos
        for emoji in ("👍", "👎"):
            yield counted("INSERT INTO reactions (chat_id, message_id, emoji, user_id, seq) SELECT "
                          f"{REACTED}, {message}, '{emoji}', {ALIKE} + i, i + 6 FROM n", REACTIONS // 2)
        shown = ",".join(f'{{"emoji":"{emoji}","count":{REACTIONS // 2},"users":[{ALIKE + 1},{ALIKE + 2}]}}' for emoji in ("👍", "👎"))
        yield f"UPDATE messages SET seq = {seq - COPIES + pos}, reactions = '[{shown}]' WHERE chat_id = {REACTED} AND pos = {pos};\n"
    yield counted("INSERT INTO chats (id, chat_type, title, title_key, created_at, updated_at, seq, meta_seq, last_pos, "
                  f"last_live_pos, deleted_count, member_count, is_public) SELECT {OWN} + i, 'group', 'Own ' || i, 'own ' || i, 1, i, "
                  "5, 1, 3, 3, 0, 2, FALSE FROM n", CHATS)
    for user, role in ((hoarder, "member"), (attacker, "admin")):
        yield counted(f"{MEMBER}) SELECT {OWN} + i, {user}, '{role}', 1, 1, 1, 1, 0, 0 FROM n", CHATS)
    for pos in (1, 2, 3):
        yield counted(
            "INSERT INTO messages (chat_id, pos, id, sender_id, content, created_at, updated_at, is_edited, is_deleted, "
            f"created_seq, seq, reactions) SELECT {OWN} + i, {pos}, 500000000 + i * 10 + {pos}, {attacker}, 'note ' || i, "
            f"i, i, FALSE, FALSE, {pos} + 1, {pos} + 1, '[]' FROM n", CHATS,
        )
        yield counted(f"INSERT INTO message_ids (id, chat_id, pos) SELECT 500000000 + i * 10 + {pos}, {OWN} + i, {pos} FROM n", CHATS)
    yield counted(f"INSERT INTO blocks (blocker_id, blocked_id, created_at) SELECT {ALIKE} + i, {hated}, i FROM n", MEMBERS)
    yield counted(f"INSERT INTO sessions (key_hash, user_id, created_at, renewed_at) SELECT 'old' || i, {attacker}, i, i FROM n", REACTIONS)
    yield counted(f"INSERT INTO tokens (user_id, key_hash, created_at, expires_at) SELECT {attacker}, 'old' || i, i, i FROM n", REACTIONS)


async def deletes_the_history(stage, number, turn):
    if turn == 0:
        await stage.ask(number, "DELETE", f"chats/{DOOMED}/")
    await stage.ask(number, "POST", f"chats/{HISTORY}/messages/", {"content": f"after it {turn}"})


async def deletes_rooms(stage, number, turn):
    await stage.ask(number, "DELETE", f"chats/{HALLS + turn % COPIES}/")


async def deletes_reacted(stage, number, turn):
    await stage.ask(number, "DELETE", f"messages/{REACTED * 1_000_000 + 2 + turn % (COPIES - 1)}/")


async def reacts(stage, number, turn):
    await stage.ask(number, "POST", f"messages/{REACTED * 1_000_000 + 1}/reactions/", {"emoji": "🎉"})


def place(number, turn):
    """Returns a position in the history, a different one each time."""
    return HISTORY * 1_000_000 + 1 + (turn * 7_919 + number * 104_729) % MESSAGES


async def never_wrote(stage, number, turn):
    heads = {HISTORY: MESSAGES - 3} | {chat: 2 * MESSAGES for chat in (DOOMED, SQUARE, EMPTIED, REACTED, *range(HALLS, HALLS + COPIES))}
    await stage.ask(number, "POST", f"chats/{HISTORY}/mark-as-read/", {"message_id": place(number, turn)})
    await stage.ask(number, "POST", "sync/", {"chats": heads})
    await stage.ask(number, "GET", f"chats/{HISTORY}/")


async def pages_of_a_history(stage, number, turn):
    await stage.ask(number, "GET", f"chats/{HISTORY}/messages/?after={place(number, turn)}")
    await stage.ask(number, "GET", f"chats/{HISTORY}/messages/?page={1 + turn * 7 % (MESSAGES // 50)}")
    await stage.ask(number, "GET", "search/?q=nothing%20word7")


async def edits_and_deletes(stage, number, turn):
    await stage.ask(number, "PATCH", f"messages/{place(number, turn)}/", {"content": "another text"})
    await stage.ask(number, "DELETE", f"messages/{place(number, turn)}/")


async def changes_roles(stage, number, turn):
    user = ALIKE + 1 + (number * 1_000 + turn) % MEMBERS
    for role in ("admin", "member"):
        await stage.ask(number, "PATCH", f"chats/{SQUARE}/members/{user}/", {"role": role})
    await stage.ask(number, "DELETE", f"chats/{SQUARE}/members/{user}/remove/")


async def where_many_left(stage, number, turn):
    await stage.ask(number, "GET", f"messages/{EMPTIED * 1_000_000 + 1 + turn % 5}/")
    await stage.ask(number, "GET", f"messages/{SQUARE * 1_000_000 + 1}/")
    await stage.ask(number, "POST", f"chats/{EMPTIED}/mark-as-read/", {})
    await stage.ask(number, "POST", f"chats/{EMPTIED}/messages/", {"content": "hello"})
    await stage.ask(number, "GET", "chats/?search=alex")


async def syncs_all(stage, number, turn):
    """Syncs from three messages behind in each of 5,000 chats."""
    await stage.ask(number, "POST", "sync/", {"chats": {str(chat): 2 for chat in range(OWN + 1, OWN + CHATS + 1)}})


async def is_blocked(stage, number, turn):
    await stage.ask(number, "PATCH", "users/me/", {"first_name": f"Name {turn % 10}"})
    await stage.ask(number, "POST", "chats/", {"chat_type": "dm", "member_ids": [ALIKE + 1 + turn % MEMBERS]})
    await stage.ask(number, "GET", "users/search/?q=alex")


async def makes_groups(stage, number, turn):
    first = ALIKE + 1 + (turn * 8 + number) * 200 % (PEOPLE - 200)
    await stage.ask(number, "POST", "chats/", {"chat_type": "group", "title": f"{turn}", "member_ids": list(range(first, first + 200))})


async def opens_and_marks(stage, number, turn):
    await stage.ask(number, "POST", f"chats/{OWN + 1 + (turn * 16 + number) % CHATS}/mark-as-read/", {})
    await stage.ask(number, "GET", "chats/?page_size=100&page=40")


async def deep_pages(stage, number, turn):
    await stage.ask(number, "GET", f"chats/{SQUARE}/members/?page_size=100&page=190")
    await stage.ask(number, "GET", "users/search/?q=alex&page=100")
    await stage.ask(number, "GET", f"search/?q={MANY_WORDS}")


ATTACKS = [
    Attack("marks and syncs of who never wrote among 500,000", 8, never_wrote, by="silent"),
    Attack("pages in the midst of 500,000", 8, pages_of_a_history, by="silent"),
    Attack("edits and deletions in the midst of 500,000", 8, edits_and_deletes),
    Attack("reactions to a message that has 100,000", 8, reacts),
    Attack("roles and removals in a room of 20,000", 8, changes_roles),
    Attack("readers and marks where 20,000 left", 8, where_many_left),
    Attack("syncs that are behind in 5,000 chats", 4, syncs_all, by="hoarder"),
    Attack("marks and deep pages in 5,000 chats", 16, opens_and_marks, by="hoarder"),
    Attack("a user whom 20,000 block", 8, is_blocked, by="hated"),
    Attack("deep pages of 20,000 members and 50,000 users", 8, deep_pages),
    Attack("groups of 200", 8, makes_groups),
    Attack("deleting messages with 100,000 reactions", 1, deletes_reacted),
    Attack("deleting rooms of 20,000", 1, deletes_rooms),
    Attack("deleting a group of 500,000 messages", 1, deletes_the_history),
]


class Jobs:
    """The writer's jobs so far, by kind: in total, and over 5 ms, 25 ms and 100 ms."""

    LINE = re.compile(r'greenroom_writer_job_seconds_bucket\{kind="([^"]+)",le="([^"]+)"\} (\d+)')
    LIMITS = ("0.005", "0.025", "0.1")

    def __init__(self, address):
        with urllib.request.urlopen(address) as answer:
            text = answer.read().decode()
        counts = {(kind, bound): int(count) for kind, bound, count in self.LINE.findall(text)}
        self.all = {kind: count for (kind, bound), count in counts.items() if bound == "+Inf"}
        self.slow = {kind: [count - counts[kind, limit] for limit in self.LIMITS] for kind, count in self.all.items()}

    def since(self, before):
        """Formats the kinds of jobs of which some were slow since then."""
        found = []
        for kind, count in sorted(self.all.items()):
            slow = [now - then for now, then in zip(self.slow[kind], before.slow.get(kind, [0, 0, 0]))]
            if slow[0]:
                found.append(f"{kind} {'/'.join(map(str, slow))} of {count - before.all.get(kind, 0)}")
        return ", ".join(found) or "none"


async def quiet(metrics):
    """Waits until the writer was idle for a while: the rows that an attack leaves are purged in steps."""
    last = None
    for _ in range(240):
        jobs = Jobs(metrics).all
        if jobs == last:
            return
        last = jobs
        await asyncio.sleep(1.5)


def fill(database, ids):
    script = "".join(world(ids))
    if database.startswith("postgres"):
        tables = ("users", "chats", "message_ids", "tokens")
        script += "".join(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}));\n" for table in tables)
        # Autovacuum would do this within a minute or two.
        command = ["psql", "-q", "-v", "ON_ERROR_STOP=1", "-d", database]
        subprocess.run([*command, "-1", "-f", "-"], input=script, check=True, text=True, stdout=subprocess.DEVNULL)
        subprocess.run([*command, "-c", "VACUUM ANALYZE"], check=True)
    else:
        with contextlib.closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.executescript(f"BEGIN;\n{script}COMMIT;")
    # Unwritten pages would delay the server's own writes.
    os.sync()


async def run(binary, folder, table, only=None):
    await on(binary, folder, table, "SQLite", None, only)
    if subprocess.run([SUPPORT / "postgres.sh", "--find"], capture_output=True).returncode:
        print("sizes on PostgreSQL are left out: there is none", flush=True)
        return
    with contextlib.closing(Keeper("postgres.sh", OPTIONS="-c fsync=on")) as postgres:
        await on(binary, folder, table, "PostgreSQL", f"{postgres.place}/postgres", only)


async def on(binary, folder, table, where, database, only):
    settings = {"GREENROOM_METRICS_BIND": "127.0.0.1:0"}
    path = database or str(pathlib.Path(folder) / "stress.db")
    names = ("attacker", "silent", "hoarder", "hated")
    with Server(binary, folder, database=database) as server:
        host = await host_of(server)
        for name in (*names, "victim"):
            await host.call("POST", "users/", {"username": name})
        found = [(await host.call("GET", f"users/search/?q={name}"))["results"][0]["id"] for name in names]
        server.process.terminate()
        server.process.wait()
    fill(path, found)
    subprocess.run([binary, "migrate"], env=server.environment, check=True, stdout=subprocess.DEVNULL)
    with Server(binary, folder, database=database, settings=settings) as server:
        attackers = {name: await somebody(server, name) for name in names}
        other = await somebody(server, "victim")
        victim = Victim(other, await other.group([]))
        metrics = server.metrics()
        # Jobs of the start, such as deleting expired sessions.
        begun = Jobs(metrics)
        await quiet(metrics)
        table.add(f"{where}, the start: the writer's jobs over 5/25/100 ms", Jobs(metrics).since(begun), "-", True)
        for attack in ATTACKS:
            if only and only not in attack.name:
                continue
            await quiet(metrics)
            before = Jobs(metrics)
            await compare(server, victim, attack, Stage(server, attackers[attack.by], other.id, HISTORY, SQUARE, SQUARE), table, where)
            table.add(f"{where}, {attack.name}: the writer's jobs over 5/25/100 ms", Jobs(metrics).since(before), "-", True)
