"""What a report says, in the reader's language: messages from a catalogue, numbers and dates through Babel.

Code names a message by its key (`say("headline.sentence", …)`); the text itself is in
`locale/<locale>/LC_MESSAGES/trajectories.po`, one gettext catalogue a language, read as it is (nothing to compile);
`make messages` (messages.py) checks the catalogues against the code and against each other.

Canadian French keeps its own rules: a no-break space before %, $ and the colon and inside guillemets, none before
the semicolon, the exclamation and the question mark; « 12,5 % », « 1 234 », « 1er avril 2022 ». Canadian English has
its own: 12.5%, 1,234, April 1, 2022, “quoted”.
"""

from __future__ import annotations

import datetime as dt
import functools
import gettext
import io
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..exceptions import NotebookError
from ..study import Disclosure

LOCALES = {"fr": "fr_CA", "en": "en_CA"}
# The first language: its pages are at the top of the shared folder, and the other catalogues follow the order of its.
FIRST = "fr"
NO_BREAK = "\N{NO-BREAK SPACE}"
MISSING = "\N{EN DASH}"

_FRENCH = (
    (re.compile(r"[ \u00a0\u202f]+([;!?])"), r"\1"),
    (re.compile(r"[ \u202f]+([%$:»])"), NO_BREAK + r"\1"),
    (re.compile(r"(«)[ \u202f]+"), r"\1" + NO_BREAK),
    (re.compile(r"([\d}]) (mois|ans)\b"), r"\1" + NO_BREAK + r"\2"),
)


def french(text: str) -> str:
    """
    The text with the no-break spaces of Canadian French.

    Examples
    --------
    >>> french("« Oui » : 12 % ; vrai ?").replace(NO_BREAK, "~")
    '«~Oui~»~: 12~%; vrai?'
    """
    for pattern, by in _FRENCH:
        text = pattern.sub(by, text)
    return text


def english(text: str) -> str:
    """
    The text with a no-break space between a number and its unit of time.

    Examples
    --------
    >>> english("12 months").replace(NO_BREAK, "~")
    '12~months'
    """
    return re.sub(r"([\d}]) (months?|years?|days?)\b", r"\1" + NO_BREAK + r"\2", text)


_TYPOGRAPHY = {"fr": french, "en": english}


@dataclass(frozen=True)
class Words:
    """
    One language: its messages, numbers, dates. Made by `words("fr")`.

    Examples
    --------
    >>> w = words("fr")
    >>> w.percent(0.125, 1).replace(NO_BREAK, "~"), w.number(1234).replace(NO_BREAK, "~")
    ('12,5~%', '1~234')
    >>> w.date(dt.date(2022, 4, 1)).replace(NO_BREAK, "~")
    '1er~avril 2022'
    >>> w = words("en")
    >>> w.percent(0.125, 1), w.number(1234), w.date(dt.date(2022, 4, 1))
    ('12.5%', '1,234', 'April 1, 2022')
    """

    language: str
    locale: str
    catalogue: gettext.NullTranslations

    @property
    def tag(self) -> str:
        """The BCP 47 tag for `lang` attributes: fr-CA."""
        return self.locale.replace("_", "-")

    def say(self, key: str, **values: object) -> str:
        """The message `key` with its values set in (text: format numbers and dates first)."""
        text = self.catalogue.gettext(key)
        return text.format(**values) if values else text

    def say_many(self, key: str, n: int, **values: object) -> str:
        """The message `key` in the plural form for `n`, which is set in as `{n}`, formatted."""
        text = self.catalogue.ngettext(key, key, n)
        return text.format(n=self.number(n), **values)

    def has(self, key: str) -> bool:
        """Whether the catalogue knows the message."""
        try:
            self.catalogue.gettext(key)
        except KeyError:
            return False
        return True

    def label(self, family: str, code: object) -> str:
        """The label of a code (`label("exit", "metropole")`); a code without one is shown as it is."""
        key = f"{family}.{code}"
        return self.say(key) if self.has(key) else str(code)

    def typeset(self, text: str) -> str:
        """A text in the typography of the language."""
        return _TYPOGRAPHY[self.language](text)

    def number(self, value: float | None, decimals: int = 0) -> str:
        """A number; a missing one is a dash."""
        from babel.numbers import format_decimal

        if value is None or _missing(value):
            return MISSING
        return format_decimal(value, format="#,##0" + ("." + "0" * decimals if decimals else ""), locale=self.locale)

    def percent(self, rate: float | None, decimals: int = 0) -> str:
        """A rate in 0–1 as a percentage (whole: protected rates say no more); a missing one is a dash."""
        from babel.numbers import format_percent

        if rate is None or _missing(rate):
            return MISSING
        space = NO_BREAK if self.language == "fr" else ""
        pattern = "#,##0" + ("." + "0" * decimals if decimals else "") + space + "%"
        return format_percent(rate, format=pattern, locale=self.locale)

    def signed(self, value: float | None, decimals: int = 0) -> str:
        """A difference, with its sign; a missing one is a dash."""
        if value is None or _missing(value):
            return MISSING
        rounded = round(float(value), decimals)
        sign = "+" if rounded > 0 else "\N{MINUS SIGN}" if rounded < 0 else ""
        return sign + self.number(abs(rounded), decimals)

    def date(self, day: dt.date) -> str:
        """A date in full; the first of a month is « 1er » in French."""
        from babel.dates import format_date

        text = format_date(day, format="long", locale=self.locale)
        if self.language == "fr":
            text = re.sub(r"^(\d+) ", r"\1" + NO_BREAK, text)
            text = re.sub(r"^1\b", "1er", text)
        return text

    def month(self, day: dt.date) -> str:
        """The month of a day: « mars 2021 », “March 2021”."""
        from babel.dates import format_date

        return format_date(day, format="LLLL yyyy", locale=self.locale)

    def months(self, n: float) -> str:
        """A duration in months."""
        return self.say_many("months", int(n))

    def listing(self, items: list[str], style: Literal["standard", "or"] = "standard") -> str:
        """Items joined as a sentence joins them: « a, b et c », “a, b and c”; « a ou b » by the style `or`."""
        from babel.lists import format_list

        return format_list(items, style, locale=self.locale)

    def bases(self, rules: Disclosure) -> str:
        """What numbers of persons and households are rounded to: « 5 », « 5 ou 10 »."""
        from ..disclosure.tables import bases

        return self.listing([self.number(base) for base in bases(rules)], "or")

    def region(self, code: str) -> str:
        """The name of a region, « Estrie », of the whole, or of a group of regions (its own)."""
        return self.label("region", code)

    def in_region(self, code: str) -> str:
        """The region where a sentence needs its preposition: « en Estrie »; of a group, « dans le groupe … »."""
        key = f"in_region.{code}"
        return self.say(key) if self.has(key) else self.say("in_group", name=code)


class _Nowhere(gettext.NullTranslations):
    """Raises KeyError for a message that the catalogue lacks; gettext itself would return the key as the text."""

    def __init__(self, locale: str):
        super().__init__()
        self.locale = locale

    def gettext(self, message: str) -> str:
        raise KeyError(f"message {message!r} is not in the catalogue {self.locale}")

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid1)


def words(language: str) -> Words:
    """
    The words of a language, `fr` or `en`.

    Raises
    ------
    NotebookError
        No catalogue exists for the language, or it cannot be read.
    """
    if language not in LOCALES:
        raise NotebookError(f"no reports in the language {language!r}: the languages are {', '.join(LOCALES)}.")
    return _words(language)


@functools.cache
def _words(language: str) -> Words:
    from babel.messages.mofile import write_mo

    catalogue = read_catalogue(language)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    translations = gettext.GNUTranslations(compiled)
    translations.add_fallback(_Nowhere(LOCALES[language]))
    return Words(language, LOCALES[language], translations)


def read_catalogue(language: str, *, typeset: bool = True):
    """The catalogue of a language (babel.messages.Catalog), its texts set in the typography of the language, or not."""
    from babel.messages.pofile import read_po

    path = catalogue_path(language)
    try:
        with path.open("rb") as file:
            catalogue = read_po(file, locale=LOCALES[language])
    except (OSError, UnicodeDecodeError) as error:
        raise NotebookError(
            f"the catalogue {path.name} of {LOCALES[language]} cannot be read ({type(error).__name__}): install the "
            "library again."
        ) from None
    setting = _TYPOGRAPHY[language]
    for message in catalogue if typeset else ():
        if message.id and isinstance(message.string, str):
            message.string = setting(message.string)
        elif message.id:
            message.string = tuple(setting(form) for form in message.string)
    return catalogue


def catalogue_path(language: str) -> Path:
    """The path of the catalogue of a language."""
    return Path(__file__).parent / "locale" / LOCALES[language] / "LC_MESSAGES" / "trajectories.po"


def method_text(language: str) -> str:
    """The text of the method page as it was written: Markdown, a Jinja template (method_page.py)."""
    return (Path(__file__).parent / "locale" / LOCALES[language] / "methode.md").read_text(encoding="utf-8")


def _missing(value: float | None) -> bool:
    """None, NaN or pandas' NA."""
    if value is None:
        return True
    try:
        return math.isnan(value)
    except TypeError:  # pandas.NA has no truth, no float
        return True
