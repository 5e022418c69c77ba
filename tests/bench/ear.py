"""A Twilio that says yes after a while and writes down when it was asked what (`tests.bench.ear PORT MS FILE`)."""

import asyncio
import itertools
import sys
import time
from typing import TextIO
from urllib.parse import parse_qs

NUMBERS = itertools.count(1)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float, book: TextIO) -> None:
    """Answer every request on one connection with a message that was taken; its words go into the book."""
    while head := await reader.readuntil(b"\r\n\r\n"):
        length = next(
            (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0
        )
        asked = time.time()
        form = parse_qs((await reader.readexactly(length)).decode())
        if "reminder" not in form.get("Body", [""])[0]:
            book.write(f"{asked:.4f}\t{form.get('To', [''])[0]}\t{form.get('Body', ['(call)'])[0]}\n")
            book.flush()
        await asyncio.sleep(delay)
        body = b'{"sid": "SM%032d", "status": "queued"}' % next(NUMBERS)
        writer.write(
            b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (len(body), body)
        )
        await writer.drain()


async def serve(port: int, delay: float, path: str) -> None:
    """Serve until killed."""
    with open(path, "a", encoding="utf-8") as book:

        async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await answer(reader, writer, delay, book)
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()

        server = await asyncio.start_server(one, "127.0.0.1", port)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]) / 1000, sys.argv[3]))
