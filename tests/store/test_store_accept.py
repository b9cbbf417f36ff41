"""Nothing lost, nothing doubled, on the way in."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from store_world import LEASE, NOON, answer_of, arrival, child, many

from abuse_pipeline.model import Channel, Envelope, Status
from abuse_pipeline.settings import StoreSettings
from abuse_pipeline.store import Store


def test_an_accepted_message_is_there_byte_for_byte(store: Store) -> None:
    raw = bytes(range(256)) * 10
    (accepted,) = store.accept([arrival(raw)])
    assert accepted.duplicate_of is None
    assert accepted.digest == "sha256:" + hashlib.sha256(raw).hexdigest()
    assert store.raw_message(accepted.submission) == raw
    found = store.submission(accepted.submission)
    assert (found.status, found.channel, found.received_at) == (Status.PENDING, Channel.SMTP, NOON)


def test_accepting_nothing_is_no_transaction(store: Store) -> None:
    store.close()
    assert store.accept([]) == ()


def test_a_large_batch_is_answered_in_order(store: Store) -> None:
    arrivals = many(1200)
    answers = store.accept(arrivals)
    assert [a.digest for a in answers] == ["sha256:" + hashlib.sha256(x.raw).hexdigest() for x in arrivals]
    assert len({a.submission for a in answers}) == 1200
    again = store.accept(arrivals)
    assert [a.submission for a in again] == [a.duplicate_of for a in again] == [a.submission for a in answers]
    assert len(store.submissions()) == 1200


def test_the_same_message_with_the_same_envelope_is_stored_once(store: Store) -> None:
    first = Envelope("taro@reporter.example", ("abuse@hosting.example.jp", "Copy@hosting.example.jp"))
    second = Envelope("taro@reporter.example", ("COPY@hosting.example.jp", "abuse@hosting.example.jp"), "192.0.2.99")
    (one,) = store.accept([arrival(envelope=first)])
    (two,) = store.accept([arrival(envelope=second)])
    assert two.submission == two.duplicate_of == one.submission
    assert len(store.submissions()) == 1


def test_the_same_message_with_another_envelope_is_a_duplicate(store: Store) -> None:
    one, two, three = store.accept([arrival(), arrival(to="other@hosting.example.jp"), arrival()])
    assert one.duplicate_of is None
    assert two.submission != one.submission
    assert two.duplicate_of == one.submission
    assert three.submission == three.duplicate_of == one.submission
    (four,) = store.accept([arrival(envelope=Envelope())])
    assert four.duplicate_of == one.submission
    assert [s.status for s in store.submissions()] == [Status.PENDING, Status.DUPLICATE, Status.DUPLICATE]
    assert store.submission(four.submission).duplicate_of == one.submission
    assert store.raw_message(four.submission) == arrival().raw


def test_null_sender_and_no_sender_are_different_envelopes(store: Store) -> None:
    one, two = store.accept([arrival(envelope=Envelope("")), arrival(envelope=Envelope(None))])
    assert two.duplicate_of == one.submission != two.submission


def test_what_clients_and_file_systems_say_is_kept_exactly(store: Store) -> None:
    envelope = Envelope("\ud83dta\x00ro@reporter.example", ("a\udcff@hosting.example.jp",), None, "\x00\udc80")
    (accepted,) = store.accept([arrival(envelope=envelope, source="報告/\udce3.eml#2")])
    (claim,) = store.claim("w", 1, LEASE)
    assert claim.submission.id == accepted.submission
    assert claim.submission.envelope == store.envelope(accepted.submission) == envelope
    assert claim.submission.source == "報告/\udce3.eml#2"


def test_a_time_without_a_zone_is_refused_and_nothing_is_stored(store: Store) -> None:
    naive = datetime(2026, 11, 20, 12, 0)  # noqa: DTZ001
    with pytest.raises(ValueError, match="zone"):
        store.accept([arrival(b"good"), arrival(b"bad", received_at=naive)])
    assert store.submissions() == ()


def test_threads_that_accept_the_same_messages_store_each_once(store: Store) -> None:
    messages = many(40)

    def offer(thread: int) -> list[str]:
        batch = messages[thread * 7 :] + messages[: thread * 7]
        return [store.accept(batch[n : n + 4])[0].digest for n in range(0, 40, 4)]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(offer, range(4)))
    assert len(store.submissions()) == 40


def test_processes_that_accept_the_same_messages_make_one_first_each(store: Store, settings: StoreSettings) -> None:
    children = [child("accept", settings, count=30, to=f"abuse{n % 2}@hosting.example.jp") for n in range(4)]
    answers = [answer_of(process) for process in children]
    found = store.submissions()
    assert len(found) == 60, "30 messages, two envelopes"
    firsts = {s.digest: s.id for s in found if s.duplicate_of is None}
    assert len(firsts) == 30
    assert all(s.duplicate_of == firsts[s.digest] for s in found if s.status is Status.DUPLICATE)
    assert answers[0] == answers[2]
    assert answers[1] == answers[3]
