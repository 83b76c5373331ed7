"""HTML, XML and RTF notes to plain text, with offsets back into the markup.

Put here what recognises and strips markup. The tokenizers are regular expressions that run in linear time: html.parser
gives no offsets of character references and has quadratic cases, and no RTF library gives offsets at all.
"""

from __future__ import annotations

import codecs
import html
import re
from collections.abc import Callable

from clinical_assets.notes.offsets import OffsetMap, TextBuilder

__all__ = ["MARKUP_HINT", "strip_markup"]

_INLINE = frozenset("a abbr b big code content em font i mark o:p s small span strike strong sub sup tt u".split())
_CELLS = frozenset({"td", "th"})
_HTML = "|".join(
    sorted(
        "a abbr b big blockquote body br center code dd div dl dt em font form h[1-6] head header hr html i img input label "
        "li link main mark meta o:p ol p pre s section small span strike strong style sub sup table tbody td tfoot th "
        "thead title tr tt u ul script".split(),
        key=len,
        reverse=True,
    )
)
_ENTITY = r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"
# In the dialect that RE2 and re share, so that one vectorised scan finds the notes worth a closer look.
_HTML_HINT = rf"(?i:</(?:{_HTML})\s*>|<br\s*/?>|<p>|<div>|<html\b|<!doctype\s+html)"
_ENTITY_HINT = r"&(?:amp|lt|gt|quot|apos|nbsp|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});"
_XML_HINT = r"\A\s*<[A-Za-z?]"
_RTF_HINT = r"\A\s*\{\\rtf"
MARKUP_HINT = "|".join((_HTML_HINT, _ENTITY_HINT, _XML_HINT, _RTF_HINT))

_IS_HTML = re.compile(_HTML_HINT)
_HAS_ENTITY = re.compile(_ENTITY_HINT)
_IS_RTF = re.compile(_RTF_HINT)
_XML_ROOT = re.compile(
    r"\A\s*(?:<\?xml[^<>]*\?>\s*)?(?:<!(?:--(?:(?!-->).)*-->|[^<>]*>)\s*)*<([A-Za-z_][\w:.-]*)", re.S
)
_DROPPED = r"<!--.*?(?:-->|\Z)|<(?P<drop>script|style|head)\b[^<>]*>.*?(?:</(?P=drop)\s*>|\Z)"
_HTML_TOKEN = re.compile(rf"{_DROPPED}|<!doctype[^<>]*>|</?(?P<tag>{_HTML})(?![\w:-])[^<>]*>|{_ENTITY}", re.I | re.S)
_XML_TOKEN = re.compile(
    rf"{_DROPPED}|<!\[CDATA\[(?P<cdata>.*?)(?:\]\]>|\Z)|<[!?][^<>]*>|</?(?P<tag>[A-Za-z_][\w:.-]*)[^<>]*>|{_ENTITY}",
    re.I | re.S,
)
_ENTITY_TOKEN = re.compile(_ENTITY)


def strip_markup(raw: str) -> tuple[str, OffsetMap, str] | None:
    """Return (text, offset map, name of the conversion) of a note with markup, or None for plain text.

    ``BP <120 and >80`` is plain text: only known HTML tags, a whole XML document or RTF count as markup.
    """
    if _IS_RTF.match(raw):
        return (*_rtf(raw), "rtf_to_text")
    root = _XML_ROOT.match(raw)
    if root and not re.fullmatch(_HTML, root[1], re.I) and raw.rstrip().endswith(f"</{root[1]}>"):
        return (*_tags(raw, _XML_TOKEN), "xml_to_text")
    if _IS_HTML.search(raw):
        return (*_tags(raw, _HTML_TOKEN), "html_to_text")
    if _HAS_ENTITY.search(raw):
        return (*_tags(raw, _ENTITY_TOKEN), "entities_decoded")
    return None


def _tags(raw: str, token: re.Pattern[str]) -> tuple[str, OffsetMap]:
    out = TextBuilder(raw)
    done = 0
    for match in token.finditer(raw):
        out.copy(done, match.start())
        done = match.end()
        groups = match.groupdict()
        if groups.get("cdata") is not None:
            out.copy(*match.span("cdata"))
        elif groups.get("tag"):
            tag = groups["tag"].lower()
            if tag == "br":
                out.put("\n", match.start())
            elif tag in _CELLS:
                if out.last not in ("", "\n", "\t"):
                    out.put("\t", match.start())
            elif tag not in _INLINE and out.last not in ("", "\n"):
                out.put("\n", match.start())
        elif match[0][0] == "&":
            out.put(html.unescape(match[0]), match.start())
    out.copy(done, len(raw))
    return out.result()


_RTF_TOKEN = re.compile(
    r"\\(?P<word>[a-zA-Z]{1,32})(?P<number>-?[0-9]{1,9})?[ ]?|\\'(?P<hex>[0-9a-fA-F]{2})|\\(?P<symbol>[^a-zA-Z])"
    r"|(?P<brace>[{}])|(?P<end>[\r\n]+)|(?P<text>[^\\{}\r\n]+)",
    re.S,
)
_RTF_SKIPPED = frozenset(
    "colortbl comment datastore fldinst fonttbl footer footerf footerl footerr footnote ftncn ftnsep ftnsepc generator "
    "header headerf headerl headerr info listoverridetable listtable nonshppict objdata object pict pntext rsidtbl "
    "stylesheet themedata xmlnstbl".split()
)
_RTF_CHARACTERS = {
    "par": "\n", "line": "\n", "sect": "\n", "page": "\n", "row": "\n", "tab": "\t", "cell": "\t", "nestcell": "\t",
    "emdash": "—", "endash": "–", "bullet": "•", "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”",
    "emspace": " ", "enspace": " ", "qmspace": " ",
}  # fmt: skip
_RTF_SYMBOLS = {"\\": "\\", "{": "{", "}": "}", "~": " ", "_": "-", "\n": "\n", "\r": "\n", "-": ""}


def _rtf(raw: str) -> tuple[str, OffsetMap]:
    out = TextBuilder(raw)
    skip, fallback = False, 1  # inside a skipped destination; characters that follow \uN for old readers
    stack: list[tuple[bool, int]] = []
    decode: Callable[[bytes], str] = _decoder("1252")
    pending = at = 0
    while match := _RTF_TOKEN.match(raw, at) if at < len(raw) else None:
        start, at = match.span()
        kind, value = match.lastgroup, match[match.lastgroup or 0]
        if kind == "number" or kind == "word":
            word, number = match["word"], int(match["number"] or 0)
            if word in _RTF_SKIPPED:
                skip = True
            elif word == "bin":
                at += max(number, 0)
            elif word == "uc":
                fallback = max(number, 0)
            elif word == "ansicpg":
                decode = _decoder(str(number))
            elif word == "u" and not skip:
                code = number + 65536 if number < 0 else number
                out.put(chr(code) if 0 < code < 0x110000 else "\ufffd", start)
                pending = fallback
                continue
            elif word in _RTF_CHARACTERS and not skip:
                out.put(_RTF_CHARACTERS[word], start)
        elif kind == "brace":
            if value == "{":
                stack.append((skip, fallback))
            elif stack:
                skip, fallback = stack.pop()
        elif kind == "symbol" and value == "*":
            skip = True
        elif skip:
            continue
        elif kind == "end":
            if not stack:  # text after the document
                out.copy(start, at)
            continue
        elif pending and kind in ("hex", "symbol"):
            pending -= 1
            continue
        elif kind == "hex":
            out.put(decode(bytes.fromhex(value)), start)
        elif kind == "symbol":
            out.put(_RTF_SYMBOLS.get(value, ""), start)
        else:
            dropped = min(pending, len(value))
            out.copy(start + dropped, at)
        pending = 0
    out.copy(at, len(raw))  # a lone backslash at the very end
    return out.result()


def _decoder(page: str) -> Callable[[bytes], str]:
    try:
        name = codecs.lookup(f"cp{page}").name
    except LookupError:
        name = "cp1252"
    return lambda value: value.decode(name, "replace")
