"""What a sender's own words say: which kind of matter it is.

All expressions are linear in the text (bounded repeats, no nested ones), for the text is whatever somebody sent.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

SCANNED = 64 * 1024
"""Characters of a text that are looked at at all."""

OPENING = 3000
"""Characters of the sender's own words in which a complaint must show; disclaimers of spam stand at its end."""


def _any(*words: str, flags: int = 0) -> re.Pattern[str]:
    return re.compile("|".join(words), re.IGNORECASE | flags)


_QUOTE_STARTS = _any(
    r"^[ \t]*-{2,40} ?(?:original message|forwarded (?:message|by)|original appointment|元のメッセージ|転送)",
    r"^[ \t]*begin forwarded message",
    r"^[ \t]*={3,40} ?(?:forwarded|original|転送|元)",
    r"^[ \t]*on .{4,120} wrote:",
    r"^[ \t]*(?:from|差出人|送信者|送信元) ?: ?\S",
    r"^[ \t]*_{20,80}[ \t]*$",
    r"^[ \t]*(?:received: ?(?:from|by|\()|return-path: ?<|delivered-to: ?\S)",
    r"^[ \t]*\d{4}年.{4,80}:[ \t]*$",
    r"^[ \t]*\[ ?offending message ?\]",
    r"^[^\n]{0,20}(?:以下|下記).{0,20}(?:転送|引用|原文|本文|ヘッダ).{0,20}$",
    flags=re.MULTILINE,
)
_QUOTED_LINE = re.compile(r"^[ \t]*[>|].*$", re.MULTILINE)
_MAIL_ADDRESS = re.compile(r"[^\s<>@\"「」()]{1,64}@[^\s<>@\"「」()]{1,255}")

INLINE_FORWARD = _any(
    r"^[ \t>]*-{2,40} ?(?:original message|forwarded message|元のメッセージ|転送(?:された)?メッセージ|転送)",
    r"^[ \t>]*begin forwarded message",
    r"^[ \t>]*(?:from|差出人) ?: ?.{1,300}\n(?:.{0,300}\n){0,4}?[ \t>]*"
    r"(?:subject|件名|sent|送信日時|date|日付|to|宛先) ?:",
    flags=re.MULTILINE,
)
FORWARD_SUBJECT = re.compile(
    r"\s*(?:\[?(?:fwd?|fw|wg|tr|rv|enc|doorst|vs|vb|i|pd)\]? ?:(?=\s)|\[?fwd?\]?:|【?転送】?)", re.IGNORECASE
)
PASTED_HEADERS = re.compile(r"^[ \t>]*received: ?(?:from|by|\(from|\(qmail)\b", re.IGNORECASE | re.MULTILINE)

MAIL_COMPLAINT = _any(
    r"迷惑メール",
    r"迷惑な(?:メール|広告)",
    r"スパム",
    r"\bspam(?:mer|mers|ming|med|s)?\b",
    r"\b(?-i:UCE|UBE)\b",
    r"unsolicited",
    r"junk (?:e-?)?mail",
    r"フィッシング(?:詐欺)?(?:の)?メール",
    r"(?:詐欺|なりすまし|不審な?|ウイルス|標的型|広告|宣伝|勧誘|架空請求の?)メール",
    r"架空請求",
    r"無断.{0,12}(?:広告|メール)",
    r"配信停止.{0,30}(?:届|送|止ま)",
    r"覚えのない.{0,12}メール",
    r"メール.{0,20}(?:大量に|勝手に|何度も|しつこく|一方的に).{0,8}(?:届|送|来)",
    r"(?:phishing|scam|fraudulent|malicious|unwanted) (?:e-?)?mails?",
)
PHISHING = _any(r"フィッシング", r"\bphish(?:ing|er|ers|ed)?\b", r"(?:偽|詐欺|なりすまし)の?(?:サイト|ページ|ログイン)")
ATTACK = _any(
    r"不正(?:アクセス|ログイン|利用|侵入|な(?:アクセス|ログイン|通信))",
    r"攻撃|ブルートフォース|総当たり|スキャン|DDoS|乗っ取|改ざん|マルウェア|ウイルス|ボットネット|踏み台|迷惑行為|被害",
    r"\battack(?:s|ed|ing|er|ers)?\b",
    r"\bhack(?:ed|ing|er|ers)?\b",
    r"brute.?force",
    r"\bscann(?:ed|ing|er)\b|port.?scans?\b|\bscans? (?:of|from|against|on)\b",
    r"intrusion|unauthori[sz]ed (?:access|login)|log-?in attempts?|failed (?:password|login)",
    r"malware|botnet|compromised (?:host|server|machine|system|site|account)",
    r"\bexploit(?:s|ed)?\b",
    r"\babus(?:e|ive|ing)\b",
    r"\bflood(?:ing|ed)?\b",
)
_NO_COMPLAINT = _any(
    r"anti-?spam",
    r"\b(?:not|no|never|isn't) (?:considered |an? )?(?:spam|unsolicited|junk)",
    r"spam ?(?:folder|filter|box|assassin|law|act|policy|laws)",
    r"can-spam",
    r"(?:迷惑メール|スパム)(?:フォルダ|防止|フィルタ|対策|法)",
    r"against (?:spam|abuse)",
    r"heart attack",
    r"abuse (?:team|desk|department|contact)",
    r"dear abuse",
    r"to report abuse",
)

STRONG_CLAIM = _any(
    r"送信防止措置",
    r"発信者情報(?:の)?開示",
    r"保有個人データ",
    r"個人情報(?:の)?(?:開示|訂正|削除|利用停止)(?:等)?(?:の)?(?:請求|を求め)",
    r"侵害情報",
    r"\bDMCA\b",
    r"digital millennium copyright",
    r"(?:data )?subject access request|data subject request",
    r"right to (?:be forgotten|erasure)",
    r"notice of (?:claimed |alleged )?(?:copyright |trademark )?infringement",
    r"(?:copyright|trademark) (?:infringement|violation|complaint|claim)",
)
_RIGHT = _any(
    r"名誉(?:毀損|棄損|き損)",
    r"誹謗中傷",
    r"プライバシー(?:の|を|権の?|が)?侵害",
    r"著作権(?:を|の|が|法)?.{0,8}(?:侵害|違反|無断)|著作権者|著作物.{0,20}無断",
    r"商標権|商標.{0,8}(?:侵害|無断)",
    r"肖像権",
    r"無断(?:転載|使用|掲載)",
    r"風評被害",
    r"\bdefam(?:ation|atory|ing)|\blibel",
    r"(?:copyright|trademark).{0,60}(?:infring|violat|owner|holder)|(?:infring|violat).{0,60}(?:copyright|trademark)",
    r"privacy (?:right|rights|violation|breach)|violat\w{1,5} .{0,20}privacy",
    r"\bGDPR\b",
)
_ACT = _any(
    r"侵害|侵し|削除|掲載|投稿|書き込|記事|サイト|ホームページ|ブログ|掲示板|公開され",
    r"infring|remov|take ?-?down|delete|erase|web ?site|\bpage\b|publish|hosted|posted|content",
)
_NO_CLAIM = _any(
    r"copyright (?:\(c\)|©|\d{4})", r"プライバシーポリシー", r"privacy policy", r"(?:registered )?trademarks? of"
)

_AUTHORITY = _any(
    r"捜査(?:関係事項|機関)?(?:の)?照会",
    r"弁護士(?:会|法).{0,12}照会",
    r"差押|令状|仮処分|訴状",
    r"警察|県警|府警|警視庁|検察|裁判所|総務省|消費者庁",
    r"\bpolice\b|law enforcement|\bprosecutor|\binterpol\b|\beuropol\b|\b(?-i:FBI)\b",
    r"subpoena|(?:search|arrest) warrant|court order|district court|preservation (?:request|order)",
)
_TOLD_AUTHORITY = _any(
    r"(?:警察(?:署|庁|本部)?|県警|府警|警視庁|総務省|消費者庁)(?:など|等)?(?:に|へ|とも)[^。\n]{0,16}(?:相談|届|通報|連絡|報告|申告|提出)",
    r"(?:report|contact|inform|notif|call|complain|go|talk|spoke)\w{0,6} [\w' ]{0,30}(?:police|law enforcement)",
    r"(?:警察|裁判所|検察)(?:を|だと)?(?:名乗|装|かた|騙)",
    r"(?:fake|pretend\w{0,5}) .{0,20}(?:police|court)",
)
THREAT = _any(
    r"殺(?:す|し(?:て|に)|され|害|る)|ぶっ殺",
    r"火を(?:つけ|付け|放)|放火|爆破|爆弾|刺し(?:に|て)",
    r"(?:家|会社|事務所)に(?:押しかけ|乗り込)",
    r"(?:訴え|告訴|晒|さらし|拡散|SNS).{0,40}(?:覚悟|許さ(?:ない|ん|ねえ)|ただじゃ|ただでは|後悔|土下座|クビに)",
    r"覚悟しろ|ただで済むと",
    r"\bkill you|\bbomb (?:your|the|you)\b|burn (?:down )?your|i will find you|you will (?:die|regret)|hurt you",
)


@dataclass(frozen=True, slots=True)
class Words:
    """The text of a message in two readings, NFKC-normalised, without mail addresses, cut to `SCANNED` characters.

    said: the subject and what the sender wrote above anything quoted or forwarded. whole: the body with everything.
    """

    subject: str
    said: str
    whole: str

    @classmethod
    def of(cls, subject: str, text: str) -> Words:
        whole = unicodedata.normalize("NFKC", text[:SCANNED])[:SCANNED]
        start = _QUOTE_STARTS.search(whole)
        own = _QUOTED_LINE.sub("", whole[: start.start()] if start else whole)
        subject = _MAIL_ADDRESS.sub(" ", unicodedata.normalize("NFKC", subject[:1000]))
        return cls(subject, f"{subject}\n{_MAIL_ADDRESS.sub(' ', own)[:OPENING]}", whole)


def complains(pattern: re.Pattern[str], text: str) -> bool:
    """Whether *text* has a word of complaint that is not part of a phrase like "spam folder"."""
    return bool(pattern.search(_NO_COMPLAINT.sub(" ", text)))


def claims_right(text: str) -> bool:
    """A right named together with an act against it; footers that only mention copyright do not count."""
    text = _NO_CLAIM.sub(" ", text)
    return bool(_RIGHT.search(text) and _ACT.search(text))


def writes_as_authority(text: str) -> bool:
    """An authority named otherwise than as one that the sender told, or that a swindler pretends to be."""
    return bool(_AUTHORITY.search(_TOLD_AUTHORITY.sub(" ", text)))
