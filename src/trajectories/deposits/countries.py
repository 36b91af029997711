"""Names of countries → ISO 3166-1 alpha-3: those of CLDR in French and English (Babel), and what people also type."""

from __future__ import annotations

import functools

from .crosswalks import word_key

_COUNTRY_WORDS = {
    "rdc": "COD", "rd congo": "COD", "congo rdc": "COD", "republique democratique du congo": "COD",
    "congo kinshasa": "COD", "zaire": "COD", "congo": "COG", "republique du congo": "COG", "usa": "USA",
    "etats unis d amerique": "USA", "e u": "USA", "us": "USA", "angleterre": "GBR", "grande bretagne": "GBR",
    "ecosse": "GBR", "uk": "GBR", "birmanie": "MMR", "myanmar": "MMR", "cap vert": "CPV", "vietnam": "VNM",
    "viet nam": "VNM", "coree": "KOR", "coree du sud": "KOR", "iran": "IRN", "republique islamique d iran": "IRN",
    "syrie": "SYR", "moldavie": "MDA", "moldova": "MDA", "cote ivoire": "CIV", "ivory coast": "CIV", "rca": "CAF",
    "centrafrique": "CAF", "palestine": "PSE", "kosovo": "XKX", "taiwan": "TWN", "hong kong": "HKG", "chine": "CHN",
    "macedoine": "MKD", "bielorussie": "BLR", "tcheque": "CZE", "republique tcheque": "CZE", "hollande": "NLD",
    "quebec": "CAN", "emirats": "ARE", "eau": "ARE", "guinee conakry": "GIN", "guinee bissau": "GNB",
    "salvador": "SLV", "trinite et tobago": "TTO", "swaziland": "SWZ",
}  # fmt: skip


@functools.cache
def country_words() -> dict[str, str]:
    """Names of countries in French and English, and their codes → ISO 3166-1 alpha-3."""
    from babel import Locale
    from babel.core import get_global

    # CLDR lists the three-letter codes as aliases of the two-letter ones
    three = {
        targets[0]: alias
        for alias, targets in sorted(get_global("territory_aliases").items())
        if len(alias) == 3 and alias.isalpha() and len(targets) == 1
    }
    # withdrawn codes that CLDR also points at a living country
    three |= {
        "CD": "COD",
        "MM": "MMR",
        "TL": "TLS",
        "RO": "ROU",
        "DE": "DEU",
        "FR": "FRA",
        "YE": "YEM",
        "RU": "RUS",
        "RS": "SRB",
    }
    words: dict[str, str] = {}
    for language in ("en", "fr"):
        for code, name in Locale(language).territories.items():
            if code in three:
                words[word_key(name)] = three[code]
    for code, alpha in three.items():
        words.setdefault(word_key(alpha), alpha)
        words.setdefault(word_key(code), alpha)
    return words | _COUNTRY_WORDS
