"""The district pack: places, topics, risks, rules, deadlines of one district, as YAML that the city edits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from index.domain.analysis import Risk
from nlp.district.files import Section, read_table, read_yaml
from nlp.rules import AlertRule, read_rules
from nlp.stages import text

SHIPPED = Path(__file__).parent / "gus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A settlement. `name` is canonical: without ё, as labels, filters and reports write it."""

    name: str
    type: str  #: г п с д ст рзд; `?` after it: unverified
    scope: str  #: district | city_okrug
    municipality: str = ""
    needs_context: bool = False  #: has namesakes: counts only in local company
    homonyms: int = 0  #: places of the same name elsewhere in the country
    latitude: float | None = None  #: None: not known
    longitude: float | None = None
    forms: tuple[str, ...] = ()  #: as written, any case of letters


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A fine topic of a group. `words` are stems that give it away."""

    name: str
    about: str
    hint: str = ""  #: «не путать с …»
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicGroup:
    """One of the 26 groups, with who answers for it and how soon."""

    name: str
    about: str
    hint: str  #: «не путать с …»
    sector: str  #: key of `District.sectors`
    severity: int  #: 1 ordinary, 2 important, 3 life and health
    sla: str  #: key of `District.deadlines["profiles"]`
    topics: tuple[Topic, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskEntry:
    """How a risk class is called and which stems show it to an officer."""

    title: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Words that take a risk away (a drill, a film, the past) while the model is less sure than `below`."""

    name: str
    pattern: str  #: over folded text
    risks: tuple[Risk, ...]
    below: float  #: 0..1


@dataclass(frozen=True, slots=True, kw_only=True)
class District:
    """Everything about the district that is not code."""

    name: str
    region: str
    timezone: str  #: IANA
    version: str
    sectors: Mapping[str, str]  #: key → who it is
    queries: tuple[str, ...]  #: what crawlers search for in open posts
    places: tuple[Place, ...]
    place_words: Mapping[str, Any]  #: the rest of places.yaml, for nlp.stages.places
    topics: tuple[TopicGroup, ...]
    topics_version: str
    risks: Mapping[Risk, RiskEntry]
    guards: tuple[Guard, ...]
    rules: tuple[AlertRule, ...]
    deadlines: Mapping[str, Any]  #: calendar and profiles, as deadlines.yaml
    score: Mapping[str, Any]  #: weights of the risk score, as score.yaml
    name_lemmas: Mapping[str, str] = field(repr=False)  #: folded one-word form → lemma of the settlement

    def lemmas(self, query: str) -> tuple[str, ...]:
        """The lemmas of a text or a search query as this district's posts are indexed."""
        return text.lemmas(query, self.name_lemmas)

    def group(self, name: str | None) -> TopicGroup | None:
        """The topic group of that name; None when there is none (an old name, or about nothing)."""
        return next((group for group in self.topics if group.name == name), None)

    def place(self, name: str) -> Place | None:
        """The settlement of that canonical name; None when the pack does not have it."""
        return next((place for place in self.places if place.name == name), None)


def load_district(folder: Path | None = None) -> District:
    """The pack in `folder`; None: the shipped one.

    Raises Misconfigured that names the file and the place in it.
    """
    folder = folder or SHIPPED
    main = read_yaml(folder / "district.yaml")
    words = read_yaml(folder / "places.yaml")
    topics = read_yaml(folder / "topics.yaml")
    risks = read_yaml(folder / "risks.yaml")
    deadlines = read_yaml(folder / "deadlines.yaml")
    places = _places(folder / "gazetteer.tsv", words)
    sectors = {str(key): str(value) for key, value in main.mapping("sectors").items()}
    return District(
        name=main.text("name"),
        region=main.text("region"),
        timezone=main.zone("timezone"),
        version=main.text("version"),
        sectors=sectors,
        queries=main.texts("queries"),
        places=places,
        place_words=words.content,
        topics=tuple(_group(each, sectors, deadlines) for each in topics.sections("groups")),
        topics_version=topics.text("version"),
        risks=_risks(risks),
        guards=_guards(risks),
        rules=read_rules(read_yaml(folder / "rules.yaml")),
        deadlines=_deadlines(deadlines),
        score=read_yaml(folder / "score.yaml").content,
        name_lemmas=_name_lemmas(places, set(words.texts("common_words"))),
    )


@cache
def shipped_names() -> Mapping[str, str]:
    """Names of the shipped pack's settlements, for lemmas where no pack was chosen."""
    return load_district().name_lemmas


def _places(table: Path, words: Section) -> tuple[Place, ...]:
    extra = words.mapping("forms")
    places = []
    for row in read_table(table, ("name", "type", "scope", "needs_context", "forms")):
        row.one_of("scope", ("district", "city_okrug"))
        forms = [form.strip() for form in row.text("forms").split(";") if form.strip()]
        places.append(
            Place(
                name=row.text("name"),
                type=row.text("type"),
                scope=row.text("scope"),
                municipality=row.optional("municipality"),
                needs_context=row.one_of("needs_context", ("yes", "no")) == "yes",
                homonyms=int(row.optional("homonyms").partition("/")[0] or 0),
                latitude=row.number("lat"),
                longitude=row.number("lon"),
                forms=tuple(dict.fromkeys([row.text("name"), *forms, *extra.get(row.text("name"), ())])),
            )
        )
    known = {place.name for place in places}
    for name in (*extra, *words.mapping("stems"), *words.mapping("nicknames")):
        if name not in known:
            raise words.fault(f"населённого пункта «{name}» нет в {table.name}")
    return tuple(places)


def _group(section: Section, sectors: Mapping[str, str], deadlines: Section) -> TopicGroup:
    return TopicGroup(
        name=section.text("name"),
        about=section.text("about"),
        hint=section.text("not"),
        sector=section.one_of("sector", sectors),
        severity=section.whole("severity", 1, 3),
        sla=section.one_of("sla", deadlines.mapping("profiles")),
        topics=tuple(
            Topic(
                name=each.text("name"),
                about=each.text("about"),
                hint=each.optional("not"),
                words=each.texts("words"),
            )
            for each in section.sections("topics")
        ),
    )


def _risks(section: Section) -> dict[Risk, RiskEntry]:
    entries = section.section("risks")
    return {
        risk: RiskEntry(
            title=entries.section(risk.value).text("title"), words=entries.section(risk.value).texts("words")
        )
        for risk in Risk
    }


def _guards(section: Section) -> tuple[Guard, ...]:
    scopes = section.section("guarded")
    return tuple(
        Guard(
            name=str(name),
            pattern=section.section("guards").pattern(name),
            risks=tuple(Risk(scope) for scope in scopes.section(name).closed_texts("risks", Risk)),
            below=scopes.section(name).share("below"),
        )
        for name in section.mapping("guards")
    )


def _deadlines(section: Section) -> Mapping[str, Any]:
    for name in section.mapping("profiles"):
        profile = section.section("profiles").section(name)
        for step in ("route", "answer", "final", "cap"):
            limit = profile.section(step)
            limit.whole("amount", 1, 10_000)
            limit.one_of(
                "unit", ("minutes", "hours", "days", "working_minutes", "working_hours", "working_days")
            )
    hours = section.section("calendar").section("hours")
    for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun"):
        for interval in hours.texts(day):
            hours.interval(day, interval)
    return section.content


def _name_lemmas(places: tuple[Place, ...], common_words: set[str]) -> dict[str, str]:
    """Only one-word names: in «Красное Эхо» each word is one that morphology knows."""
    lemmas: dict[str, str] = {}
    for place in places:
        lemma = text.fold(place.name)
        if place.name in common_words or len(lemma.split()) > 1 or "-" in lemma:
            continue
        for form in place.forms:
            folded = text.fold(form)
            if folded.isalpha():
                lemmas.setdefault(folded, lemma)
    return lemmas
