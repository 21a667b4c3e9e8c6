"""Which settlements of the district a text speaks of, and the street and house it names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from nlp.district import District
from nlp.stages.addresses import AddressFinder
from nlp.stages.names import Kind, Lexicon, Name
from nlp.stages.text import Reading, fold, grammemes, likeliest

_TOKEN = re.compile(r"[^\W_]+")
_JOINT = re.compile(r"\.? ?|[ -–—]{1,3}|\n")  # what may stand between the words of one name
_NEAR = 3  # words: how far a neighbour says what a name means

_TO_TOWN = frozenset("в во из до за под у от к для около возле".split())
_CIVIC = (
    "жител", "площад", "роддом", "больниц", "вокзал", "черт", "администрац", "город", "поликлиник",
    "мэр", "рынк", "трасс", "участ", "автобус", "электричк", "гост", "улиц", "окраин", "центр", "весь",
    "наш", "родно", "любим", "типичн",
)  # fmt: skip
_SETTLEMENT = frozenset(
    "поселок поселка поселке поселку поселком пос деревня деревни деревне деревню дер село села селе "
    "селу селах станция станции разъезд разъезда разъезде разъезду рзд переезд жители жителей житель "
    "жительница клуб клубе город города городе".split()
)
_QUOTED_SETTLEMENT = (
    _SETTLEMENT
    | _TO_TOWN
    | frozenset(
        "пгт мо образование образования образовании поселение поселения поселении остановка остановки "
        "остановке платформа платформы платформе".split()
    )
)
_SHORT_SETTLEMENT = frozenset("п д с г ст".split())  # only with a dot: «п. Новый»
_GOVERNED = {
    **dict.fromkeys("из до от у для около возле близ".split(), frozenset({"gent"})),
    **dict.fromkeys("в во на".split(), frozenset({"accs", "loct"})),
    **dict.fromkeys("за под".split(), frozenset({"accs", "ablt"})),
    **dict.fromkeys("с со".split(), frozenset({"gent", "ablt"})),
    **dict.fromkeys("к по".split(), frozenset({"datv"})),
    "через": {"accs"},
    "между": {"ablt"},
}  # which case a preposition asks for
_DASH = re.compile(r"[-–—]")
_SENTENCE_END = re.compile(r"[.!?;\n]")
_RARE = 2  # namesakes in the country: a name with no more is ours unless something speaks against it
_BREAK = re.compile(r"[.,!?:;…–—/()|\n]| -|- ")  # ends a phrase


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """What the text names. Empty when it names nothing of the district."""

    names: tuple[str, ...] = ()  #: canonical, in the order of the text, each once
    scope: str | None = None  #: district when any place of it is named, else city_okrug; None: no place
    address: str | None = None  #: street and house exactly as written
    spans: tuple[tuple[int, int], ...] = ()  #: where they stand, in characters of the original


@dataclass(frozen=True, slots=True)
class _Hit:
    """A name where it stands. Neighbours are folded words, gaps what stands between."""

    name: Name
    first: int  #: index of its first word
    last: int
    word: str
    before: str  #: "" at the beginning
    after: str  #: "" at the end
    gap_before: str
    gap_after: str
    near: tuple[str, ...]
    start: int  #: in characters of the cleaned text
    stop: int

    @property
    def begins_phrase(self) -> bool:
        return not self.before or bool(_BREAK.search(self.gap_before))

    @property
    def ends_phrase(self) -> bool:
        return not self.after or bool(_BREAK.search(self.gap_after))

    @property
    def is_quoted(self) -> bool:
        """The name alone stands in quotation marks."""
        return self.gap_before.endswith(tuple('«"„“')) and self.gap_after.startswith(tuple('»"“”'))


class PlaceFinder:
    """Finds settlements by the pack's forms, slips, adjectives and inhabitants; one for a district.

    Pure and quick (thousands of texts a second); case of letters and ё/е never matter.
    """

    def __init__(self, district: District) -> None:
        words = district.place_words
        self._lexicon = Lexicon(district)
        self._addresses = AddressFinder(**words["streets"])
        self._scopes = {place.name: place.scope for place in district.places}
        self._not_near = {name: _Stems(stems) for name, stems in words["not_place_near"].items()}
        self._regional = _Stems(words["regional_sources"])
        self._twins: dict[str, str] = words["twins"]
        self._common = {place.name for place in district.places if place.name in set(words["common_words"])}
        self._not_before = frozenset(map(fold, words["not_place_before"]))
        self._not_after = _Stems(words["not_place_after"])
        self._bird, self._river = _Stems(words["bird"]), _Stems(words["river"])
        self._context, self._local = _Stems(words["context"]), _Stems(words["local_sources"])
        self._elsewhere = _Stems(words["elsewhere"])
        self._own_group = _Stems(words.get("own_group", ()))
        self._sorts = _Stems(words.get("sorts", ()))
        self._nicknames = words["nicknames"]
        self._rivers = frozenset(words["rivers"])
        self._source = lru_cache(maxsize=4096)(self._read_source)

    def find(self, reading: Reading, original: str, *, source: str = "", home: str | None = None) -> Places:
        """Settlements and address of one text.

        `source` is the title of the page it stands on and `home` the settlement that page belongs to:
        both are only company for names that have namesakes, never places by themselves.
        """
        hits, words = self._hits(reading.text)
        company = self._company(hits, words, source, home) if hits else None
        meant = [hit for hit in hits if company and self._is_meant(hit, company)]
        names = tuple(dict.fromkeys(self._settlement(hit, company) for hit in meant if company))
        return Places(
            names=names,
            scope=self._scope(names),
            address=self._addresses.find(reading, original, words),
            spans=tuple(reading.span(hit.start, hit.stop) for hit in meant),
        )

    def home_of(self, source: str) -> frozenset[str]:
        """Settlements that the title of a source names; empty when it names none or is of another region."""
        title = self._source(source)
        return title.settlements if title.side >= 0 else frozenset()

    def side_of(self, source: str) -> int:
        """2: the title names the district, 1: the region, −1: another region, 0: it does not say."""
        return max(-1, self._source(source).side)

    def _scope(self, names: Iterable[str]) -> str | None:
        scopes = {self._scopes[name] for name in names}
        return "district" if "district" in scopes else next(iter(scopes), None)

    def _hits(self, text: str) -> tuple[list[_Hit], list[str]]:
        """Longest names first, left to right, never over one another; and all words."""
        spans = [match.span() for match in _TOKEN.finditer(text)]
        folded = fold(text)
        words = [folded[start:stop] for start, stop in spans]
        hits, at = [], 0
        while at < len(words):
            hit = self._hit(text, words, spans, at)
            if hit:
                hits.append(hit)
            at = hit.last + 1 if hit else at + 1
        return hits, words

    def _hit(self, text: str, words: list[str], spans: list[tuple[int, int]], at: int) -> _Hit | None:
        for name in self._lexicon.names(words[at]):
            last = at + len(name.rest)
            if tuple(words[at + 1 : last + 1]) == name.rest and all(
                _JOINT.fullmatch(text, spans[number][1], spans[number + 1][0]) for number in range(at, last)
            ):
                return _Hit(
                    name=name,
                    first=at,
                    last=last,
                    word=words[at],
                    before=words[at - 1] if at else "",
                    after=words[last + 1] if last + 1 < len(words) else "",
                    gap_before=text[spans[at - 1][1] if at else 0 : spans[at][0]],
                    gap_after=text[spans[last][1] : spans[last + 1][0] if last + 1 < len(words) else None],
                    near=_neighbours(text, words, spans, at, last),
                    start=spans[at][0],
                    stop=spans[last][1],
                )
        return None

    def _settlement(self, hit: _Hit, company: _Company) -> str:
        """«золотковский лес» speaks of Золотково, «разъезд Золотковский» of Золотковский."""
        name = hit.name.place.name
        twin = self._twins.get(name)
        if not twin or hit.name.rest or name in company.titled or _stands_alone(hit):
            return name
        return twin

    def _is_meant(self, hit: _Hit, company: _Company) -> bool:
        """Whether this name here is the settlement of the district."""
        if self._is_part_of_other_name(hit) or (hit.name.kind is Kind.NAME and _is_person(hit)):
            return False
        place = hit.name.place
        if (
            len(hit.name.rest) and company.side <= 0 and self._bird.any(hit.near)
        ):  # «гусь хрустальный» in an oven
            return False
        if hit.name.kind is Kind.NICKNAME:
            return self._is_nickname(hit, company)
        if place.name in self._rivers and self._is_river(hit):
            return False
        if place.name in self._common and not _stands_alone(hit):
            return False
        if company.side <= 0 and hit.is_quoted and hit.before not in _QUOTED_SETTLEMENT:
            return False  # «кухни «Вековка»», «роман «Красное эхо»»: a thing of that name
        elsewhere = self._elsewhere.any(hit.near)
        if not place.needs_context:
            return not (company.side < 0 and (elsewhere or place.name in company.titled))
        rare = place.homonyms <= _RARE
        return company.weight(place.name) + rare - 4 * elsewhere > 0

    def _is_part_of_other_name(self, hit: _Hit) -> bool:
        """«Гусь-Хрустальный район», «Гусь-Железный», «улица Курловская», «завод «Красный Октябрь»»."""
        name = hit.name.place.name
        if hit.before in self._not_before and not _BREAK.search(hit.gap_before.replace(".", "")):
            ordinary = hit.name.place.needs_context or hit.name.kind is not Kind.NAME
            return ordinary or hit.before == "ул" or "«" in hit.gap_before
        if hit.after == "р" and hit.gap_after == " ":  # «Гусь-Хрустальный р-н»
            return True
        if hit.name.kind is Kind.ADJECTIVE and hit.after.isdigit() and hit.gap_after == " ":  # a street
            return True
        is_adjective = hit.name.kind is Kind.ADJECTIVE or name in self._twins
        if is_adjective and "«" in hit.gap_before and self._sorts.any(hit.near):
            return True  # «сорт «Золотковский ранний»»
        if name in self._not_near and self._not_near[name].any(hit.near):
            return True
        return self._not_after.any([hit.after]) and not _BREAK.search(hit.gap_after)

    def _is_river(self, hit: _Hit) -> bool:
        if hit.before in ("в", "из", "селе", "село"):
            return False
        return hit.before == "через" or self._river.any(hit.near)

    def _is_nickname(self, hit: _Hit, company: _Company) -> bool:
        if self._nicknames[hit.name.place.name].get("needs_home"):
            return hit.name.place.name in company.titled | company.named and hit.after not in ("войны", "40")
        if company.side < 0 or self._bird.any(hit.near) or self._is_river(hit):
            return False
        if (hit.before, hit.word) in (("на", "гусе"), ("с", "гусем")):
            return False
        if hit.before in _TO_TOWN or hit.before in _SETTLEMENT or self._is_end_of_way(hit):
            return True
        if company.side <= 1:
            return False
        if hit.before in ("на", "с", "по"):
            return hit.after != "вода"
        begins, ends = hit.begins_phrase or "-" in hit.gap_before, hit.ends_phrase or "-" in hit.gap_after
        of_town = hit.word == "гуся" and "NOUN" in likeliest(hit.before)  # «в роддоме Гуся»
        return of_town or (begins and (ends or hit.after == "и")) or hit.before.startswith(_CIVIC)

    def _is_end_of_way(self, hit: _Hit) -> bool:
        """«Мезиновка–Гусь», «трасса Гусь — Курлово»."""
        return (bool(_DASH.search(hit.gap_before)) and bool(self._lexicon.names(hit.before))) or (
            bool(_DASH.search(hit.gap_after)) and bool(self._lexicon.names(hit.after))
        )

    def _company(self, hits: Sequence[_Hit], words: list[str], source: str, home: str | None) -> _Company:
        title = self._source(source)
        side, titled = title.side, title.settlements
        if home is not None:
            side, titled = (2, titled | {home}) if home in self._scopes else (-4, titled)
        unique = {
            hit.name.place.name
            for hit in hits
            if not hit.name.place.needs_context and hit.name.kind is not Kind.NICKNAME
        }
        return _Company(
            side=side,
            titled=titled,
            unique=frozenset(unique),
            named=frozenset(hit.name.place.name for hit in hits if hit.name.kind is not Kind.NICKNAME),
            is_local=self._context.any(words),
            is_elsewhere=self._elsewhere.any(_unless_denied(_outside(_names(hits), words))),
            is_own_group=title.is_own_group,
        )

    def _read_source(self, text: str) -> _Title:
        hits, words = self._hits(text)
        own = _names(hits)
        titled = frozenset(hit.name.place.name for hit in own)
        others = _outside(own, words)
        if self._local.any(words):
            return _Title(side=2, settlements=titled)
        if self._elsewhere.any(others):
            return _Title(side=-4, settlements=titled)
        if any(not hit.name.place.needs_context for hit in own) or len(titled) > 1:
            return _Title(side=2, settlements=titled)
        is_own_group = bool(titled - self._common) and all(self._own_group.any([word]) for word in others)
        side = 1 if self._regional.any(words) else 0
        return _Title(side=side, settlements=titled, is_own_group=is_own_group)


@dataclass(frozen=True, slots=True)
class _Title:
    """What the title of a source tells."""

    side: int  #: 2: it is of the district, 1: of the region, 0: it does not tell, -4: of another region
    settlements: frozenset[str]
    is_own_group: bool = (
        False  #: nothing but a name that has namesakes and words of a group: «Демидово и соседи»
    )


@dataclass(frozen=True, slots=True)
class _Company:
    """What stands around a name: its source, the other names, words of here and of elsewhere."""

    side: int  #: weight of the source: above 0 ours, below 0 another region's
    titled: frozenset[str]  #: settlements in the title of the source, or its home
    unique: frozenset[str]  #: names without namesakes in the text
    named: frozenset[str]  #: all names in the text
    is_local: bool
    is_elsewhere: bool
    is_own_group: bool

    def weight(self, name: str) -> int:
        """Above 0: the namesake of the district is meant."""
        local = 3 * bool(self.unique - {name} or self.is_local) + (len(self.named) > 1)
        titled = self.is_own_group and name in self.titled
        return self.side + local + titled - self.is_elsewhere


class _Stems:
    """Words by their beginnings; a stem with a blank at its end is a whole word."""

    def __init__(self, stems: Iterable[object]) -> None:
        folded = [fold(str(stem)) for stem in stems]
        self._whole = frozenset(stem.strip() for stem in folded if stem.endswith(" "))
        self._starts = tuple(stem for stem in folded if not stem.endswith(" "))

    def any(self, words: Iterable[str]) -> bool:
        return any(word.startswith(self._starts) or word in self._whole for word in words)


def _neighbours(
    text: str, words: list[str], spans: list[tuple[int, int]], first: int, last: int
) -> tuple[str, ...]:
    """Up to _NEAR words on each side within the sentence."""
    begin, end = first, last
    while (
        first - begin < _NEAR
        and begin
        and not _SENTENCE_END.search(text, spans[begin - 1][1], spans[begin][0])
    ):
        begin -= 1
    while (
        end - last < _NEAR
        and end + 1 < len(words)
        and not _SENTENCE_END.search(text, spans[end][1], spans[end + 1][0])
    ):
        end += 1
    return _unless_denied([*words[begin:first], *words[last + 1 : end + 1]])


def _names(hits: Iterable[_Hit]) -> list[_Hit]:
    """Without nicknames: «бор» alone may be the town of Бор."""
    return [hit for hit in hits if hit.name.kind is not Kind.NICKNAME]


def _outside(hits: Sequence[_Hit], words: list[str]) -> list[str]:
    """Words that are no part of a name: «бор» says nothing of another region in «Тасинский Бор»."""
    inside = {at for hit in hits for at in range(hit.first, hit.last + 1)}
    return [word for at, word in enumerate(words) if at not in inside]


def _unless_denied(words: list[str]) -> tuple[str, ...]:
    """«не киржачский, а наш»: a word after «не» does not say where."""
    return tuple(word for before, word in zip(["", *words], words, strict=False) if before != "не")


def _is_person(hit: _Hit) -> bool:
    """«судья Григорьева», «Наташа Неклюдова», «Ильина выбила последний мяч»."""
    if not hit.word.endswith(("ова", "ева", "ина", "ову", "ину", "овой", "иной", "овым", "иным", "ыным")):
        return False
    if hit.before in _GOVERNED or hit.before in _SETTLEMENT:
        return False
    if hit.gap_before == " " and len(hit.before) > 3 and "Name" in grammemes(hit.before):
        return True
    if hit.before.startswith("тренер"):
        return True
    if hit.gap_after == " " and hit.name.place.needs_context:
        return "Name" in grammemes(hit.after) or hit.after.endswith(("ла", "лась"))
    return hit.gap_before in (".", ". ") and len(hit.before) == 1


def _stands_alone(hit: _Hit) -> bool:
    """A common word is a name after «посёлок», or after a preposition when no noun agrees with it."""
    if hit.before in _SETTLEMENT or (hit.before in _SHORT_SETTLEMENT and hit.gap_before.startswith(".")):
        return True
    if hit.after.startswith("разъезд"):
        return True
    if hit.before not in _GOVERNED:
        begins = not hit.before or bool(_SENTENCE_END.search(hit.gap_before))
        return begins and hit.ends_phrase and hit.name.kind is Kind.NAME
    if hit.ends_phrase:
        return True
    agree = grammemes(hit.word) & grammemes(hit.after) & _GOVERNED[hit.before]
    return not (likeliest(hit.after) & {"NOUN", "ADJF", "PRTF"} and agree)
