"""What enrichers found: a cache with an expiry, and findings that come after the case was made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from ipaddress import ip_address

from sqlalchemy import and_, delete, insert, select, update

from abuse_pipeline.model import Finding, IPAddress
from abuse_pipeline.store import codec
from abuse_pipeline.store.database import Database
from abuse_pipeline.store.room import Room
from abuse_pipeline.store.schema import incidents, lookup_cache, wanted_lookups


class FindingCache:
    """Answers of enrichers, kept until they expire. subject: the address asked about."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str, subject: IPAddress | str, now: datetime) -> tuple[Finding, ...] | None:
        """What enricher *name* said about *subject*; None when it was not asked or the answer has expired.

        An empty tuple is an answer too: the source has nothing.
        """
        key = and_(lookup_cache.c.enricher == name, lookup_cache.c.subject == str(subject))
        query = select(lookup_cache.c.findings).where(key, lookup_cache.c.expires_at > now)
        with self._database.reading() as transaction:
            found = transaction.value(query)
        return None if found is None else codec.findings_from_json(found)

    def put(self, name: str, subject: IPAddress | str, findings: Sequence[Finding], expires_at: datetime) -> None:
        key = and_(lookup_cache.c.enricher == name, lookup_cache.c.subject == str(subject))
        row = {"enricher": name, "subject": str(subject), "expires_at": expires_at}
        row["findings"] = codec.findings_to_json(findings)
        with self._database.writing() as transaction:
            transaction.run(delete(lookup_cache).where(key))
            transaction.run(insert(lookup_cache), row)


class Findings(Room):
    @property
    def finding_cache(self) -> FindingCache:
        return FindingCache(self._database)

    def findings_of(self, ip: IPAddress, now: datetime) -> tuple[Finding, ...]:
        """Everything that the cache knows about *ip* at *now*, whichever enricher said it."""
        fresh = and_(lookup_cache.c.subject == str(ip), lookup_cache.c.expires_at > now)
        query = select(lookup_cache.c.findings).where(fresh).order_by(lookup_cache.c.enricher)
        with self._database.reading() as transaction:
            rows = transaction.rows(query)
        return tuple(finding for row in rows for finding in codec.findings_from_json(row.findings))

    def wanted_lookups(self, limit: int) -> tuple[IPAddress, ...]:
        """Addresses that incidents wait for findings about, the longest waiting first."""
        query = select(wanted_lookups.c.ip).order_by(wanted_lookups.c.wanted_at, wanted_lookups.c.ip).limit(limit)
        with self._database.reading() as transaction:
            return tuple(ip_address(row.ip) for row in transaction.rows(query))

    def add_findings(self, ip: IPAddress, findings: Sequence[Finding]) -> int:
        """Add late *findings* to the incidents from *ip* that wait for them, and want them no more.

        A source that answered already keeps its answer; a failure of it is replaced. Gives the incidents changed.
        """
        waiting = and_(incidents.c.origin_ip == str(ip), incidents.c.awaits_findings == 1)
        with self._database.writing() as transaction:
            transaction.run(delete(wanted_lookups).where(wanted_lookups.c.ip == str(ip)))
            rows = transaction.rows(
                select(incidents.c.id, incidents.c.findings).where(waiting).order_by(incidents.c.id).with_for_update()
            )
            for row in rows:
                merged = _merged(codec.findings_from_json(row.findings), findings)
                values = {"findings": codec.findings_to_json(merged), "awaits_findings": 0}
                transaction.run(update(incidents).where(incidents.c.id == row.id).values(values))
        return len(rows)


def _merged(old: Sequence[Finding], new: Sequence[Finding]) -> tuple[Finding, ...]:
    answered = {finding.source for finding in old if finding.problem is None}
    asked_again = {finding.source for finding in new}
    kept = [finding for finding in old if finding.source in answered or finding.source not in asked_again]
    return (*kept, *(finding for finding in new if finding.source not in answered))
