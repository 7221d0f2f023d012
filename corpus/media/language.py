"""Language codes of audio tracks: containers have three letters (two sets of them), people write two."""

from __future__ import annotations

# ISO 639-1, and what stands in containers: ISO 639-2/T, 639-2/B, and the larger spoken languages within.
_CODES = [
    set(line.split())
    for line in """
    ar ara
    cs ces cze
    da dan
    de deu ger
    el ell gre
    en eng
    es spa
    fa fas per
    fi fin
    fr fra fre
    he heb
    hi hin
    hu hun
    id ind
    it ita
    ja jpn
    ko kor
    ms msa may
    nl nld dut
    no nor nob
    pl pol
    pt por
    ro ron rum
    ru rus
    sv swe
    th tha
    tr tur
    uk ukr
    vi vie
    zh zho chi cmn
    """.strip().splitlines()
]


def same_language(wanted: str, found: str) -> bool:
    """Say whether two codes mean one language; a region (``zh-CN``) is left out of account."""
    first, second = (code.lower().replace("_", "-").split("-")[0] for code in (wanted, found))
    return first == second or any({first, second} <= codes for codes in _CODES)
