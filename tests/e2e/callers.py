"""Many callers of a service at once, in one process. Standard library only.

    callers.py PORT SECONDS SLOW_SECONDS KIND=NUMBER...

It ends with its standard input, or after SECONDS, and waits for the answers still due. It prints a
JSON object, in which times are those of time.monotonic(). The kinds of callers:

    keep     ask again and again on one connection, until its end is announced
    close    ask again and again, each time on a new connection
    slow     take an answer that goes on for SLOW_SECONDS
    pieces   send the head of a request in pieces, for two seconds
    half     send half a head and no more; begin anew when the service closes the connection
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

PATIENCE = 40.0
"""Seconds after which a request without an answer has failed."""
PAUSE = (0.2, 1.6)
"""Seconds between two requests: fewer than the service's drain leaves to kept connections."""
PART = b"." * 1000
"""A part of a slow answer, which has ten of them per second."""
TICK = 0.005
MOST = 30
"""How many of the longest waits are printed."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class WrongError(Exception):
    """An answer that is not as it should be."""


class Seen:
    """What all callers have seen."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.failures: list[str] = []
        self.releases: Counter[str] = Counter()
        self.waits: list[tuple[float, float]] = []
        """When a request began, and how long it waited."""
        self.late = (0.0, 0.0)
        """When these callers themselves were late, and by how much; the waits include that."""

    def as_json(self) -> str:
        """Return it as JSON."""
        waits = sorted(wait for _, wait in self.waits) or [0.0]
        return json.dumps({
            "requests": self.requests,
            "failed": len(self.failures),
            "failures": self.failures[:10],
            "releases": self.releases,
            "median": waits[len(waits) // 2],
            "p99": waits[len(waits) * 99 // 100],
            "longest": waits[-1],
            "late": self.late,
            "longest_waits": sorted(self.waits, key=lambda each: -each[1])[:MOST],
        })  # fmt: skip


class Callers:
    """The callers of one run."""

    def __init__(self, port: int, slow_seconds: int) -> None:
        self.port = port
        self.slow_seconds = slow_seconds
        self.seen = Seen()
        self.done = asyncio.Event()

    async def pause(self) -> None:
        """Wait for a while, or for the end."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.done.wait(), random.uniform(*PAUSE))  # noqa: S311

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Streams]:
        """Yield a new connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.close()

    async def ask(self, streams: Streams, *, last: bool, begun: float) -> bool:
        """Ask which release serves; return whether the connection may be used again."""
        reader, writer = streams
        writer.write(head("/", close=last))
        status, headers, body = await answer(reader)
        self.seen.waits.append((begun, time.monotonic() - begun))
        self.judge(status, body)
        return "close" not in headers.get("connection", "")

    def judge(self, status: int, body: bytes) -> None:
        """Count an answer. Raises WrongError for one that is not 200."""
        if status != 200:
            raise WrongError(f"status {status}")
        self.seen.releases[json.loads(body)["release"]] += 1

    async def keep(self) -> None:
        async with self.connected() as streams:
            again = True
            while again and not self.done.is_set():
                self.seen.requests["keep"] += 1
                again = await self.ask(streams, last=False, begun=time.monotonic())
                if again:
                    await self.pause()
                    again = not streams[0].at_eof()

    async def close(self) -> None:
        self.seen.requests["close"] += 1
        begun = time.monotonic()
        async with self.connected() as streams:
            await self.ask(streams, last=True, begun=begun)

    async def slow(self) -> None:
        self.seen.requests["slow"] += 1
        async with self.connected() as (reader, writer):
            writer.write(head(f"/slow?seconds={self.slow_seconds}", close=True))
            status, _, body = await answer(reader)
            if status != 200 or body.count(PART) != 10 * self.slow_seconds:
                raise WrongError(f"status {status}, {len(body)} bytes")

    async def pieces(self) -> None:
        self.seen.requests["pieces"] += 1
        async with self.connected() as (reader, writer):
            whole = head("/", close=True)
            for number in range(5):
                writer.write(whole[number * len(whole) // 5 : (number + 1) * len(whole) // 5])
                await asyncio.sleep(0.5)
            status, _, body = await answer(reader)
            self.judge(status, body)

    async def half(self) -> None:
        async with self.connected() as (reader, writer):
            writer.write(head("/", close=True)[:20])
            ended = [asyncio.create_task(each) for each in (reader.read(), self.done.wait())]
            await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.cancel()

    async def again_and_again(self, kind: str) -> None:
        """Call in this way again and again, until the end."""
        call: Callable[[], Awaitable[None]] = getattr(self, kind)
        await self.pause()
        while not self.done.is_set():
            try:
                await call()
            except (OSError, EOFError, ValueError, WrongError, TimeoutError) as error:
                self.seen.failures.append(
                    f"{time.monotonic():.3f} {kind}: {type(error).__name__}: {error}"
                )
            await self.pause()

    async def look_at_the_clock(self) -> None:
        """Note how late these callers themselves are."""
        while not self.done.is_set():
            begun = time.monotonic()
            await asyncio.sleep(TICK)
            late = time.monotonic() - begun - TICK
            if late > self.seen.late[1]:
                self.seen.late = (begun, late)


def head(path: str, *, close: bool) -> bytes:
    """Return the head of a request."""
    kept = "close" if close else "keep-alive"
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: {kept}\r\n\r\n".encode()


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """Return the status, headers and body of an answer."""
    async with asyncio.timeout(PATIENCE):
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {
            name.lower(): value.strip().lower()
            for name, _, value in (line.partition(":") for line in lines[1:] if line)
        }
        length = headers.get("content-length")
        body = await (reader.readexactly(int(length)) if length else _parts(reader))
    return int(lines[0].split()[1]), headers, body


async def _parts(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body


async def main(port: str, seconds: str, slow_seconds: str, *kinds: str) -> None:
    """Run all callers, and print what they saw."""
    callers = Callers(int(port), int(slow_seconds))
    loop = asyncio.get_running_loop()

    def end() -> None:
        loop.remove_reader(sys.stdin)
        callers.done.set()

    loop.add_reader(sys.stdin, end)
    loop.call_later(float(seconds), callers.done.set)
    numbers = {kind: int(number) for kind, number in (each.split("=") for each in kinds)}
    tasks = [callers.again_and_again(kind) for kind, n in numbers.items() for _ in range(n)]
    await asyncio.gather(callers.look_at_the_clock(), *tasks)
    print(callers.seen.as_json())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
