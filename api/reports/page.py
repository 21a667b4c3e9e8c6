"""Reports as HTML that prints to one A4 page; nothing is loaded from outside."""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, select_autoescape

from api.reports.morning import Morning
from api.words import NETWORK_WORDS, RISK_WORDS, SEVERITY_WORDS

_templates = Environment(loader=PackageLoader("api.reports"), autoescape=select_autoescape())


def morning_html(morning: Morning, district: str, zone: ZoneInfo, titles: Mapping[str, str]) -> str:
    """`titles`: id of a source → what people call it."""
    template = _templates.get_template("morning.html")
    return template.render(
        morning=morning,
        district=district,
        zone=zone,
        titles=titles,
        risks=RISK_WORDS,
        severities=SEVERITY_WORDS,
        networks=NETWORK_WORDS,
    )
