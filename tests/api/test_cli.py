"""The command line as a person or a script uses it: exit codes, one clear line on stderr, nothing twice."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from api.cli import NOISY, main
from api.practice.twin import Twin
from nlp.models import heads_version

SOURCES = """
- {network: vk, address: club1, title: "Подслушано Курлово", home: "Курлово"}
- {network: news, address: "https://gazeta.example/rss.xml", title: "Газета"}
"""
POSTS = [
    {"id": "1", "platform": "vk", "kind": "post", "parent": None, "source": "Курлово", "author": 7,
     "published_at": "2026-11-20T10:00:00+03:00", "text": "В Курлово второй день нет тепла"},
    {"id": "2", "platform": "vk", "kind": "comment", "parent": "1", "source": "Курлово", "author": 8,
     "published_at": "2026-11-20T10:05:00+03:00", "text": "и у нас батареи холодные"},
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    code: int
    out: str
    err: str


Mcu = Callable[..., Ended]


@pytest.fixture
def mcu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Mcu:
    """`mcu("sources", "list")` on a data folder of its own."""
    monkeypatch.setenv("MCU_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)

    levels = {name: logging.getLogger(name).level for name in ("", *NOISY)}

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["mcu", *arguments])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            logging.getLogger().handlers.clear()
            for name, level in levels.items():  # the command sets up the logs of its own process
                logging.getLogger(name).setLevel(level)
        said = capsys.readouterr()
        return Ended(code=code, out=said.out, err=said.err)

    return run


def lines(path: Path, rows: list[dict[str, object]], *, broken: str = "") -> str:
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text(f"{text}\n{broken}", encoding="utf-8")
    return str(path)


def test_an_unknown_setting_ends_in_two_with_its_name(mcu: Mcu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCU_INDECKS", "sqlite")
    ended = mcu("sources", "list")
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert "MCU_INDECKS" in ended.err


def test_wrong_usage_ends_in_two(mcu: Mcu) -> None:
    assert mcu("sources").code == 2
    assert mcu("analyse", "--once", "--shard", "4/4").code == 2


def test_an_index_that_is_down_ends_in_one(mcu: Mcu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCU_INDEX", "http://127.0.0.1:9")
    ended = mcu("search", "тепло")
    assert ended.code == 1
    assert ended.err.startswith("Ошибка: ")


def test_sources_come_in_once_and_are_listed(mcu: Mcu, tmp_path: Path) -> None:
    (tmp_path / "sources.yaml").write_text(SOURCES, encoding="utf-8")
    assert "добавлено 2" in mcu("sources", "import", "sources.yaml").out
    assert "добавлено 0" in mcu("sources", "import", "sources.yaml").out
    listed = json.loads(mcu("sources", "list", "--json").out)
    assert [row["id"] for row in listed] == ["news:https://gazeta.example/rss.xml", "vk:club1"]


def test_an_unknown_network_is_named_with_its_line(mcu: Mcu, tmp_path: Path) -> None:
    (tmp_path / "sources.yaml").write_text("- {network: myspace, address: a, title: b}\n", encoding="utf-8")
    ended = mcu("sources", "import", "sources.yaml")
    assert ended.code == 2
    assert "myspace" in ended.err


def test_sources_check_names_the_dead_one(mcu: Mcu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Twin() as twin:
        twin.community("vk", "club1", title="Подслушано Курлово")
        for name, value in twin.settings().items():
            monkeypatch.setenv(f"MCU_{name.upper()}", str(value))
        (tmp_path / "sources.yaml").write_text(
            "- {network: vk, address: club1, title: a}\n- {network: vk, address: club404, title: b}\n",
            "utf-8",
        )
        mcu("sources", "import", "sources.yaml")
        ended = mcu("sources", "check")
    assert ended.code == 1
    assert "vk:club1\tв порядке" in ended.out
    assert "vk:club404\tв порядке" not in ended.out


def test_posts_come_in_once_and_bad_lines_are_refused_by_number(mcu: Mcu, tmp_path: Path) -> None:
    file = lines(tmp_path / "posts.jsonl", POSTS, broken='{"id": "3", "platf')
    first, second = mcu("import", "posts", file), mcu("import", "posts", file)
    assert (first.code, second.code) == (0, 0)
    assert "Добавлено 2, уже было 0, отклонено 1" in first.out
    assert "строка 3" in first.err
    assert "Добавлено 0, уже было 2" in second.out


def test_a_file_of_nothing_but_rubbish_ends_in_one(mcu: Mcu, tmp_path: Path) -> None:
    assert mcu("import", "posts", lines(tmp_path / "bad.jsonl", [], broken="не JSON")).code == 1


@pytest.mark.model
def test_posts_are_analysed_watched_searched_and_exported(mcu: Mcu, tmp_path: Path) -> None:
    mcu("import", "posts", lines(tmp_path / "posts.jsonl", POSTS))
    assert mcu("analyse", "--once").code == 0
    assert mcu("watch", "--once").code == 0
    assert "нет тепла" in mcu("search", "тепло").out
    found = json.loads(mcu("search", "тепло", "--json").out)
    assert found[0]["analysis"]["places"] == ["Курлово"]
    assert mcu("export", "posts", "-o", "out.jsonl").code == 0
    rows = [json.loads(row) for row in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {row["text"] for row in rows} == {post["text"] for post in POSTS}


@pytest.mark.model
def test_predict_keeps_the_order_and_touches_no_database(mcu: Mcu, tmp_path: Path) -> None:
    file = lines(tmp_path / "posts.jsonl", POSTS, broken="не JSON")
    ended = mcu("predict", file)
    rows = [json.loads(row) for row in ended.out.splitlines()]
    assert [row["id"] for row in rows] == ["1", "2"]
    assert rows[0]["relevant"]
    assert "outage" in rows[0]["risks"]
    fields = (
        "id relevant relevance places address intent topic_group topic sentiment toxicity risks risk_scores "
        "severity needs_answer duplicate_of story risk_score risk_parts entities model"
    )
    assert list(rows[0]) == fields.split()
    assert "3" in ended.err
    assert not (tmp_path / "data").exists()


def test_people_and_keys(mcu: Mcu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCU_NEW_PASSWORD", "долгий пароль 7")
    assert mcu("user", "add", "ivanova", "--role", "incident_officer", "--name", "Иванова").code == 0
    assert mcu("user", "add", "petrov", "--role", "king").code == 2
    assert "ivanova\tИванова" in mcu("user", "list").out
    secret = mcu("key", "add", "регион").out.strip()
    assert len(secret) >= 32
    listed = mcu("key", "list").out
    assert "регион" in listed
    assert secret not in listed
    assert mcu("key", "revoke", listed.split("\t")[0]).code == 0
    assert "отозван" in mcu("key", "list").out


def test_there_is_no_way_back_before_the_first_teaching(mcu: Mcu) -> None:
    ended = mcu("train", "heads", "--back")
    assert ended.code == 1
    assert "возвращаться не к чему" in ended.err


@pytest.mark.model
def test_the_way_back_names_the_models_that_work_again(mcu: Mcu, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "models"
    folder.mkdir(parents=True)
    (folder / "current").write_text("heads-lost\n", encoding="utf-8")  # even when the taught ones are gone
    (folder / "previous").write_text("\n", encoding="utf-8")
    ended = mcu("train", "heads", "--back")
    assert (ended.code, ended.out) == (0, f"Снова работают модели {heads_version(None)}.\n")
    assert not (folder / "current").exists()


def test_check_tells_the_truth(mcu: Mcu) -> None:
    ended = mcu("check")
    assert ended.code == 1  # nobody works here yet, nothing is watched
    assert "✓ стол (desk)" in ended.out
    assert "✗ сотрудники: никого нет. Заведите: mcu user add" in ended.out
    assert "– ключ бота MAX: не заданы" in ended.out


def test_a_backup_comes_back(mcu: Mcu, tmp_path: Path) -> None:
    mcu("import", "posts", lines(tmp_path / "posts.jsonl", POSTS))
    assert mcu("backup", "copy").code == 0
    (tmp_path / "data").rename(tmp_path / "lost")
    assert mcu("restore", "copy").code == 0
    assert "уже было 2" in mcu("import", "posts", str(tmp_path / "posts.jsonl")).out


def test_parse_reads_a_saved_answer(mcu: Mcu, tmp_path: Path) -> None:
    answer = {"response": {"count": 1, "items": [
        {"id": 5, "owner_id": -1, "from_id": -1, "date": 1760000000, "text": "Нет воды", "post_type": "post"}
    ]}}  # fmt: skip
    (tmp_path / "wall.json").write_text(json.dumps(answer), encoding="utf-8")
    (tmp_path / "rubbish.json").write_text("<html>", encoding="utf-8")
    ended = mcu("parse", "vk", "wall.json")
    assert json.loads(ended.out)["text"] == "Нет воды"
    assert mcu("parse", "vk", "rubbish.json").code == 1
    assert mcu("parse", "myspace", "wall.json").code == 2


def test_openapi_is_printed_without_a_database(mcu: Mcu, tmp_path: Path) -> None:
    document = json.loads(mcu("openapi").out)
    assert "/api/v1/risks/summary" in document["paths"]
    assert not (tmp_path / "data").exists()


def test_a_bots_token_never_reaches_the_log(
    mcu: Mcu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Twin() as twin:
        token = str(twin.settings()["telegram_bot_token"])
        for name, value in twin.settings().items():
            monkeypatch.setenv(f"MCU_{name.upper()}", str(value))
        ended = mcu("crawl", "--once")
    assert token not in ended.err + ended.out
