#!/usr/bin/env python3
"""A server made far away: passes TCP on, and every byte arrives later by half the round trip.

    benches/peers/far.py 127.0.0.1:9000 --round-trip-ms 50

prints the address where it listens. Delay is added to each direction, bandwidth is not limited:
what is under way at once is delayed at once, as on a long line. Ends with its standard input.
"""

import argparse
import asyncio
import sys

CHUNK_BYTES = 1 << 18
# What may be under way in one direction of a connection, as a long line holds it.
CHUNKS_UNDER_WAY = 256


async def one_way(reader, writer, delay_s):
    """Bytes from one side to the other, each chunk `delay_s` after it came."""
    loop, queue = asyncio.get_running_loop(), asyncio.Queue(CHUNKS_UNDER_WAY)

    async def take():
        while chunk := await reader.read(CHUNK_BYTES):
            await queue.put((loop.time() + delay_s, chunk))
        await queue.put((loop.time() + delay_s, b""))

    async def give():
        while True:
            due, chunk = await queue.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not chunk:
                writer.write_eof()
                return
            writer.write(chunk)
            await writer.drain()

    await asyncio.gather(take(), give())


async def serve(target, delay_s):
    """Listens on a free port until standard input ends."""
    host, port = target.rsplit(":", 1)

    async def connected(reader, writer):
        try:
            # A connection takes a round trip to make.
            await asyncio.sleep(2 * delay_s)
            there, back = await asyncio.open_connection(host, int(port))
            await asyncio.gather(one_way(reader, back, delay_s), one_way(there, writer, delay_s))
            back.close()
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    print(f"http://{address[0]}:{address[1]}", flush=True)
    async with server:
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("target", help="HOST:PORT of the server")
    parser.add_argument("--round-trip-ms", type=float, default=50.0)
    options = parser.parse_args()
    asyncio.run(serve(options.target, options.round_trip_ms / 2_000))


if __name__ == "__main__":
    main()
