"""A second process on the same store. Its only argument is a JSON job; it waits for a line on stdin where told to."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path

from store_world import LEASE, NOON, HandClock, a_reply, arrival, complete, many, record

from abuse_pipeline.errors import LeaseLost
from abuse_pipeline.settings import StoreSettings
from abuse_pipeline.store import Store, open_store


def main() -> None:
    job = json.loads(sys.argv[1])
    settings = StoreSettings(url=job["url"], keys=Path(job["keys"]))
    store = open_store(settings, HandClock(), busy_timeout=timedelta(seconds=30))
    print(json.dumps(_TASKS[job["task"]](store, job)), flush=True)
    store.close()


def key(store: Store, job: dict) -> str:
    return store.pseudonym_key.hex()


def work(store: Store, job: dict) -> list[str]:
    """Claim and complete until nothing is left."""
    done = []
    while claims := store.claim(job["worker"], 5, LEASE):
        for claim in claims:
            try:
                complete(store, claim)
            except LeaseLost:
                continue
            done.append(claim.submission.id)
    return done


def accept(store: Store, job: dict) -> list[str]:
    """Offer the same messages as every other child, each alone."""
    to = job["to"]
    return [store.accept([arrival(message.raw, to)])[0].submission for message in many(job["count"])]


def die_in_unit(store: Store, job: dict) -> None:
    """Write a whole result, then wait inside the transaction to be killed."""
    (claim,) = store.claim("doomed", 1, timedelta(seconds=0))
    with store.completing(claim) as unit:
        record(unit, "jiro@reporter.example")
        unit.open_case("C-9", "messaging", "spam", "high", NOON)
        unit.keep_needles("[]")
        unit.put_reply(a_reply(b"reply"), NOON)
        _wait_to_be_killed()


def die_in_accept(store: Store, job: dict) -> None:
    """Be killed after the rows are written and before the commit."""
    with store._database.writing() as transaction:
        from abuse_pipeline.store import accepting

        accepting._keep_bytes(transaction, {"sha256:half": b"half"})
        _wait_to_be_killed()


def accept_forever(store: Store, job: dict) -> None:
    """Print the number of each message once it is accepted, until killed."""
    for number in range(1_000_000):
        store.accept([arrival(f"endless {number}".encode())])
        print(number, flush=True)


def _wait_to_be_killed() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


_TASKS = {task.__name__: task for task in (key, work, accept, die_in_unit, die_in_accept, accept_forever)}

if __name__ == "__main__":
    main()
