"""The shipped pack is whole; a broken one says which file, which place, what is wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from index.domain.analysis import Risk
from index.errors import Misconfigured
from nlp.district import SHIPPED, load_district


def test_the_shipped_pack_has_all_groups_places_and_risks() -> None:
    district = load_district()
    assert (len(district.topics), len(district.places), set(district.risks)) == (26, 46, set(Risk))
    assert all(group.topics[-1].name.endswith("прочее") for group in district.topics)
    assert all(group.sector in district.sectors for group in district.topics)
    weights = district.score
    most = sum(weights["own"].values()) + weights["own"]["risk"] / 2 + max(weights["topic"].values())
    assert most + sum(v for k, v in weights["company"].items() if k != "from") <= 100


@pytest.mark.parametrize(
    ("file", "was", "becomes", "said"),
    [
        ("district.yaml", "timezone: Europe/Moscow", "timezone: Europe/Gus", "нет часового пояса"),
        ("district.yaml", "name: Гусь-Хрустальный район", "name: ''", "нужен текст в поле name"),
        ("topics.yaml", "sector: settlements", "sector: nobody", "«nobody» не из списка"),
        ("topics.yaml", "\n  severity: 1", "\n  severity: 9", "нужно целое от 1 до 3"),
        ("risks.yaml", "below: 0.93", "below: 93", "нужно число от 0 до 1"),
        ("deadlines.yaml", '"08:00-12:00"', '"12:00-08:00"', "кончается раньше"),
        ("gazetteer.tsv", "\tdistrict\t", "\tsomewhere\t", "«somewhere» не из списка"),
        ("places.yaml", "  Вековка: {adj", "  Нигдеево: {adj", "«Нигдеево» нет"),
        ("rules.yaml", "\n  mode: active", "\n  mode: loud", "«loud» не из списка"),
        ("rules.yaml", "rules:", "rules: [", "строка"),
    ],
)
def test_a_broken_pack_names_the_file_and_the_place(
    tmp_path: Path, file: str, was: str, becomes: str, said: str
) -> None:
    folder = tmp_path / "pack"
    shutil.copytree(SHIPPED, folder)
    path = folder / file
    assert was in path.read_text(encoding="utf-8")
    path.write_text(path.read_text(encoding="utf-8").replace(was, becomes, 1), encoding="utf-8")
    with pytest.raises(Misconfigured, match=said) as refused:
        load_district(folder)
    assert file in str(refused.value)


def test_a_missing_pack_tells_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="DISTRICT"):
        load_district(tmp_path / "nowhere")
