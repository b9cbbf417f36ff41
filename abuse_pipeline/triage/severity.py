"""How much harm each kind of abuse does, so that staff see the worst first."""

from __future__ import annotations

from abuse_pipeline.model import Severity

# XARF v4 category/type. What endangers people comes first, then what steals, then what annoys.
_BY_TYPE = {
    ("content", "csam"): Severity.CRITICAL,
    ("content", "csem"): Severity.CRITICAL,
    ("content", "phishing"): Severity.HIGH,
    ("content", "malware"): Severity.HIGH,
    ("content", "fraud"): Severity.HIGH,
    ("content", "remote_compromise"): Severity.HIGH,
    ("connection", "ddos"): Severity.HIGH,
    ("connection", "infected_host"): Severity.HIGH,
    ("connection", "port_scan"): Severity.LOW,
    ("connection", "scraping"): Severity.LOW,
    ("messaging", "spam"): Severity.LOW,
    ("reputation", "blocklist"): Severity.LOW,
}
_BY_CATEGORY = {
    "infrastructure": Severity.HIGH,
    "connection": Severity.MEDIUM,
    "content": Severity.MEDIUM,
    "messaging": Severity.MEDIUM,
    "vulnerability": Severity.MEDIUM,
    "copyright": Severity.LOW,
    "reputation": Severity.LOW,
}


def severity_of(category: str, type: str) -> Severity:
    """Severity of one incident by its XARF v4 *category* and *type*; an unknown kind is MEDIUM, never hidden as LOW."""
    return _BY_TYPE.get((category, type)) or _BY_CATEGORY.get(category, Severity.MEDIUM)
