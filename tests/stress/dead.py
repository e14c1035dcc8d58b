"""Half-open connections: the link between two network namespaces is cut, without a FIN or RST."""

import asyncio
import ctypes
import os
import shutil
import socket
import statistics
import subprocess
import threading
import time

from people import Server, host_of, people
from slow import Watch
from table import percentile


class Elsewhere:
    """A network namespace whose link to this one can be cut silently."""

    NAME, HERE, THERE = "greenroom-stress", "10.213.77.1", "10.213.77.2"

    def __enter__(self):
        self.run("ip netns add", self.NAME)
        self.run("ip link add gr-here type veth peer name gr-there netns", self.NAME)
        self.run(f"ip addr add {self.HERE}/30 dev gr-here")
        self.run("ip link set gr-here up")
        self.there(f"ip addr add {self.THERE}/30 dev gr-there")
        self.there("ip link set gr-there up")
        return self

    def __exit__(self, *_):
        subprocess.run(["ip", "netns", "del", self.NAME], check=False)
        subprocess.run(["ip", "link", "del", "gr-here"], check=False, stderr=subprocess.DEVNULL)

    @staticmethod
    def run(command, *more):
        subprocess.run([*command.split(), *more], check=True)

    def there(self, command, *more):
        self.run(f"ip netns exec {self.NAME} {command}", *more)

    def cut(self):
        self.there("nft add table inet cut")
        for hook in ("input", "output"):
            self.there("nft", f"add chain inet cut {hook} {{ type filter hook {hook} priority 0; policy drop; }}")

    def mend(self):
        self.there("nft delete table inet cut")

    def socket(self):
        """Returns a socket in that namespace: a socket stays in the namespace of the thread that creates it."""
        made = []

        def make():
            with open(f"/run/netns/{self.NAME}") as namespace:
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), 0) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            made.append(socket.socket())
        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        made[0].setblocking(False)
        return made[0]

    async def connect(self, address):
        raw = self.socket()
        await asyncio.get_running_loop().sock_connect(raw, address)
        return raw


async def until_a_place_is_free(person, within):
    """Returns how long the user is refused another socket; None if longer than `within`."""
    start = time.monotonic()
    while time.monotonic() - start < within:
        one = person.socket()
        status = await one.connect()
        one.drop()
        if status == 101:
            return time.monotonic() - start
        await asyncio.sleep(0.1)
    return None


async def open_there(elsewhere, person, count):
    """Opens sockets in the other namespace, at intervals, so that their pings are spread."""
    sockets = []
    for _ in range(count):
        await asyncio.sleep(0.1)
        sockets.append(await person.listens(await elsewhere.connect(person.address)))
    return sockets


async def all_places(person, count):
    """Returns how many sockets the user can open now."""
    opened = [person.socket() for _ in range(count)]
    statuses = [await one.connect() for one in opened]
    [one.drop() for one in opened]
    return statuses.count(101)


async def run(binary, folder, table):
    if os.geteuid() != 0 or not all(map(shutil.which, ("ip", "nft"))):
        return print("skip  half-open connections: needs root, ip and nft")
    with Elsewhere() as elsewhere, Server(binary, folder, f"{elsewhere.HERE}:0") as server:
        host = await host_of(server)
        ann, bob, carol = await people(host, 3)
        chat = await ann.group([bob])
        known = (await bob.call("GET", f"chats/{chat}/"))["seq"]
        dead = {person: await open_there(elsewhere, person, 10) for person in (bob, carol)}
        elsewhere.cut()
        start = time.monotonic()
        for number in range(5):
            await ann.posts(chat, f"missed {number}")
        watches = [Watch(server, [one.port() for one in sockets]) for sockets in dead.values()]
        ends = asyncio.gather(*(asyncio.wait_for(watch.run(), 45) for watch in watches))
        freed = await asyncio.gather(*(until_a_place_is_free(person, 45) for person in dead), ends)
        for what, watch, first, person in zip(("with news", "silent"), watches, freed, dead):
            gone = [moment - start for moment in watch.ended.values()]
            table.add(f"half-open, {what}: ended", f"p50 {statistics.median(gone):.1f} s, "
                      f"p99 {percentile(gone, 0.99):.1f} s", "10 of 10, < 37 s", len(gone) == 10 and max(gone) < 37)
            places = await all_places(person, 10)
            table.add(f"half-open, {what}: places", f"the first back after {first or 99:.1f} s, then {places} of 10",
                      "< 36 s, 10 of 10", (first or 99) < 36 and places == 10)
        [one.drop() for sockets in dead.values() for one in sockets]
        elsewhere.mend()
        start = time.monotonic()
        missed = await resume(bob, chat, known, await elsewhere.connect(server.address))
        table.add("half-open: resumed", f"{missed} of 5 missed, {(time.monotonic() - start) * 1_000:.0f} ms", "5 of 5",
                  missed == 5)


async def resume(person, chat, known, raw):
    """Resumes on a new connection. Returns the number of missed messages."""
    await until_a_place_is_free(person, 5)
    one = await person.socket("?resume=1").open(raw)
    one.send({"type": "resume", "chats": {str(chat): known}})
    missed = 0
    while (event := await one.event())["type"] != "ack":
        missed += event["type"] == "new_message"
    one.drop()
    return missed
