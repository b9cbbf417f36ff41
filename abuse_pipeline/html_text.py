"""HTML bodies as plain text, in bounded time: inscriptis where it is safe, a linear stripper where it is not."""

from __future__ import annotations

import re
from html import unescape

# What inscriptis renders in about a second: 20 microseconds per element, more in nested tables and lists. Past a depth
# of 256 libxml2 leaves out the rest of the text without a word.
_RENDER_CAP = 512 * 1024
_MAX_TAGS = 20_000
_MAX_DEPTH = 50
_STRIP_CAP = 4 * 1024 * 1024

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
# Elements that are not closed in real mail, so that they say nothing about depth.
_UNCLOSED_NAMES = "area base br col embed hr img input link meta param source track wbr p li td tr th dd dt option"
_UNCLOSED = frozenset(_UNCLOSED_NAMES.split())
_BREAK_NAMES = "br p div tr li h1 h2 h3 h4 h5 h6 table blockquote hr ul ol dl dt dd pre section article"
_BREAKS = frozenset(_BREAK_NAMES.split())
_HIDDEN = frozenset({"script", "style", "title"})
_MARKUP = re.compile(r"<(?=[a-zA-Z/!?])")
_BLANKS = re.compile(r"[ \t\r\f\v\xa0]+")
_EMPTY_LINES = re.compile(r"\n\s*\n\s*")


def html_to_text(html: str) -> str:
    """The text that a reader would see. At most 4 MB of *html* is looked at. Never raises."""
    html = html[:_STRIP_CAP]
    if len(html) <= _RENDER_CAP and html.count("<") <= _MAX_TAGS and _depth(html) <= _MAX_DEPTH:
        text = _render(html)
        if text.strip():
            return text
    return strip_tags(html)


def _depth(html: str) -> int:
    """An upper guess of how deep the elements nest: inscriptis recurses and libxml2 gives up past a limit."""
    depth = deepest = 0
    for closing, name in _TAG.findall(html):
        if name.lower() in _UNCLOSED:
            continue
        depth = max(0, depth - 1) if closing else depth + 1
        deepest = max(deepest, depth)
    return deepest


def _render(html: str) -> str:
    from inscriptis import get_text  # 60 ms to import; most mail has plain text
    from lxml.etree import LxmlError

    try:
        return str(get_text(html.replace("\x00", "")))
    except (LxmlError, ValueError, TypeError, AttributeError, IndexError, KeyError, RecursionError):
        return ""  # not an error of the report: strip_tags reads it instead


def strip_tags(html: str) -> str:
    """Tags, comments, scripts and styles removed, entities decoded, block elements as line breaks. Linear."""
    out: list[str] = []
    lower = html.lower()
    position, end, last_close = 0, len(html), html.rfind(">")
    while position < end:
        opened = _MARKUP.search(html, position)
        if opened is None or opened.start() > last_close:
            break  # what never closes is text, not a tag
        start = opened.start()
        out.append(html[position:start])
        position, mark = _skip_markup(html, lower, start)
        out.append(mark)
    out.append(html[position:] if position < end else "")
    text = _BLANKS.sub(" ", unescape("".join(out)))
    return _EMPTY_LINES.sub("\n\n", text).strip()


def _skip_markup(html: str, lower: str, start: int) -> tuple[int, str]:
    """Where the markup at *start* ends, and what stands for it in the text."""
    if html.startswith("<!--", start):
        stop = html.find("-->", start + 4)
        return (stop + 3 if stop >= 0 else len(html)), ""
    named = _TAG.match(html, start)
    name = named[2].lower() if named is not None else ""
    stop = html.find(">", start)
    if name in _HIDDEN and not html.startswith("</", start):
        close = lower.find(f"</{name}", stop)
        stop = html.find(">", close) if close >= 0 else len(html) - 1
        return (stop + 1 if stop >= 0 else len(html)), " "
    return stop + 1, ("\n" if name in _BREAKS else "")
