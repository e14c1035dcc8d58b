"""Timing side channels: existing and unknown accounts, and foreign and unknown chats, must take the same time."""

import random
import statistics
import time

from people import PASSWORD, Http, Server, host_of, people


async def took(http, method, path, body, status):
    begun = time.perf_counter()
    answered, _, _ = await http.call(method, path, body)
    assert answered == status, (method, path, answered)
    return (time.perf_counter() - begun) * 1000


async def compare(table, name, ways, rounds, within):
    """Runs two functions alternately in random order. Their medians must be close to each other."""
    times = [[], []]
    for number in range(rounds):
        for which in random.sample([0, 1], 2):
            times[which].append(await ways[which](number))
    one, other = (statistics.median(each) for each in times)
    apart = abs(one - other) / max(one, other)
    table.add(f"{name}, medians of {rounds}", f"{one:.3f} and {other:.3f} ms, {apart:.1%} apart", f"< {within:.0%}", apart < within)


async def sign_ins(server, host, table):
    [known] = await people(host, 1, PASSWORD)

    def guess(name, network):
        async def once(number):
            # Each from its own address, as the rate limit applies to addresses.
            http = Http(server.address, f"X-Forwarded-For: 10.{network}.{number // 250}.{number % 250 + 1}")
            try:
                return await took(http, "POST", "/login/", {"username": name, "password": "wrong horse"}, 401)
            finally:
                http.close()
        return once

    ways = guess(known.name, 1), guess("nobody-has-this-name", 2)
    await compare(table, "sign-in, an account and none", ways, 300, 0.05)


async def ids(host, table):
    mallory, other = await people(host, 2)
    theirs = await other.group([])
    message = (await other.posts(theirs, "not for you"))["id"]
    for name, method, path, foreign, body in [
        ("a chat of others and none", "GET", "chats/{}/", theirs, None),
        ("a message of others and none", "GET", "messages/{}/", message, None),
        ("posting to others and to nobody", "POST", "chats/{}/messages/", theirs, {"content": "hello"}),
    ]:
        def ask(number):
            place = f"/messages/api/{path.format(number)}"
            return lambda _: took(mallory.http, method, place, body, 404)
        await compare(table, name, (ask(foreign), ask(foreign + 1_000_000)), 1_000, 0.10)


async def run(binary, folder, table):
    with Server(binary, folder, settings={"GREENROOM_TRUSTED_PROXIES": "127.0.0.0/8"}) as server:
        host = await host_of(server)
        await sign_ins(server, host, table)
        await ids(host, table)
