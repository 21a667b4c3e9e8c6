"""Settings: environment `MCU_<NAME>` over mcu.toml over defaults; a wrong value stops the start."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from index.errors import Misconfigured

PREFIX = "MCU_"
NOT_SETTINGS = ("MCU_CONFIG", "MCU_NEW_PASSWORD", "MCU_TEST_")  # names under the prefix that are not settings


class Settings(BaseSettings):
    """One field a setting, lower case; the table in docs/settings.md is checked against it."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True)

    data: Path = Field(Path("data"), description="папка встроенных баз, загрузок и журналов")
    index: str = Field("sqlite", description="sqlite или адреса Elasticsearch через запятую")
    desk: str = Field("sqlite", description="sqlite или адрес SQLAlchemy: postgresql+psycopg://…")
    district: Path | None = Field(None, description="папка пакета района; пусто — встроенный пакет")
    encoder: str | None = Field(None, description="папка или имя модели; пусто — встроенная модель")

    vk_api_url: str = Field("https://api.vk.ru", description="адрес API ВКонтакте")
    ok_api_url: str = Field("https://api.ok.ru", description="адрес API Одноклассников")
    telegram_web_url: str = Field("https://t.me", description="адрес открытых страниц Telegram")
    telegram_api_url: str = Field("https://api.telegram.org", description="адрес Bot API Telegram")
    max_api_url: str = Field("https://platform-api2.max.ru", description="адрес Bot API MAX")
    max_ca_file: Path | None = Field(None, description="корневой сертификат Минцифры для MAX (PEM)")

    vk_tokens: tuple[SecretStr, ...] = Field((), description="ключи ВКонтакте через запятую")
    ok_application_key: SecretStr | None = Field(None, description="открытый ключ приложения Одноклассников")
    ok_access_token: SecretStr | None = Field(None, description="ключ доступа Одноклассников")
    ok_session_secret: SecretStr | None = Field(None, description="session_secret_key Одноклассников")
    telegram_bot_token: SecretStr | None = Field(None, description="ключ бота Telegram")
    telegram_api_id: SecretStr | None = Field(
        None, description="api_id с my.telegram.org: каналы читает учётная запись, а не t.me/s"
    )
    telegram_api_hash: SecretStr | None = Field(None, description="api_hash с my.telegram.org")
    telegram_session: Path | None = Field(None, description="файл сеанса Telethon (имя.session)")
    max_token: SecretStr | None = Field(None, description="ключ бота MAX")
    page_tokens: Mapping[str, SecretStr] = Field(
        default_factory=dict, description="ключи отдельных страниц: сеть:адрес=ключ через запятую"
    )

    vk_callbacks: Mapping[str, SecretStr] = Field(
        default_factory=dict,
        description="сообщества, события которых приносит Callback API: club123=строка|тайна через запятую",
    )
    max_webhook_secret: SecretStr | None = Field(
        None, description="тайна webhook MAX; задана — длинный опрос бота выключен"
    )

    llm_url: str | None = Field(
        None, description="адрес языковой модели с API OpenAI: http://host/v1; пусто — без неё"
    )
    llm_model: str = Field("", validate_default=True, description="имя языковой модели")
    llm_token: SecretStr | None = Field(None, description="ключ языковой модели")
    llm_seconds: float = Field(30, gt=0, le=300, description="сколько секунд ждать языковую модель")

    author_secret: SecretStr | None = Field(
        None, description="тайна псевдонимов авторов; пусто — создаётся в папке data"
    )
    console_secret: SecretStr | None = Field(
        None, description="тайна подписи сеансов; пусто — создаётся в папке data"
    )
    contact: str = Field("", description="адрес почты для User-Agent обходчика")
    limits: str = Field(
        "", description="поверх таблицы пределов сетей: vk=3/s, vk:wall.get=5000/day, news=every 60s"
    )
    proxy: str | None = Field(None, description="посредник для Telegram: http://host:port")
    retention_days: int = Field(365, ge=30, description="сколько дней хранить посты")
    two_person_approval: bool = Field(True, description="автор не согласует собственный текст")

    @field_validator("vk_tokens", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return (
            tuple(part.strip() for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    @field_validator("page_tokens", "vk_callbacks", mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        pairs = [part.strip().partition("=") for part in value.split(",") if part.strip()]
        if any(not (name and token) for name, _, token in pairs):
            raise ValueError("нужно адрес=значение через запятую")
        return {name: token for name, _, token in pairs}

    @field_validator("llm_model")
    @classmethod
    def _named(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("llm_url") and not value.strip():
            raise ValueError("при заданном LLM_URL нужно имя модели")
        return value.strip()

    @field_validator("llm_url")
    @classmethod
    def _model_url(cls, value: str | None) -> str | None:
        return value if value is None else cls._base_url(value)

    @field_validator("vk_api_url", "ok_api_url", "telegram_web_url", "telegram_api_url", "max_api_url")
    @classmethod
    def _base_url(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("нужен адрес вида https://host")
        return value.rstrip("/")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)  # `read_settings` merges file and environment, so that it can name each fault


def read_settings(environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Settings from mcu.toml (or the file in MCU_CONFIG), then the environment, then `overrides`.

    Raises Misconfigured that names the setting, where it came from, and the remedy; never its value.
    """
    environ = os.environ if environ is None else environ
    values = {**_from_file(environ), **_from_environment(environ)}
    origin = {name: where for name, (where, _) in values.items()}
    try:
        return Settings(**{name: value for name, (_, value) in values.items()} | overrides)
    except ValidationError as error:
        raise Misconfigured(*_first_fault(error, origin)) from None  # the cause would print secret values


def _from_file(environ: Mapping[str, str]) -> dict[str, tuple[str, Any]]:
    named = environ.get("MCU_CONFIG")
    path = Path(named or "mcu.toml")
    if not path.is_file():
        if named:
            raise Misconfigured(f"Файл настроек {path} не найден.", remedy="Исправьте MCU_CONFIG.")
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Misconfigured(
            f"Файл настроек {path} не читается: {error}.", remedy="Нужен TOML в UTF-8."
        ) from None
    return {name.lower(): (str(path), value) for name, value in content.items()}


def _from_environment(environ: Mapping[str, str]) -> dict[str, tuple[str, Any]]:
    found: dict[str, tuple[str, Any]] = {}
    for key, value in environ.items():
        if not key.startswith(PREFIX) or key.startswith(NOT_SETTINGS):
            continue
        name = key.removeprefix(PREFIX).lower()
        if name.endswith("_file") and name not in Settings.model_fields:  # a secret in a file
            name, value = name.removesuffix("_file"), _read_secret(key, value)
        if value != "":
            found[name] = (key, value)
    return found


def _read_secret(key: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            f"{key}: файл не читается ({error.__class__.__name__}).", remedy="Проверьте путь и права."
        ) from None


def _first_fault(error: ValidationError, origin: Mapping[str, str]) -> tuple[str]:
    fault = error.errors(include_input=False, include_context=False)[0]
    name = str(fault["loc"][0])
    where = origin.get(name, name)
    if fault["type"] == "extra_forbidden":
        return (f"Неизвестная настройка {name.upper()} ({where}). Список настроек: docs/settings.md.",)
    return (f"Настройка {name.upper()} ({where}) неверна: {fault['msg']}. Исправьте её и запустите снова.",)
