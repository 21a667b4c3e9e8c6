from __future__ import annotations

from pathlib import Path

import pytest

from index.errors import Misconfigured
from index.settings import Settings, read_settings


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    config = tmp_path / "mcu.toml"
    config.write_text('data = "from-file"\nindex = "http://a:9200"\n', encoding="utf-8")
    settings = read_settings({"MCU_CONFIG": str(config), "MCU_DATA": "from-environment"})
    assert settings.data == Path("from-environment")
    assert settings.index == "http://a:9200"


def test_several_tokens_come_by_comma() -> None:
    settings = read_settings({"MCU_VK_TOKENS": "one, two"})
    assert [token.get_secret_value() for token in settings.vk_tokens] == ["one", "two"]


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hush\n", encoding="utf-8")
    settings = read_settings({"MCU_MAX_TOKEN_FILE": str(tmp_path / "token")})
    assert settings.max_token is not None
    assert settings.max_token.get_secret_value() == "hush"


def test_a_setting_whose_own_name_ends_in_file_is_a_path() -> None:
    assert read_settings({"MCU_MAX_CA_FILE": "/etc/ca.pem"}).max_ca_file == Path("/etc/ca.pem")


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"MCU_INDECKS": "sqlite"}, "MCU_INDECKS"),
        ({"MCU_RETENTION_DAYS": "soon"}, "MCU_RETENTION_DAYS"),
        ({"MCU_VK_API_URL": "api.vk.ru"}, "MCU_VK_API_URL"),
        ({"MCU_PAGE_TOKENS": "vk:-1"}, "MCU_PAGE_TOKENS"),
        ({"MCU_CONFIG": "/nowhere/mcu.toml"}, "MCU_CONFIG"),
        ({"MCU_MAX_TOKEN_FILE": "/nowhere/token"}, "MCU_MAX_TOKEN_FILE"),
    ],
)
def test_a_wrong_value_stops_the_start_and_is_named(environ: dict[str, str], named: str) -> None:
    with pytest.raises(Misconfigured, match=named):
        read_settings(environ)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    config = tmp_path / "mcu.toml"
    config.write_text("data = ", encoding="utf-8")
    with pytest.raises(Misconfigured, match=r"mcu\.toml"):
        read_settings({"MCU_CONFIG": str(config)})


def test_a_refused_secret_is_never_shown() -> None:
    with pytest.raises(Misconfigured) as refused:
        read_settings({"MCU_PAGE_TOKENS": "hush-hush"})
    assert "hush" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_secrets_do_not_print() -> None:
    assert "hush" not in repr(read_settings({"MCU_VK_TOKENS": "hush", "MCU_PAGE_TOKENS": "vk:-1=hush"}))


def test_every_setting_is_documented() -> None:
    documented = Path("docs/settings.md").read_text(encoding="utf-8")
    assert [name for name in Settings.model_fields if f"`{name.upper()}`" not in documented] == []
