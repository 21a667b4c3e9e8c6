"""The register of sources: sources.yaml read with its faults named by line, each source tried once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

from index.domain.post import Network
from index.domain.source import Source, SourceState
from index.errors import Refused

if TYPE_CHECKING:
    from crawlers.crawl import Crawler

FILE_BYTES = 5 * 1024 * 1024  # 20,000 sources take about 2 MB
FIELDS = {
    "network": str,
    "address": str,
    "title": str,
    "home": str,
    "official": bool,
    "comments": bool,
    "enabled": bool,
}
SITES = {
    Network.VK: ("vk.com", "vk.ru", "m.vk.com", "m.vk.ru"),
    Network.OK: ("ok.ru", "m.ok.ru"),
    Network.TELEGRAM: ("t.me", "telegram.me"),
    Network.MAX: ("max.ru", "web.max.ru"),
}
ADDRESSES: Mapping[Network, tuple[str, str]] = {
    Network.VK: (
        r"(club|public|event|id)\d+|-?\d+|[A-Za-z][\w.]{1,31}|search",
        "club1, id1 или имя страницы",
    ),
    Network.OK: (r"(group/)?\d+|[A-Za-z][\w.-]{1,63}", "group/123 или имя группы"),
    Network.TELEGRAM: (r"@?[A-Za-z]\w{3,31}", "имя открытого канала без https://t.me/"),
    Network.MAX: (r"-?\d+|@?[A-Za-z]\w{2,63}", "номер чата или имя канала"),
}


def read_sources(path: Path) -> list[Source]:
    """Sources of a sources.yaml in the order of the file.

    Raises Refused with every fault of the file and its line, one a line of the message.
    """
    sources, faults = parse_sources(_text_of(path))
    if faults:
        raise Refused("\n".join([f"{path}: источники не прочитаны, ошибок: {len(faults)}.", *faults]))
    return sources


def parse_sources(text: str) -> tuple[list[Source], list[str]]:
    """What could be read, and the faults: «строка 7: неизвестная сеть «фейсбук» …»."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"строка {mark.line + 1}" if mark else "файл"
        return [], [f"{where}: это не YAML ({getattr(error, 'problem', None) or 'недопустимые знаки'})."]
    if root is None:
        return [], ["строка 1: файл пуст, нужен список источников."]
    if not isinstance(root, yaml.SequenceNode):
        return [], [f"строка {root.start_mark.line + 1}: нужен список источников (строки с «- network: …»)."]
    sources: dict[str, Source] = {}
    faults: list[str] = []
    for node in root.value:
        try:
            source = _source(node)
            if source.id in sources:
                raise Refused(f"строка {node.start_mark.line + 1}: источник {source.id} уже был выше.")
            sources[source.id] = source
        except Refused as fault:
            faults.append(str(fault))
    return list(sources.values()), faults


def _text_of(path: Path) -> str:
    try:
        if path.stat().st_size > FILE_BYTES:
            raise Refused(f"{path}: файл больше {FILE_BYTES // 1024 // 1024} МБ.")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Refused(f"{path}: файл не читается ({error.strerror or error}).") from None
    except UnicodeDecodeError:
        raise Refused(f"{path}: файл не в UTF-8.") from None


def _source(node: Any) -> Source:
    line = node.start_mark.line + 1
    if not isinstance(node, yaml.MappingNode):
        raise Refused(f"строка {line}: нужны поля network, address, title.")
    facts, lines = _facts(node)
    for name in ("network", "address", "title"):
        if not facts.get(name):
            raise Refused(f"строка {line}: нет поля {name}.")
    if facts["network"] not in list(Network):
        known = ", ".join(Network)
        raise Refused(f"строка {lines['network']}: неизвестная сеть «{facts['network']}», есть {known}.")
    network = Network(facts["network"])
    try:
        address = normal_address(network, facts["address"])
    except Refused as fault:
        raise Refused(f"строка {lines['address']}: {fault}") from None
    return Source(
        id=f"{network.value}:{address}",
        network=network,
        address=address,
        title=facts["title"].strip()[:200],
        home=facts.get("home") or None,
        is_official=facts.get("official", False),
        with_comments=facts.get("comments", True),
        is_enabled=facts.get("enabled", True),
    )


def _facts(node: yaml.MappingNode) -> tuple[dict[str, Any], dict[str, int]]:
    facts: dict[str, Any] = {}
    lines: dict[str, int] = {}
    for key, value in node.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name not in FIELDS:
            raise Refused(f"строка {line}: неизвестное поле «{name}», есть {', '.join(FIELDS)}.")
        if not isinstance(value, yaml.ScalarNode):
            raise Refused(f"строка {line}: поле {name} — одно значение, не список.")
        if FIELDS[name] is bool:
            if value.value.lower() not in ("true", "false", "yes", "no", "да", "нет"):
                raise Refused(f"строка {line}: поле {name} — true или false, а не «{value.value}».")
            facts[name] = value.value.lower() in ("true", "yes", "да")
        else:
            facts[name] = (
                "" if value.tag.endswith(":null") else value.value.strip()
            )  # -12345 stays as written
        lines[name] = line
    return facts, lines


def normal_address(network: Network, address: str) -> str:
    """The address as the register keeps it: a pasted link becomes the short form. Raises Refused."""
    address = address.strip()
    if network is Network.NEWS:
        parts = _link(address)
        if parts is None or ("." not in parts.hostname and parts.hostname != "localhost"):
            raise Refused(f"адрес «{address[:100]}» не годится, нужен https://сайт/лента.")
        return address
    if (parts := _link(address)) is not None:
        if parts.hostname.removeprefix("www.") not in SITES[network]:
            raise Refused(f"адрес «{address[:100]}» — не {SITES[network][0]}.")
        address = parts.path.strip("/").removeprefix("s/")
    pattern, example = ADDRESSES[network]
    if not re.fullmatch(pattern, address, re.ASCII):
        raise Refused(f"адрес «{address[:100]}» не годится, нужен {example}.")
    return address.lstrip("@")


def _link(address: str) -> Any:
    try:
        parts = urlsplit(address)
        return parts if parts.scheme in ("http", "https") and parts.hostname else None
    except ValueError:  # https://[::1 and the like
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What one look at a source showed; also of those that are fine."""

    source_id: str
    state: SourceState
    reason: str = ""  #: Russian; empty when fine

    @property
    def is_fine(self) -> bool:
        return self.state is SourceState.FINE


def check_sources(
    crawler: Crawler,
    *,
    now: datetime,
    only: Sequence[str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[Fault]:
    """Call each source of the register once, storing nothing, and name what is wrong with it."""
    sources = [s for s in crawler.desk.sources.list() if only is None or s.id in only]
    faults = []
    for source, trouble in crawler.probe(sources, now):
        state = trouble.state if trouble else SourceState.FINE
        faults.append(Fault(source_id=source.id, state=state, reason=trouble.reason if trouble else ""))
        if progress is not None:
            progress(source.id)
    return faults
