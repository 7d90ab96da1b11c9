"""Databases as SQLite writes them, and their scattered updates.

SQLite itself makes the pages, so the bytes (and with them the digest of the tree) depend on its
version; on one machine they are always the same.
"""

import contextlib
import sqlite3

from words import text

ROW_BYTES = 420


@contextlib.contextmanager
def opened(path):
    """A connection without journal and without fsync, so that no time is spent on safety."""
    link = sqlite3.connect(path, isolation_level=None)
    try:
        link.execute("PRAGMA page_size = 4096")
        link.execute("PRAGMA journal_mode = OFF")
        link.execute("PRAGMA synchronous = OFF")
        yield link
    finally:
        link.close()


def rows(rng, count):
    """Orders: a customer, a sum, a remark in words and a signature that nothing compresses."""
    remarks = text(rng, 1 << 18).decode()
    for number in range(count):
        begin = rng.randrange(len(remarks) - 600)
        remark = remarks[begin:begin + rng.randrange(100, 500)]
        yield number, rng.randrange(50_000), rng.randrange(10**6), remark, rng.randbytes(48)


def create(path, rng, size):
    """A database of about `size` bytes with one table and one index."""
    with opened(path) as link:
        link.execute("CREATE TABLE orders (number INTEGER PRIMARY KEY, customer INTEGER, "
                     "cents INTEGER, remark TEXT, signature BLOB)")
        link.execute("BEGIN")
        link.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?)",
                         rows(rng, max(10, size // ROW_BYTES)))
        link.execute("CREATE INDEX by_customer ON orders (customer)")
        link.execute("COMMIT")


def update(path, rng):
    """What a day does: one row in 500 changes, anywhere, and one in 2,000 is new."""
    with opened(path) as link:
        (count,) = link.execute("SELECT max(number) + 1 FROM orders").fetchone()
        link.execute("BEGIN")
        for _ in range(max(3, count // 500)):
            link.execute("UPDATE orders SET cents = ?, signature = ? WHERE number = ?",
                         (rng.randrange(10**6), rng.randbytes(48), rng.randrange(count)))
        for new, (_, *columns) in enumerate(rows(rng, max(3, count // 2_000))):
            link.execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", (count + new, *columns))
        link.execute("COMMIT")
