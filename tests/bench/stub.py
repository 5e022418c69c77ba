"""A Twilio that only says yes, after a while: `python -m tests.bench.stub PORT MILLISECONDS`.

GET tells when each message arrived, a line each: the real time, and its words.
"""

import asyncio
import itertools
import sys
import time
from urllib.parse import parse_qs

NUMBERS = itertools.count(1)
CREATED = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
arrived: list[tuple[float, bytes]] = []


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    """Answer every request on one connection with a message that was taken."""
    while head := await reader.readuntil(b"\r\n\r\n"):
        if head.startswith(b"GET"):
            writer.write(_told())
            continue
        length = next(
            (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0
        )
        arrived.append((time.time(), await reader.readexactly(length)))
        await asyncio.sleep(delay)
        body = b'{"sid": "SM%032d", "status": "queued"}' % next(NUMBERS)
        writer.write(CREATED % (len(body), body))
        await writer.drain()


def _told() -> bytes:
    lines = [f"{at} {parse_qs(body.decode()).get('Body', [''])[0]}" for at, body in arrived]
    arrived.clear()
    told = "\n".join(lines).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(told), told)


async def serve(port: int, delay: float) -> None:
    """Serve until killed."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer, delay)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]) / 1000))
