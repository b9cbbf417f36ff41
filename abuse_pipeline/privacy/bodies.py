"""Needles in bodies: addresses, numbers, links, greetings, introductions, signatures, companies, pasted headers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from abuse_pipeline.privacy.basket import Basket
from abuse_pipeline.privacy.fields import collect_from_field
from abuse_pipeline.privacy.names import addresses_in

_LONGEST_LINE = 4_000
_KANJI = r"\u4e00-\u9fff々ヶ〆"
_JAPANESE = rf"{_KANJI}\u3041-\u3096\u30a1-\u30faー"
_HONORIFIC = r"(?:様|さま|サマ|殿|御中|先生|さん)"

_URL = re.compile(r"(?:https?|hxxps?|ftp)://[^\s<>\"'、。」）]{4,2000}", re.IGNORECASE)
_MAILTO = re.compile(r"mailto:[^\s<>\"']{3,500}", re.IGNORECASE)
_IP = re.compile(
    r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)|(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])"
)
_HOST = re.compile(r"(?<![\w@./-])(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})\.){1,10}[A-Za-z]{2,24}(?![\w@/-])")
_SYSLOG_HOST = re.compile(
    r"^(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)) "
    r"([\w.-]{3,255}) [\w./-]+(?:\[\d+\])?:"
)
_GREETING = re.compile(rf"^[>\s]*([^\s>、。,：:][^、。,：:\n]{{0,30}}?)\s*{_HONORIFIC}\s*[、,。：:！!]?\s*$")
_INLINE_HONORIFIC = re.compile(rf"([{_KANJI}]{{1,6}}[ 　]?[{_JAPANESE}]{{0,6}}?)[ 　]?(?:様|さま|殿|御中)")
_KATAKANA_HONORIFIC = re.compile(
    r"([\u30a1-\u30faー]{2,10}(?:[ 　・][\u30a1-\u30faー]{2,10})?)[ 　]?(?:様|さま|サマ|さん|殿)"
)
_DEAR = re.compile(
    r"^[>\s]*(?:Dear|Hi|Hello|Hey|Attn\.?:?|Attention:?)[ ,]+"
    r"((?:Mr\.|Mrs\.|Ms\.|Dr\.)?[ ]?[A-Za-z][\w.'-]*(?:[ ][A-Z][\w.'-]*){0,3})",
    re.IGNORECASE,
)
_INTRODUCTION = re.compile(
    rf"(?:^|[、。の\s])([{_JAPANESE}]{{1,8}}[ 　]?[{_JAPANESE}]{{0,6}}?)"
    r"(?:と申します|と言います|といいます|でございます)"
)
_MY_NAME = re.compile(r"\b(?:[Mm]y name is|I am|I'm|[Tt]his is)\s+([A-Z][\w'-]+(?:\s+[A-Z][\w'-]+){1,3})")
_REGARDS = re.compile(
    r"^(?:(?:kind|best|warm|with)?\s*(?:regards|wishes)|sincerely(?: yours)?|yours\b.*|thanks|thank you|敬具|草々|以上)"
    r"[,.。、!]?$",
    re.I,
)
_LABELLED = re.compile(
    r"^[>\s■●・◆*-]*(?:お?名前|ご?氏名|姓名|担当者?|会社名?|団体名|御社名|貴社名|部署|所属|フリガナ|ふりがな|カナ|name|company|organi[sz]ation|contact)"
    r"\s*[:：=]\s*(.{2,60})$",
    re.IGNORECASE,
)
_COMPANY = re.compile(
    r"(?:株式会社|有限会社|合同会社|一般社団法人|学校法人|医療法人)[ 　]?"
    rf"([{_JAPANESE}A-Za-z0-9&.-]{{2,20}}?)(?=[のとでにはがをへ、。\s（(]|$)"
    rf"|([{_JAPANESE}A-Za-z0-9&.-]{{2,20}})(?:株式会社|有限会社|合同会社)"
)
_ENGLISH_COMPANY = re.compile(r"\b((?:[A-Z][\w&'-]+ ){1,4})(?:Inc|Ltd|LLC|Corp|GmbH|Co)\b\.?")
_PHONE = re.compile(r"(?<![\w.+-])(?:\+\d{1,3}[ .-]?)?\(?0?\d{1,4}\)?[ .()-]{1,2}\d{1,4}[ .-]\d{3,4}(?![\w]|[.-]\d)")
_PHONE_RUN = re.compile(
    r"(?:tel|phone|電話|携帯|fax|ファックス|連絡先)[^\d+\n]{0,12}(\+?[\d() .-]{9,20})", re.IGNORECASE
)
_POSTCODE = re.compile(r"〒\s*(\d{3}-?\d{4})")
_NUMBERED = re.compile(
    r"(?:会員|お?客様|顧客|受付|お?問い?合わ?せ|注文|契約|口座|申込|整理|管理|案件|社員|学籍|ticket|case|account|order|customer|member|subscriber|"
    r"incident|reference|ref)\s*(?:番号|no\.?|number|id|#|コード)?\s*[:：#＃はが]?\s*\[?([A-Za-z0-9][A-Za-z0-9_-]{3,40})",
    re.IGNORECASE,
)
_BRACKET_TICKET = re.compile(r"\[[^\]\n]{0,40}?[#:]\s*([A-Za-z0-9_-]{4,40})\]")
_FIELD_LINE = re.compile(r"^[>\s|]*([A-Za-z][A-Za-z0-9-]{1,40}|差出人|宛先|送信者|受信者|返信先)\s*[:：]\s?(.*)$")
_KNOWN_FIELD = re.compile(
    r"from|to|cc|reply-to|return-path|delivered-to|received|message-id|in-reply-to|references|subject|x-[a-z-]+|list-.*|"
    r"envelope-to|apparently-to|errors-to|organization|sender|dkim-signature|received-spf|authentication-results|"
    r"reported-from|差出人|宛先|送信者|受信者|返信先",
    re.IGNORECASE,
)


def collect_from_body(text: str, where: str, basket: Basket) -> None:
    """Put everything that identifies somebody in a body into *basket*. where: added to the channel."""
    text = unicodedata.normalize("NFKC", text)
    _anywhere(text, where, basket)
    lines = [line[:_LONGEST_LINE] for line in text.split("\n")]
    for line in dict.fromkeys(lines):  # the same line says the same thing
        _in_line(line, where, basket)
    for line in _signature_lines(lines):
        _signature_line(line, where, basket)
    for name, value in _pasted_fields(lines):
        collect_from_field(name, value, " in the text", basket)


def _anywhere(text: str, where: str, basket: Basket) -> None:
    """What can be found without looking at lines."""
    for address in _different(addresses_in(text)):
        basket.add_address(address, f"a mail address in the body{where}")
    for url in _different(_URL.findall(text)):
        basket.add_url(url, f"a link in the body{where}")
    for url in _different(_MAILTO.findall(text)):
        basket.add_url(url, f"a link in the body{where}")
    for ip in _different(_IP.findall(text)):
        basket.add_ip(ip, f"an address in the body{where}")
    if not where:
        for host in _different(_HOST.findall(_URL.sub(" ", text))):
            basket.add_host(host, "a host in the body")
    for number in _different((*_PHONE.findall(text), *_PHONE_RUN.findall(text))):
        digits = re.sub(r"\D", "", number)
        if 9 <= len(digits) <= 13 and (digits.startswith("0") or "+" in number):
            basket.add(
                number.strip(" .-()") if number.count("(") != 1 else digits, f"a telephone number in the body{where}"
            )
    for code in _different(_POSTCODE.findall(text)):
        basket.add(code, f"a postcode in the body{where}")
    for number in _different((*_NUMBERED.findall(text), *_BRACKET_TICKET.findall(text))):
        if any(map(str.isdigit, number)):
            basket.add(number, f"a number of an account or a ticket in the body{where}")


def _different(found: Iterable[str]) -> Iterable[str]:
    """Each string once, in order: a body may repeat one line a million times."""
    return dict.fromkeys(found)


def _in_line(line: str, where: str, basket: Basket) -> None:
    if len(line) > 600:
        return
    greeting = f"a greeting in the body{where}"
    for pattern in (_GREETING, _DEAR):
        if found := pattern.match(line):
            basket.add_name(found[1], greeting)
    for pattern in (_INLINE_HONORIFIC, _KATAKANA_HONORIFIC):
        for name in pattern.findall(line):
            basket.add_name(name + "様" if len(name) == 1 else name, greeting)
    for pattern in (_INTRODUCTION, _MY_NAME):
        for name in pattern.findall(line):
            basket.add_name(name.rpartition("の")[2], f"an introduction in the body{where}")
    if found := _LABELLED.match(line):
        basket.add_name(found[1], f"a labelled name in the body{where}")
    for names in _COMPANY.findall(line):
        for name in filter(None, names):
            basket.add_name(name, f"a company in the body{where}")
    for name in _ENGLISH_COMPANY.findall(line):
        basket.add_name(name, f"a company in the body{where}")
    if found := _SYSLOG_HOST.match(line):
        basket.add_host(found[1], f"a host in a log{where}")


def _signature_lines(lines: list[str]) -> Iterator[str]:
    """The lines of what looks like a signature: after ``-- ``, a closing formula or a rule near the end."""
    last = len(lines)
    for index, line in enumerate(lines):
        bare = line.strip()
        rule = len(bare) >= 5 and len(set(bare)) <= 2 and not bare[0].isalnum()
        if line.rstrip() == "--" or _REGARDS.match(bare) or (rule and last - index <= 15):
            yield from lines[index + 1 : index + 9]


def _signature_line(line: str, where: str, basket: Basket) -> None:
    """A short line of a signature is a name, a company or an address: each of its words may be telling."""
    bare = line.strip(" \t　-=_*#|・/")
    if not 2 <= len(bare) <= 40 or any(char in bare for char in "。@：:<>") or bare.count(" ") > 4:
        return
    if re.search(r"\d{4,}", bare) or bare.endswith(("ます", "です", "した", "さい")):
        return
    basket.add_name(bare, f"the signature in the body{where}")


def _pasted_fields(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Header fields pasted into a text, unfolded."""
    name, value = "", ""
    for line in lines:
        found = _FIELD_LINE.match(line)
        if found and _KNOWN_FIELD.fullmatch(found[1]):
            if name:
                yield name, value
            name, value = found[1], found[2]
        elif name and re.match(r"[>|]*[ \t]+\S", line) and len(value) < _LONGEST_LINE:
            value += " " + line.strip("> \t|")
        elif name:
            yield name, value
            name, value = "", ""
    if name:
        yield name, value
