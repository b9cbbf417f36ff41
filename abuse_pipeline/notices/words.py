"""The kinds of abuse in words a customer understands: every XARF v4 category and type, in both languages."""

from __future__ import annotations

from typing import Literal

from abuse_pipeline.model import Language

About = Literal["mail", "attack", "content"]

_KINDS: dict[str, tuple[str, str]] = {
    "messaging/spam": ("迷惑メール（スパムメール）の送信", "sending of unsolicited mail (spam)"),
    "messaging/bulk_messaging": ("多数の宛先への一方的なメールの大量送信", "unsolicited bulk mailing"),
    "connection/login_attack": (
        "不正ログインの試行（総当たり攻撃等）",
        "unauthorised log-in attempts (brute force)",
    ),
    "connection/port_scan": ("ポートスキャン", "port scanning"),
    "connection/ddos": ("サービス妨害攻撃（DoS／DDoS攻撃）", "denial-of-service attack (DoS, DDoS)"),
    "connection/infected_host": ("マルウェアに感染した機器からの通信", "traffic of a host infected with malware"),
    "connection/reconnaissance": ("攻撃の準備とみられる探索行為", "reconnaissance that precedes an attack"),
    "connection/scraping": (
        "過度な自動収集（スクレイピング）",
        "excessive automated collection (scraping)",
    ),
    "connection/sql_injection": ("SQLインジェクション攻撃", "SQL injection attack"),
    "connection/vulnerability_scan": ("脆弱性を探索する通信（脆弱性スキャン）", "vulnerability scanning"),
    "vulnerability/cve": ("既知の脆弱性が残っているソフトウェアの公開", "software with a known vulnerability"),
    "vulnerability/open_service": ("外部に公開されたままのサービス", "a service left open to the Internet"),
    "vulnerability/misconfiguration": ("設定の不備", "a faulty configuration"),
    "reputation/blocklist": ("外部の拒否リスト（ブロックリスト）への登録", "listing on a public blocklist"),
    "reputation/threat_intelligence": ("脅威情報への掲載", "listing in threat intelligence"),
    "infrastructure/botnet": ("ボットネットへの関与が疑われる通信", "traffic suspected to belong to a botnet"),
    "infrastructure/compromised_server": ("サーバーの不正侵入・改ざんの疑い", "a server suspected to be compromised"),
    "content/phishing": ("フィッシング（偽サイト）の疑いのあるコンテンツ", "content suspected of phishing"),
    "content/malware": ("マルウェア（不正プログラム）の配布の疑い", "suspected distribution of malware"),
    "content/csam": ("違法な児童性的コンテンツの疑い", "suspected child sexual abuse material"),
    "content/csem": ("児童の性的搾取にあたるコンテンツの疑い", "suspected child sexual exploitation material"),
    "content/exposed_data": ("外部から閲覧できる状態にあるデータ", "data exposed to the public"),
    "content/brand_infringement": ("商標・ブランドの不正使用の疑い", "suspected misuse of a brand"),
    "content/fraud": ("詐欺行為の疑いのあるコンテンツ", "content suspected of fraud"),
    "content/remote_compromise": ("不正な遠隔操作プログラムの設置の疑い", "suspected remote-access tool on the site"),
    "content/suspicious_registration": ("不審なドメイン名の登録", "a suspicious domain registration"),
    "copyright/copyright": ("著作権侵害の申告", "alleged copyright infringement"),
    "copyright/p2p": ("ファイル共有による著作権侵害の申告", "alleged copyright infringement by file sharing"),
    "copyright/cyberlocker": (
        "ストレージサービスでの著作権侵害の申告",
        "alleged infringement on a file host",
    ),
    "copyright/ugc_platform": ("投稿サイトでの著作権侵害の申告", "alleged infringement on a user-content platform"),
    "copyright/link_site": ("リンクサイトでの著作権侵害の申告", "alleged infringement by a link site"),
    "copyright/usenet": ("ネットニュースでの著作権侵害の申告", "alleged infringement on Usenet"),
}

_OTHER: dict[About, tuple[str, str]] = {
    "mail": ("メールに関する迷惑行為", "abuse by mail"),
    "attack": ("ネットワークを通じた迷惑行為", "abuse over the network"),
    "content": ("コンテンツに関する申告", "a complaint about content"),
}

KINDS = frozenset(_KINDS)
"""Every ``category/type`` that has words of its own."""


def kind_in_words(category: str, type_: str, about: About, language: Language) -> str:
    """What happened, in words. An unknown kind, say of a plugin, is described by what it is about: its own name could
    have been taken from a report."""
    japanese, english = _KINDS.get(f"{category}/{type_}", _OTHER[about])
    return japanese if language == "ja" else english


def all_words() -> tuple[str, ...]:
    """Every phrase of the table, for the list of common property."""
    return tuple(text for pair in (*_KINDS.values(), *_OTHER.values()) for text in pair)
