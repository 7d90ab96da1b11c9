"""What is inside the files: one function for each kind of file.

Each yields the content piece by piece; a number in place of bytes is a hole of that length. The
one exception is the database, which SQLite writes itself (see `database.py`).
"""

import io
import os
import zipfile

from words import text

MIB = 1 << 20
PIECE = MIB
HOLE_STEP = 16 * MIB


def code(rng, size):
    """Source text; one file in eight begins as its neighbours do, with a licence."""
    head = b"/* Permission is granted to use, copy and change this file, without warranty. */\n"
    start = head[:size] if rng.random() < 0.125 else b""
    yield start + text(rng, size - len(start), "code")


def prose(rng, size):
    """Text of letters."""
    yield text(rng, size)


def mailbox(rng, size):
    """Messages one after another; every fourth has an attachment in hexadecimal digits."""
    have, number = 0, 0
    while have < size:
        number += 1
        head = f"From sender{rng.randrange(400)}@example.org\nSubject: message {number}\n\n"
        body = text(rng, rng.randrange(400, 6_000))
        added = b"" if number % 4 else rng.randbytes(rng.randrange(2_000, 40_000)).hex().encode()
        message = (head.encode() + body + b"\n" + added + b"\n\n")[: size - have]
        have += len(message)
        yield message


def log(rng, size):
    """Lines of a service: time, level, request, duration. A longer log begins as a shorter one."""
    levels = ("INFO", "INFO", "INFO", "INFO", "DEBUG", "WARN", "ERROR")
    names = [text(rng, 14, "code").split(b"\n")[0].decode() for _ in range(200)]
    have, clock_ms = 0, 1_740_000_000_000
    while have < size:
        lines = []
        for _ in range(500):
            clock_ms += rng.randrange(1, 900)
            lines.append(f"{clock_ms} {rng.choice(levels)} request={rng.getrandbits(64):016x} "
                         f"path=/api/{rng.choice(names)}/{rng.randrange(5_000)} "
                         f"ms={rng.randrange(2_000)}\n")
        piece = "".join(lines).encode()[: size - have]
        have += len(piece)
        yield piece


def office(rng, size):
    """A zip of compressed text beside pictures, as word processors write it."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, share in (("content.xml", 1.0), ("styles.xml", 0.3), ("comments.xml", 0.2)):
            # About a third of what goes in comes out.
            archive.writestr(zipfile.ZipInfo(name), text(rng, int(size * share)),
                             zipfile.ZIP_DEFLATED)
        picture = rng.randbytes(max(0, size - held.tell() - 400))
        archive.writestr(zipfile.ZipInfo("media/picture.jpg"), picture, zipfile.ZIP_STORED)
    yield held.getvalue()


def media(rng, size):
    """Photographs and video: nothing can compress them."""
    for begin in range(0, size, PIECE):
        yield rng.randbytes(min(PIECE, size - begin))


def image(rng, size):
    """The disk of a virtual machine: runs of zeros that are really stored, text, packed data."""
    have = 0
    while have < size:
        length = min(rng.randrange(1, 64) * 32_768, size - have)
        have += length
        what = rng.random()
        if what < 0.4:
            yield bytes(length)
        elif what < 0.75:
            yield text(rng, length, "code")
        else:
            yield rng.randbytes(length)


def sparse(rng, size):
    """A file that is nearly all hole, with 4 KiB of data at the end of each step."""
    for begin in range(0, size, HOLE_STEP):
        length = min(HOLE_STEP, size - begin)
        yield max(0, length - 4_096)
        yield rng.randbytes(min(4_096, length))


KINDS = {"code": code, "prose": prose, "mailbox": mailbox, "log": log, "office": office,
         "media": media, "image": image, "sparse": sparse}


def write(path, pieces):
    """Writes the pieces to a file, leaving out the holes."""
    with open(path, "wb", buffering=0) as file:
        for piece in pieces:
            if isinstance(piece, int):
                file.seek(piece, os.SEEK_CUR)
            else:
                rest = memoryview(piece)
                while rest:
                    rest = rest[file.write(rest):]
        file.truncate(file.tell())
