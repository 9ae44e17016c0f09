"""Penn-Treebank tokens of captions, in pure Python: what BLEU, ROUGE and CIDEr of the COCO evaluation are counted on.

Written against the behaviour of the Stanford tokenizer as the COCO code calls it (lower case, punctuation dropped), so that no
Java is needed; the tests compare the two when Java is there. Its oddities are kept where captions have them: brackets survive as
"-lrb-", a missing space after a full stop makes one word. Not covered: emoticons, telephone numbers, SGML, sentence splitting,
and scripts that are not written with spaces.
"""

from __future__ import annotations

import re

PUNCTUATION = frozenset(["''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"])
"""Tokens that the COCO evaluation drops."""

_ABBREVIATIONS = (
    "mr mrs ms dr prof st ste ave blvd rd rt mt ft sq bldg dept univ assn tel jr sr esq messrs mme mlle gen gov sen rep hon rev "
    "capt col sgt lt maj cpl pvt drs pres supt insp adm atty asst inc co corp ltd bros cie vs etc est al ct "
    "jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thurs fri "
    "va ga md ky calif fla ala ariz colo conn ind kan mich minn mo mont neb nev okla penn tenn vt wis wyo"
)
_CAPITAL_ABBREVIATIONS = "pa az del ill la mass miss ore tex wash"
"""These lose their full stop when written in lower case, being words, or parts of one."""

_CLITIC = r"'(?:s|m|d|re|ve|ll)(?![^\W_])"
_LETTER, _ALNUM = r"[^\W\d_]", r"[^\W_]"
_CHARACTERS = str.maketrans(
    dict(zip("\u2018\u2019\u201c\u201d\u20ac\u00a3", "''\"\"$#", strict=True))
    | {"\u2026": "...", "\u2013": "--", "\u2014": "--", "\u00bd": "1/2", "\u00bc": "1/4", "\u00be": "3/4"}
)
_TOKEN = re.compile(
    rf"""
    (?:https?://|www\.)[^\s"<>|()]+ [^\s"<>|(),.!?;:]             # addresses, names, tags
  | {_ALNUM}[\w.+-]*@{_ALNUM}[\w-]*(?:\.\w+)+
  | [@\#]{_LETTER}\w* | </?{_LETTER}\w*>
  | (?:{_LETTER}\.)+{_LETTER}\.?(?!{_ALNUM})                      # t.v.  a.m
  | (?:{_ABBREVIATIONS.replace(" ", "|")})\.(?!{_ALNUM})
  | (?:{"|".join(f"(?-i:{word[0].upper()}){word[1:]}" for word in _CAPITAL_ABBREVIATIONS.split())})\.(?!{_ALNUM})
  | no\.(?=[ ]?\d)
  | {_LETTER}+(?:[.!?]{_LETTER}+)+(?:-{_ALNUM}+)*                 # no space after the full stop
  | (?-i:[a-z]\.(?!{_ALNUM}) | [A-HJ-Z]\.(?=[ ]+\S))               # initials
  | (?-i:[A-Z]{{2,}}&[A-Z]|R&B)
  | \d+(?:[.,:/-]\d+)+(?:-{_ALNUM}+)* | [+-]?\.?\d+(?![^\W_])(?![-/]{_ALNUM})
  | '(?:cause|em|til)\b | '\d0s | 'n' | 'n(?!{_ALNUM}) | y'(?=all\b)
  | 't(?=is\b|was\b) | {_CLITIC} | n't(?!{_ALNUM})                # contractions
  | can(?=not\b) | gon(?=na\b) | got(?=ta\b) | wan(?=na\b) | lem(?=me\b) | gim(?=me\b) | {_ALNUM}+?(?=n't(?!{_ALNUM}))
  | \w+ (?: (?:[-/]|'(?!(?:s|m|d|re|ve|ll|n)(?!{_ALNUM}))) {_ALNUM}+ )*
  | [?!]{{2,}} | --+ | \.{{2,}} | \*+ | \S
    """,
    re.VERBOSE | re.IGNORECASE,
)
_BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}


def tokenize(text: str) -> list[str]:
    """Tokens of `text`, lower-cased, punctuation dropped."""
    found = _TOKEN.findall(text.translate(_CHARACTERS))
    return [_BRACKETS.get(token, token.lower()) for token in found if token not in PUNCTUATION and token.strip('".-')]
