"""Mail services of Japan, where their lines bear a mark of their own.

Most run Postfix, sendmail or qmail and say so; those rows are in `servers`. Here stand the ones that put another name
in its place. All write `helo (rdns [ip])`, as the corpus of public mail shows; that they confirm the name is likely
for those which are a Postfix or a sendmail underneath, but nobody says so: it does not count.
"""

from __future__ import annotations

from typing import Final

from abuse_pipeline.trace.dialects.shapes import HOST, PAREN, Dialect, mark

JAPAN: Final = (
    Dialect("au-mobile", "(EZweb Mail)", mark(rf"{HOST}\(EZweb Mail\)"), (PAREN,)),
    Dialect("au-one-net", "(au one net ", mark(rf"{HOST}\(au one net \w{{1,20}}\)"), (PAREN,)),
    # OCN, and Cloudmark Gateway elsewhere: the address only.
    Dialect("ngmta", " ngmta id ", mark(rf"{HOST}with ngmta id "), (PAREN,)),
    Dialect("dti", "(3.1", mark(rf"{HOST}\(3\.1\d[a-z]{{1,3}}\)"), (PAREN,)),
    Dialect("securemx", " (mx-m", mark(rf"{HOST}\(mx-m[or]-?[a-z]{{0,4}}\d{{1,6}}\)"), (PAREN,)),
    Dialect("biglobe", "(kbkr/", mark(rf"{HOST}\(kbkr/\d"), (PAREN,)),
)
