"""Malformed and hostile frames: each is closed with its code, and costs no memory."""

import asyncio
import contextlib
import struct

from people import BINARY, CLOSE, FIN, PING, TEXT, frame, people
from table import MIB

LARGEST = 65_536


def broken_frames():
    """Returns invalid frames by their close code."""
    goodbye = FIN | CLOSE
    return {
        1002: [frame(FIN | 0x70 | TEXT, b"x"), frame(FIN | 0x3), frame(FIN, b"x"), frame(FIN | PING, bytes(126)),
               frame(PING), b"\x81\x01x", frame(goodbye, b"\x03"), frame(goodbye, struct.pack("!H", 1005))],
        1003: [frame(FIN | BINARY, b"x"), frame(BINARY, b"x")],
        1007: [frame(FIN | TEXT, b"\xff"), frame(TEXT, b"\xce") + frame(FIN, b" ")],
        1009: [frame(FIN | TEXT, b"", LARGEST + 1), frame(TEXT, bytes(60_000)) + frame(0, b"", 60_000)],
    }


async def closes_with(ann, octets):
    one = await ann.listens()
    one.writer.write(octets)
    code = await one.closes()
    one.drop()
    return code


async def giants(sockets, declared):
    """Sends frames that declare a huge length, and as much of each as the server accepts, up to 48 MiB."""
    async def pour(one):
        one.writer.write(frame(FIN | TEXT, b"", declared))
        with contextlib.suppress(ConnectionError):
            for _ in range(48):
                one.writer.write(bytes(MIB))
                await one.writer.drain()

    pouring = asyncio.gather(*(pour(one) for one in sockets))
    codes = await asyncio.gather(*(one.closes() for one in sockets))
    await pouring
    return codes


async def continuations(sockets):
    sockets[0].writer.write(frame(TEXT, b"{") + frame(0, b" ") * 10_000)
    return [await sockets[0].closes()]


async def drip(sockets):
    """Sends the largest frame, its first 3,000 bytes one each millisecond. It is not JSON: a 400 proves that it was read."""
    message = frame(FIN | TEXT, b"x" * LARGEST)
    for byte in message[:3_000]:
        sockets[0].writer.write(bytes([byte]))
        await asyncio.sleep(0.001)
    sockets[0].writer.write(message[3_000:])
    return [(await sockets[0].event())["status"]]


async def in_use(ann, count):
    """Opens sockets and sends a message of the largest size over each, so that their buffers are allocated."""
    sockets = [await ann.listens() for _ in range(count)]
    for one in sockets:
        one.writer.write(frame(FIN | TEXT, b"x" * LARGEST))
    for one in sockets:
        await one.event()
    return sockets


async def run(server, host, table):
    [ann] = await people(host, 1)
    cases = [(code, octets) for code, sent in broken_frames().items() for octets in sent]
    right = [await closes_with(ann, octets) == code for code, octets in cases].count(True)
    table.add("broken frames", f"{right} of {len(cases)} closed with their code", "all", right == len(cases))
    attacks = [
        ("six frames that claim 4 GiB", 6, lambda sockets: giants(sockets, 4 << 30), 1009),
        ("a frame that claims 2^63-1", 1, lambda sockets: giants(sockets, (1 << 63) - 1), 1009),
        ("10,000 continuation frames", 1, continuations, 1008),
        ("a frame a byte at a time", 1, drip, 400),
    ]
    for what, count, attack, wanted in attacks:
        sockets = await in_use(ann, count)
        server.forget_peak()
        before = server.memory()
        answers = await attack(sockets)
        growth = server.memory("VmHWM") - before
        [one.drop() for one in sockets]
        table.add(what, f"answered {answers[0]}, peak +{growth // 1024} KiB", f"{wanted}, < {count} MiB",
                  set(answers) == {wanted} and growth < count * MIB)
