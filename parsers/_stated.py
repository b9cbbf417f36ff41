"""Which facts a text states: an address, a date with a time of day, a zone. Only whether, never which: prose is no
evidence yet. Texts are NFKC-normalised by the caller, so full-width digits are read too.
"""

from __future__ import annotations

import re

from abuse_pipeline.api import parse_address

_IPV4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\d|\.\d)")
_IPV6 = re.compile(r"(?<![0-9A-Za-z:])[0-9A-Fa-f]{1,4}:[0-9A-Fa-f:.]{3,40}(?![0-9A-Za-z])")
_NOT_PUBLIC = re.compile(r"(?:0|10|127|192\.168|169\.254|172\.(?:1[6-9]|2\d|3[01])|2[2-5]\d)\.")
_HOST = re.compile(
    r"(?:ホスト名?|サーバー?名?|host ?names?|\bhost|\bserver)\s{0,3}[:=は]?\s{0,3}"
    r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}\.[A-Za-z]{2,24}\b",
    re.IGNORECASE,
)
_URL = re.compile(r"\bh(?:tt|xx)ps?(?::|\[:\])//[^\s<>]{3}", re.IGNORECASE)
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
_DATE = re.compile(
    r"(?:19|20)\d\d ?[-/.年] ?\d{1,2} ?[-/.月] ?\d{1,2}"
    r"|(?:平成|令和|\bR) ?(?:\d{1,2}|元) ?[年.] ?\d{1,2} ?[月.] ?\d{1,2}"
    r"|(?<!\d)\d{1,2}月 ?\d{1,2}日"
    rf"|\b\d{{1,2}}[ /-]{_MONTH}[ /,-]|\b{_MONTH}\.? {{1,2}}\d{{1,2}}\b"
    r"|\b\d{1,2}/\d{1,2}/(?:19|20)\d\d",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"(?<!\d)\d{1,2}:\d{2}(?!\d)|(?<!\d)\d{1,2} ?時(?!間)|\b\d{1,2} ?[ap]\.?m\b", re.IGNORECASE)
_ZONE = re.compile(
    r"\b(?:JST|UTC|GMT|[ECMP][SD]T|CEST|CET|EET|KST)\b|日本(?:標準)?時間?|Asia/Tokyo"
    r"|\b[Jj]apan(?:ese)? (?:[Ss]tandard )?[Tt]ime"
    r"|\d ?[+-](?:0\d|1[0-4]):?[0-5]\d(?!\d)|:\d{2}(?:\.\d{1,9})?Z\b"
)


def states_address(text: str) -> bool:
    """A public IP address, or a host name that is called one (policy 003: either will do)."""
    if any(not _NOT_PUBLIC.match(found) and parse_address(found) for found in _IPV4.findall(text)):
        return True
    if any(found.count(":") > 1 and parse_address(found.rstrip(".:")) for found in _IPV6.findall(text)):
        return True
    return bool(_HOST.search(text))


def states_place(text: str) -> bool:
    """An address, or a URL, defanged or not."""
    return bool(_URL.search(text)) or states_address(text)


def states_time(text: str) -> bool:
    """A date and a time of day."""
    return bool(_DATE.search(text) and _CLOCK.search(text))


def states_zone(text: str) -> bool:
    return bool(_ZONE.search(text))
