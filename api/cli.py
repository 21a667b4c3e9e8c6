"""The command `mcu`: the composition root, the only place that knows all packages.

Exit codes: 0 done, 1 the work failed, 2 wrong usage or configuration. Errors are one line on stderr.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from index.errors import Misconfigured, Refused, ServiceError
from index.settings import Settings, read_settings

app = typer.Typer(
    name="mcu",
    help="МЦУ монитор: слышать жителей района в открытых сетях и отвечать им.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
sources_app = typer.Typer(help="Реестр источников.", no_args_is_help=True)
import_app = typer.Typer(help="Загрузка файлов.", no_args_is_help=True)
export_app = typer.Typer(help="Выгрузка.", no_args_is_help=True)
user_app = typer.Typer(help="Сотрудники.", no_args_is_help=True)
key_app = typer.Typer(help="Ключи программ.", no_args_is_help=True)
train_app = typer.Typer(help="Обучение на месте.", no_args_is_help=True)
for name, group in (
    ("sources", sources_app), ("import", import_app), ("export", export_app),
    ("user", user_app), ("key", key_app), ("train", train_app),
):  # fmt: skip
    app.add_typer(group, name=name)

#: Loggers of libraries that tell more than a person wants, some of them whole addresses with a bot's token.
NOISY = (
    "alembic", "apscheduler", "asyncio", "elastic_transport", "httpcore", "httpcore2", "httpx", "httpx2",
    "pymorphy2", "scrapy", "uvicorn",
)  # fmt: skip
ACTOR = "cli"  # who acts in the audit when a command changes something
Once = Annotated[bool, typer.Option("--once", help="сделать всё, что пора, и выйти")]
AsJson = Annotated[bool, typer.Option("--json", help="вывести JSON")]


def main() -> None:
    """Entry point of the command `mcu`."""
    debug = "--debug" in sys.argv
    sys.argv = [argument for argument in sys.argv if argument != "--debug"]
    _set_up_logs(debug)
    try:
        app()
    except (Misconfigured, Refused) as error:
        _fail(error, 2, debug)
    except ServiceError as error:
        _fail(error, 1, debug)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader of our pipe went away: `mcu search … | head`
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        if debug:
            raise
        print(f"Ошибка программы: {type(error).__name__}: {error}. Подробности: --debug", file=sys.stderr)  # noqa: T201
        sys.exit(1)


def _fail(error: ServiceError, code: int, debug: bool) -> None:
    if debug:
        raise error
    print(f"Ошибка: {error}", file=sys.stderr)  # noqa: T201  (the one line of the contract)
    sys.exit(code)


def _set_up_logs(debug: bool) -> None:
    warnings.filterwarnings("ignore", message="pkg_resources is deprecated")  # natasha's pymorphy2 imports it
    logging.basicConfig(
        level=logging.DEBUG if debug else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)


def _now() -> datetime:
    return datetime.now(UTC)


def _say(text: str) -> None:
    typer.echo(text)


@contextmanager
def _service(settings: Settings | None = None, **more: Any) -> Iterator[Any]:
    from api.compose import open_service

    with open_service(settings or read_settings(), **more) as service:
        yield service


def _until_signal() -> threading.Event:
    """Set by SIGTERM or SIGINT; a second SIGINT ends the process at once."""
    stop = threading.Event()

    def ask(number: int, frame: object) -> None:
        if stop.is_set():
            sys.exit(130)
        stop.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    return stop


# -- everything, and the stages alone ------------------------------------------------------------------------


@app.command()
def up(
    practice: Annotated[
        bool, typer.Option("--practice", help="учебный стенд вместо настоящих сетей")
    ] = False,
    host: Annotated[str, typer.Option(help="адрес, на котором слушать")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="порт консоли")] = 8000,
) -> None:
    """Всё в одном процессе: консоль, API и все этапы."""
    from api.stand import run_up

    run_up(read_settings(), practice=practice, host=host, port=port)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="адрес, на котором слушать")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="порт консоли")] = 8000,
) -> None:
    """Только консоль и API; этапы работают отдельно."""
    from api.stand import serve_web

    with _service() as service:
        serve_web(service, host=host, port=port)


@app.command()
def crawl(
    once: Once = False,
    source: Annotated[
        list[str] | None, typer.Option("--source", help="только этот источник; можно несколько")
    ] = None,
    replay: Annotated[bool, typer.Option("--replay", help="ещё раз прочитать отложенные ответы")] = False,
) -> None:
    """Только сбор постов."""
    from api.stages import crawl_stage

    with _service() as service:
        _run_stage(service, crawl_stage(service, only=source, replay=replay), once=once or replay)


@app.command()
def analyse(
    once: Once = False,
    shard: Annotated[str, typer.Option(help="доля постов: I/N, например 0/4")] = "0/1",
) -> None:
    """Только разбор постов."""
    from api.stages import analyse_stage, shard_range

    with _service() as service:
        _run_stage(service, analyse_stage(service, shard=shard_range(shard)), once=once)


@app.command()
def watch(once: Once = False) -> None:
    """Только сюжеты, оценка риска и сигналы."""
    from api.stages import watch_stage

    with _service() as service:
        _run_stage(service, watch_stage(service), once=once)


@app.command()
def publish(once: Once = False) -> None:
    """Только отправка публикаций и ответов."""
    from api.stages import publish_stage

    with _service() as service:
        _run_stage(service, publish_stage(service), once=once)


def _run_stage(service: Any, stage: Any, *, once: bool) -> None:
    from api.run import run_alone

    run_alone(service, stage, once=once, stop=_until_signal())


@app.command()
def practice(port: Annotated[int, typer.Option(help="порт")] = 8100) -> None:
    """Только учебные сети, без сервиса."""
    from api.practice.twin import serve as serve_practice

    serve_practice(port)


# -- sources and files ---------------------------------------------------------------------------------------


@sources_app.command("import")
def sources_import(file: Annotated[Path, typer.Argument(help="sources.yaml")]) -> None:
    """Добавить и обновить источники из файла."""
    from crawlers.sources import read_sources

    sources = read_sources(file)
    with _service() as service:
        new, changed, known = service.desk.sources.add(sources, actor=ACTOR, at=_now())
    _say(f"Источники: добавлено {new}, изменено {changed}, без изменений {known}.")


@sources_app.command("list")
def sources_list(as_json: AsJson = False) -> None:
    """Показать реестр."""
    from api.routes.shapes import SourceOut
    from api.words import SOURCE_STATE_WORDS

    with _service() as service:
        healths = service.desk.sources.healths()
        shapes = [SourceOut.of(s, healths.get(s.id)) for s in service.desk.sources.list()]
    if as_json:
        _say(json.dumps([shape.model_dump(mode="json") for shape in shapes], ensure_ascii=False, indent=2))
        return
    for shape in shapes:
        state = SOURCE_STATE_WORDS[shape.health.state] if shape.health else "новый"
        _say(f"{shape.id}\t{shape.title}\t{state}{'' if shape.is_enabled else ' (выключен)'}")


@sources_app.command("check")
def sources_check(as_json: AsJson = False) -> None:
    """Позвать каждый источник один раз и назвать неисправные."""
    from api.stages import new_crawler
    from crawlers.sources import check_sources

    with _service() as service:
        faults = check_sources(new_crawler(service), now=_now())
    if as_json:
        _say(
            json.dumps(
                [{"source": f.source_id, "state": f.state, "reason": f.reason} for f in faults],
                ensure_ascii=False,
            )
        )
    for fault in faults if not as_json else ():
        _say(f"{fault.source_id}\t{'в порядке' if fault.is_fine else fault.reason}")
    if any(not fault.is_fine for fault in faults):
        raise typer.Exit(1)


@import_app.command("posts")
def import_posts(file: Annotated[Path, typer.Argument(help="посты, по одному JSON в строке")]) -> None:
    """Загрузить посты."""
    from api.compose import author_secret
    from crawlers.pages.text import mask
    from index.posts.jsonlines import import_lines

    with _service() as service:
        secret = author_secret(service.settings)
        report = import_lines(file, service.posts, secret=secret, at=_now(), mask=mask)
    _finish_import(report)


@import_app.command("pos")
def import_pos(file: Annotated[Path, typer.Argument(help="выгрузка ПОС, xlsx или csv")]) -> None:
    """Загрузить выгрузку ПОС."""
    from crawlers.imports.pos import import_pos as load

    with _service() as service:
        report = load(file, service.desk, actor=ACTOR, at=_now())
    _finish_import(report)


@import_app.command("incidents")
def import_incidents(file: Annotated[Path, typer.Argument(help="выгрузка «Инцидент», xlsx или csv")]) -> None:
    """Загрузить выгрузку «Инцидент»."""
    from crawlers.imports.incident import import_incidents as load

    with _service() as service:
        report = load(file, service.desk, actor=ACTOR, at=_now())
    _finish_import(report)


def _finish_import(report: Any) -> None:
    """Says what was added, skipped and refused by line; exit 1 when nothing could be read."""
    for fault in report.refused:
        typer.echo(f"строка {fault.line}: {fault.reason}", err=True)
    _say(f"Добавлено {report.added}, уже было {report.skipped}, отклонено {len(report.refused)}.")
    if report.refused and not report.added and not report.skipped:
        raise typer.Exit(1)


@app.command()
def parse(
    network: Annotated[str, typer.Argument(help="vk ok telegram max news")],
    file: Annotated[Path, typer.Argument(help="сохранённый ответ сети")],
) -> None:
    """Разобрать сохранённый ответ сети и показать посты."""
    from crawlers.parse import parse as parse_answer

    posts, faults = parse_answer(network, file)
    for post in posts:
        _say(json.dumps(post, ensure_ascii=False))
    for fault in faults:
        typer.echo(fault, err=True)
    if faults and not posts:
        raise typer.Exit(1)


@export_app.command("posts")
def export_posts(
    since: Annotated[datetime | None, typer.Option(help="с какого времени")] = None,
    until: Annotated[datetime | None, typer.Option(help="до какого времени")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="файл; иначе на экран")] = None,
) -> None:
    """Выгрузить посты с разбором."""
    from index.transfer import export_posts as export

    with _service() as service:
        moments = [_local(moment, service.zone) for moment in (since, until)]
        if output is None:
            count = export(service.posts, sys.stdout, since=moments[0], until=moments[1])
        else:
            with output.open("w", encoding="utf-8") as file:
                count = export(service.posts, file, since=moments[0], until=moments[1])
    typer.echo(f"Выгружено постов: {count}.", err=True)


def _local(moment: datetime | None, zone: Any) -> datetime | None:
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


# -- models --------------------------------------------------------------------------------------------------


@app.command()
def predict(
    file: Annotated[Path, typer.Argument(help="посты, по одному JSON в строке")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="файл; иначе на экран")] = None,
) -> None:
    """Разобрать файл, не трогая базу."""
    from nlp.predict import predict_file

    settings = read_settings()
    if output is None:
        faults = predict_file(file, sys.stdout, encoder=settings.encoder, district=settings.district)
    else:
        with output.open("w", encoding="utf-8") as out:
            faults = predict_file(file, out, encoder=settings.encoder, district=settings.district)
    for fault in faults:
        typer.echo(fault, err=True)


@app.command()
def evaluate(
    file: Annotated[Path, typer.Argument(help="размеченные посты")], as_json: AsJson = False
) -> None:
    """Разобрать размеченный файл и сравнить с разметкой."""
    from nlp.evaluate import evaluate_file

    settings = read_settings()
    report = evaluate_file(file, encoder=settings.encoder, district=settings.district)
    _say(json.dumps(report.as_json(), ensure_ascii=False, indent=2) if as_json else report.as_text())


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="слова в любой форме")],
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    as_json: AsJson = False,
) -> None:
    """Найти посты, как это делает консоль."""
    from api.routes.shapes import PostOut
    from index.posts.query import Order, Query

    with _service() as service:
        found = service.posts.find(Query(lemmas=service.lemmas(query), order=Order.BEST), limit=limit)
        zone = service.zone
    if as_json:
        _say(
            json.dumps(
                [PostOut.of(r).model_dump(mode="json") for r in found.records], ensure_ascii=False, indent=2
            )
        )
        return
    for record in found.records:
        post = record.post
        text = " ".join(post.text.split())[:160]
        _say(f"{post.published_at.astimezone(zone):%d.%m %H:%M}\t{post.source}\t{text}\t{post.id}")


# -- people, keys, upkeep ------------------------------------------------------------------------------------


@user_app.command("add")
def user_add(
    login: Annotated[str, typer.Argument(help="имя для входа")],
    role: Annotated[list[str], typer.Option("--role", help="роль; можно несколько")],
    name: Annotated[str, typer.Option(help="имя и должность")] = "",
    sector: Annotated[str | None, typer.Option(help="отрасль руководителя")] = None,
    password: Annotated[
        str,
        typer.Option(
            prompt="Пароль", hide_input=True, confirmation_prompt="Ещё раз", envvar="MCU_NEW_PASSWORD"
        ),
    ] = "",
) -> None:
    """Завести сотрудника. Пароль спрашивается; в сценариях его берут из MCU_NEW_PASSWORD."""
    from index.domain.person import Person

    roles = frozenset(_role(value) for value in role)
    with _service() as service:
        person = Person(login=login, name=name or login, roles=roles, sector=sector)
        service.desk.people.add(person, password, actor=ACTOR, at=_now())
    _say(f"Сотрудник {login} заведён.")


def _role(value: str) -> Any:
    from index.domain.person import Role

    try:
        return Role(value)
    except ValueError:
        raise Refused(f"Нет роли «{value}». Есть: {', '.join(Role)}.", field="role") from None


@user_app.command("list")
def user_list(as_json: AsJson = False) -> None:
    """Показать сотрудников."""
    with _service() as service:
        people = service.desk.people.list()
    if as_json:
        rows = [
            {"login": p.login, "name": p.name, "roles": sorted(p.roles), "enabled": p.is_enabled}
            for p in people
        ]
        _say(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for person in people:
        state = [] if person.is_enabled else ["отключён"]
        _say("\t".join([person.login, person.name, ", ".join(sorted(person.roles)), *state]))


@user_app.command("disable")
def user_disable(login: Annotated[str, typer.Argument()]) -> None:
    """Отключить сотрудника; его сеансы кончаются сразу."""
    with _service() as service:
        service.desk.people.disable(login, actor=ACTOR, at=_now())
    _say(f"Сотрудник {login} отключён.")


@key_app.command("add")
def key_add(
    name: Annotated[str, typer.Argument(help="кто будет пользоваться")],
    role: Annotated[str, typer.Option(help="роль")] = "reader",
) -> None:
    """Выдать ключ; он показывается один раз."""
    with _service() as service:
        key, secret = service.desk.keys.add(name, role=_role(role), actor=ACTOR, at=_now())
    _say(secret)
    typer.echo(f"Ключ {key.id} для «{name}» выдан. Больше он показан не будет.", err=True)


@key_app.command("list")
def key_list(as_json: AsJson = False) -> None:
    """Показать ключи без их тайной части."""
    with _service() as service:
        keys = service.desk.keys.list()
    if as_json:
        rows = [{"id": k.id, "name": k.name, "role": k.role, "revoked": k.is_revoked} for k in keys]
        _say(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for key in keys:
        _say("\t".join([key.id, key.name, key.role, *(["отозван"] if key.is_revoked else [])]))


@key_app.command("revoke")
def key_revoke(key_id: Annotated[str, typer.Argument()]) -> None:
    """Отозвать ключ."""
    with _service() as service:
        service.desk.keys.revoke(key_id, actor=ACTOR, at=_now())
    _say(f"Ключ {key_id} отозван.")


@app.command()
def check() -> None:
    """Что работает, что нет и что с этим делать."""
    from api.check import check_everything

    findings = check_everything(read_settings())
    for finding in findings:
        mark = {True: "✓", False: "✗", None: "–"}[finding.is_fine]
        _say(f"{mark} {finding.part}: {finding.words}")
    if any(finding.is_fine is False for finding in findings):
        raise typer.Exit(1)


@app.command()
def backup(folder: Annotated[Path, typer.Argument(help="куда сохранить")]) -> None:
    """Сохранить встроенные базы и файлы."""
    from index.transfer import backup as save

    manifest = save(read_settings(), folder, at=_now())
    _say(f"Сохранено файлов: {len(manifest.files)} в {folder}.")


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="откуда восстановить")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="заменить то, что есть")] = False,
) -> None:
    """Восстановить встроенные базы и файлы из сохранённых."""
    from index.transfer import restore as load

    manifest = load(read_settings(), folder, overwrite=overwrite)
    _say(f"Восстановлено файлов: {len(manifest.files)}.")


@app.command()
def move(
    to_index: Annotated[str | None, typer.Option("--to-index", help="адрес Elasticsearch или sqlite")] = None,
    to_desk: Annotated[str | None, typer.Option("--to-desk", help="адрес SQLAlchemy или sqlite")] = None,
) -> None:
    """Перенести данные в другие базы; повтор продолжает с места остановки."""
    from index.transfer import move as carry

    if to_index is None and to_desk is None:
        raise Refused("Укажите --to-index, --to-desk или оба.")
    report = carry(read_settings(), to_index=to_index, to_desk=to_desk)
    _say(
        f"Перенесено: постов {report.posts}, строк {report.rows}. "
        "Укажите новые адреса в MCU_INDEX и MCU_DESK."
    )


@app.command()
def openapi() -> None:
    """Напечатать документ OpenAPI."""
    import tempfile

    from api.app import create_app

    with tempfile.TemporaryDirectory() as folder, _service(Settings(data=Path(folder))) as service:
        _say(json.dumps(create_app(service).openapi(), ensure_ascii=False, indent=2))


@train_app.command("heads")
def train_heads(
    back: Annotated[bool, typer.Option("--back", help="вернуть модели, которые были до дообучения")] = False,
) -> None:
    """Дообучить головы на правках сотрудников; новые вступают, только если они лучше."""
    from nlp.training.heads import step_back, train_on_corrections

    with _service() as service:
        settings = service.settings
        if back:
            version = step_back(service.desk, data=settings.data, now=_now(), actor=ACTOR)
            _say(f"Снова работают модели {version}.")
            return
        report = train_on_corrections(service.desk, service.posts, settings=settings, now=_now(), actor=ACTOR)
    _say(report.as_text())


if __name__ == "__main__":
    main()
