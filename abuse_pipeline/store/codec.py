"""Nouns as JSON text in a column, and back. Keys are written in full, so that a stored row explains itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

from abuse_pipeline.model import Envelope, Finding, Identity, Moment, NoticeFact


def dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def envelope_to_json(envelope: Envelope, source: str | None) -> str:
    return dump(
        {
            "mail_from": envelope.mail_from,
            "rcpt_to": list(envelope.rcpt_to),
            "peer": envelope.peer,
            "helo": envelope.helo,
            "source": source,
        }
    )


def envelope_from_json(text: str) -> tuple[Envelope, str | None]:
    found = json.loads(text)
    envelope = Envelope(found["mail_from"], tuple(found["rcpt_to"]), found["peer"], found["helo"])
    return envelope, found["source"]


def envelope_key(envelope: Envelope) -> str:
    """Equal for envelopes that count as the same: sender as given, recipients in any order and case."""
    parts = [envelope.mail_from, sorted(address.lower() for address in envelope.rcpt_to)]
    return hashlib.sha256(dump(parts).encode("ascii")).hexdigest()


def identity_to_json(identity: Identity) -> str:
    return dump({"address": identity.address, "name": identity.name})


def fact_to_json(fact: NoticeFact) -> str:
    return dump(
        {
            "category": fact.category,
            "type": fact.type,
            "about": fact.about,
            "ip": str(fact.ip),
            "network": None if fact.network is None else str(fact.network),
            "at": None if fact.moment is None else fact.moment.at.isoformat(),
            "precision": None if fact.moment is None else fact.moment.precision,
            "port": fact.port,
            "location": fact.location,
        }
    )


@lru_cache(maxsize=4096)
def fact_from_json(text: str) -> NoticeFact:
    found = json.loads(text)
    return NoticeFact(
        category=found["category"],
        type=found["type"],
        about=found["about"],
        ip=ip_address(found["ip"]),
        network=None if found["network"] is None else ip_network(found["network"]),
        moment=None if found["at"] is None else Moment(datetime.fromisoformat(found["at"]), found["precision"]),
        port=found["port"],
        location=found["location"],
    )


def findings_to_json(findings: Sequence[Finding]) -> str:
    return dump([_finding_to_dict(finding) for finding in findings])


def findings_from_json(text: str) -> tuple[Finding, ...]:
    return tuple(
        Finding(
            source=row["source"],
            name=row["name"],
            subject=row["subject"],
            value=row["value"],
            as_of=datetime.fromisoformat(row["as_of"]),
            problem=row["problem"],
        )
        for row in json.loads(text)
    )


def _finding_to_dict(finding: Finding) -> dict[str, Any]:
    return {
        "source": finding.source,
        "name": finding.name,
        "subject": finding.subject,
        "value": finding.value,
        "as_of": finding.as_of.isoformat(),
        "problem": finding.problem,
    }
