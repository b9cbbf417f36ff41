"""The JSON of DESIGN.md ("Contracts that users and tests rely on"), written down a second time, as a checker.

It shares nothing with `abuse_pipeline.documents`: keys, their order, types and words are those of the page. A check
raises AssertionError naming the path of what does not fit. The words of plugins' formats are left open.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any

Check = Callable[[Any, str], None]

DISPOSITIONS = (
    "notify_customer", "staff", "written_procedure", "ask_reporter", "refer_group", "refer_elsewhere", "none",
)  # fmt: skip
FORMATS = (
    "forwarded_attachment", "forwarded_inline", "pasted_headers", "arf", "xarf", "x_arf", "spamcop", "log_lines",
    "csv_report", "url_report", "copyright", "dmarc_failure", "prose", "not_a_report",
)  # fmt: skip
VERDICTS = ("recipient_side", "handover", "believed", "claimed", "broken", "unreadable")
CONFIDENCES = ("witnessed", "relayed", "reported", "claimed", "unknown")


def _fits(ok: bool, where: str, wanted: str, value: object) -> None:
    assert ok, f"{where}: expected {wanted}, found {value!r:.200}"


def text(value: Any, where: str) -> None:
    _fits(isinstance(value, str) and value != "", where, "a text", value)


def anything_written(value: Any, where: str) -> None:
    _fits(isinstance(value, str), where, "a text, which may be empty", value)


def yes_or_no(value: Any, where: str) -> None:
    _fits(isinstance(value, bool), where, "true or false", value)


def null(value: Any, where: str) -> None:
    _fits(value is None, where, "null", value)


def count(value: Any, where: str) -> None:
    _fits(isinstance(value, int) and not isinstance(value, bool) and value >= 0, where, "a count", value)


def port(value: Any, where: str) -> None:
    count(value, where)
    _fits(0 <= value <= 65535, where, "a port", value)


def ip(value: Any, where: str) -> None:
    text(value, where)
    _fits(str(ip_address(value)) == value, where, "an address in its usual spelling", value)


def network(value: Any, where: str) -> None:
    text(value, where)
    _fits(str(ip_network(value)) == value, where, "a network", value)


def utc(value: Any, where: str) -> None:
    _fits(isinstance(value, str) and bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value)), where, "UTC", value)


def local(value: Any, where: str) -> None:
    shape = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d(?::\d\d)?"
    _fits(isinstance(value, str) and bool(re.fullmatch(shape, value)), where, "a local time with offset", value)


def one_of(*words: str) -> Check:
    return lambda value, where: _fits(value in words, where, f"one of {', '.join(words)}", value)


def like(pattern: str) -> Check:
    return lambda value, where: _fits(
        isinstance(value, str) and bool(re.fullmatch(pattern, value)), where, pattern, value
    )


def maybe(check: Check) -> Check:
    def checked(value: Any, where: str) -> None:
        if value is not None:
            check(value, where)

    return checked


def each(check: Check) -> Check:
    def checked(value: Any, where: str) -> None:
        _fits(isinstance(value, list), where, "a list", value)
        for number, item in enumerate(value):
            check(item, f"{where}[{number}]")

    return checked


def record(**fields: Check) -> Check:
    """A JSON object with exactly these keys, in this order. A name that Python keeps for itself ends in ``_``."""
    wanted = {name.removesuffix("_"): check for name, check in fields.items()}

    def checked(value: Any, where: str) -> None:
        _fits(isinstance(value, dict), where, "an object", value)
        _fits(list(value) == list(wanted), where, f"the keys {', '.join(wanted)}", list(value))
        for name, check in wanted.items():
            check(value[name], f"{where}.{name}")

    return checked


PSEUDONYM = like(r"R-[0-9A-HJKMNP-TV-Z]{6,51}")
_ID = like(r"[A-Z]-[0-9A-Z]+")
_STATE = one_of("queued", "held", "sent", "failed")
_SEVERITY = one_of("low", "medium", "high", "critical")
_ORIGIN_FIELDS: dict[str, Check] = {
    "ip": maybe(ip),
    "port": maybe(port),
    "at": maybe(utc),
    "at_local": maybe(local),
    "precision": maybe(one_of("second", "minute")),
    "confidence": one_of(*CONFIDENCES),
    "witness": maybe(text),
    "reason": text,
}
_HOLDER_FIELDS: dict[str, Check] = {
    "kind": one_of("ours", "group", "elsewhere", "special", "unknown"),
    "network": maybe(network),
    "customer": maybe(text),
    "reason": text,
}
_EVIDENCE = record(
    from_=maybe(anything_written),
    to=maybe(anything_written),
    subject=maybe(anything_written),
    date=maybe(anything_written),
    feedback_type=maybe(anything_written),
)
_INCIDENT_FIELDS: dict[str, Check] = {
    "category": like(r"[a-z_]+"),
    "type": like(r"[a-z_]+"),
    "origin": lambda value, where: origin(value, where),
    "holder": lambda value, where: holder(value, where),
    "disposition": one_of(*DISPOSITIONS),
    "reasons": each(text),
    "severity": _SEVERITY,
}
_HOP = record(
    index=count,
    helo=maybe(anything_written),
    rdns=maybe(anything_written),
    ip=maybe(ip),
    port=maybe(port),
    by=maybe(anything_written),
    protocol=maybe(anything_written),
    authenticated=yes_or_no,
    at=maybe(utc),
    verdict=one_of(*VERDICTS),
    reason=text,
)
_OUTBOX_ITEM = record(
    id=_ID,
    kind=one_of("notice", "reply"),
    state=_STATE,
    case=maybe(_ID),
    customer=maybe(text),
    reporter=maybe(PSEUDONYM),
    submissions=each(_ID),
    due_at=utc,
    reason=maybe(text),
)
_CASE_FIELDS: dict[str, Check] = {
    "id": _ID,
    "customer": text,
    "category": like(r"[a-z_]+"),
    "type": like(r"[a-z_]+"),
    "state": one_of("open", "closed"),
    "severity": _SEVERITY,
    "incidents": count,
    "first_at": utc,
    "last_at": utc,
}


def origin(value: Any, where: str = "origin") -> None:
    """An origin; its three ways to say when agree, and an unknown one has no address."""
    record(**_ORIGIN_FIELDS)(value, where)
    _fits((value["ip"] is None) == (value["confidence"] == "unknown"), where, "ip null exactly if unknown", value)
    said = [value[name] is not None for name in ("at", "at_local", "precision")]
    _fits(all(said) or not any(said), where, "at, at_local and precision together", value)
    if value["at"] is not None:
        instants = {datetime.fromisoformat(value[name]) for name in ("at", "at_local")}
        _fits(len(instants) == 1, where, "one instant in two zones", value)


def holder(value: Any, where: str = "holder") -> None:
    record(**_HOLDER_FIELDS)(value, where)
    if value["customer"] is not None:
        _fits(value["kind"] == "ours", where, "a customer only where it is ours", value)
    if value["kind"] in ("ours", "group"):
        _fits(value["network"] is not None, where, "the network that covers it", value)


def incident(*, stored: bool, evidence: bool = False) -> Check:
    shape = {**_INCIDENT_FIELDS, "case": maybe(_ID) if stored else null}
    fields = record(**shape, **({"evidence": _EVIDENCE} if evidence else {}))

    def checked(value: Any, where: str) -> None:
        fields(value, where)
        _fits(bool(value["reasons"]), where, "at least one reason", value)
        if value["disposition"] == "notify_customer":
            believed = value["origin"]["confidence"] in ("witnessed", "relayed", "reported")
            _fits(believed and value["holder"]["customer"] is not None, where, "a believed origin and a holder", value)
        if stored:
            _fits((value["case"] is not None) == (value["disposition"] == "notify_customer"), where, "a case", value)

    return checked


def report(document: Any, *, stored: bool, evidence: bool = False) -> None:
    """The document of `abuse explain --json` (stored=False) and of each line of `abuse ingest --json`."""
    id = _ID if stored else null
    outgoing = record(id=id, kind=one_of("notice", "reply"), state=_STATE, reason=maybe(text))
    record(
        submission=id,
        source=text,
        digest=like(r"sha256:[0-9a-f]{64}"),
        status=one_of("done", "duplicate", "staff"),
        duplicate_of=maybe(_ID) if stored else null,
        format=maybe(one_of(*FORMATS)),
        language=maybe(one_of("ja", "en", "other")),
        reporter=maybe(PSEUDONYM),
        disposition=one_of(*DISPOSITIONS),
        incidents=each(incident(stored=stored, evidence=evidence)),
        outgoing=each(outgoing),
    )(document, "report")
    _report_agrees_with_itself(document)


def _report_agrees_with_itself(document: dict[str, Any]) -> None:
    of_incidents = [DISPOSITIONS.index(incident["disposition"]) for incident in document["incidents"]]
    duplicate = document["status"] == "duplicate"
    _fits(duplicate == (document["duplicate_of"] is not None), "report", "duplicate_of on a duplicate", document)
    if duplicate:
        _fits(not document["incidents"] and not document["outgoing"], "report", "nothing of its own", document)
    if of_incidents:
        weightiest = DISPOSITIONS[min(of_incidents)]
        _fits(document["disposition"] == weightiest, "report.disposition", weightiest, document["disposition"])
    if "staff" in (document["disposition"], *(incident["disposition"] for incident in document["incidents"])):
        _fits(document["status"] == "staff", "report.status", "staff", document["status"])
    for message in document["outgoing"]:
        _fits((message["state"] == "held") <= (message["reason"] is not None), "outgoing", "why it is held", message)


def trace(document: Any) -> None:
    """The document of `abuse trace --json`."""
    record(origin=origin, hops=each(_HOP))(document, "trace")
    indexes = [hop["index"] for hop in document["hops"]]
    _fits(indexes == list(range(len(indexes))), "trace.hops", "indexes from 0 on", indexes)


def outbox(document: Any) -> None:
    """The document of `abuse outbox list --json`."""
    record(outbox=each(outbox_item))(document, "outbox")


def outbox_item(item: Any, where: str) -> None:
    _OUTBOX_ITEM(item, where)
    notice = item["kind"] == "notice"
    _fits((item["customer"] is not None) == notice, where, "a customer on a notice, null on a reply", item)
    _fits((item["case"] is not None) == notice, where, "a case on a notice", item)
    _fits((item["reporter"] is None) or not notice, where, "no reporter on a notice", item)
    _fits(bool(item["submissions"]), where, "what it is about", item)
    _fits((item["state"] == "held") <= (item["reason"] is not None), where, "why it is held", item)


def cases(document: Any) -> None:
    """The document of `abuse cases list --json`."""
    record(cases=each(record(**_CASE_FIELDS)))(document, "cases")


def case(document: Any) -> None:
    """The document of `abuse cases show --json`."""
    event = record(at=utc, who=text, action=text, text=anything_written)
    fields = {**_CASE_FIELDS, "assignee": maybe(text), "outbox": each(outbox_item), "history": each(event)}
    record(**fields)(document, "case")


def lookup(document: Any) -> None:
    """The document of `abuse lookup --json`; its shape is ours (docs/commands.md), the design page gives none."""
    finding = record(source=text, name=text, value=maybe(text), problem=maybe(text), as_of=utc)
    holds = record(**_HOLDER_FIELDS, group=maybe(text), name=maybe(text))
    fields = record(ip=ip, port=maybe(port), at=utc, at_local=local, holder=holds, findings=each(finding))
    fields(document, "lookup")


def only_document(output: str) -> Any:
    """What stdout holds: exactly one JSON document and nothing else, closed by one line end."""
    found, end = json.JSONDecoder(parse_constant=_no_constant).raw_decode(output)
    assert output[end:] == "\n", f"after the document: {output[end:][:200]!r}"
    return found


def lines_of(output: str) -> list[Any]:
    """What stdout holds: JSON Lines."""
    return [json.loads(line, parse_constant=_no_constant) for line in output.splitlines()]


def _no_constant(word: str) -> Any:
    raise AssertionError(f"{word} is not JSON (RFC 8259 section 6)")


JST = timedelta(hours=9)
