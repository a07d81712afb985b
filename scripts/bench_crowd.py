"""Writes consumers into the SQLite database of a gatehouse-admin that is stopped, for `scripts/bench --growth`.

    bench_crowd.py DATABASE COUNT

Consumer n of COUNT has the API key `key-of-consumer-n` and the App ID `org.example.app-n`.
"""

import hashlib
import sqlite3
import sys

MADE = 1_700_000_000_000


def identifier(kind, number):
    return f"{number:08x}-0000-4000-8000-{kind:04x}{number:08x}"


def main(path, count):
    numbers = range(1, count + 1)
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA cache_size = -400000")
        database.execute("PRAGMA synchronous = OFF")
        database.executemany(
            "INSERT INTO consumers (id, username, created_at, updated_at) VALUES (?, ?, ?, ?)",
            ((identifier(1, n), f"consumer-{n}", MADE + n, MADE + n) for n in numbers),
        )
        database.executemany(
            "INSERT INTO keyauth_credentials (id, consumer_id, digest, created_at) VALUES (?, ?, ?, ?)",
            (
                (identifier(2, n), identifier(1, n), hashlib.sha256(f"key-of-consumer-{n}".encode()).hexdigest(), MADE + n)
                for n in numbers
            ),
        )
        database.executemany(
            "INSERT INTO appids (id, consumer_id, appid, created_at) VALUES (?, ?, ?, ?)",
            ((identifier(3, n), identifier(1, n), f"org.example.app-{n}", MADE + n) for n in numbers),
        )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
