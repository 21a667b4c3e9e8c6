"""Russian words of the closed sets, in one place: the console, reports and API texts speak alike."""

from __future__ import annotations

from index.domain.alert import STATE_WORDS as ALERT_STATE_WORDS
from index.domain.alert import AlertKind
from index.domain.analysis import Intent, Risk, Sentiment, Severity
from index.domain.incident import REPLY_WORDS as REPLY_STATE_WORDS
from index.domain.incident import STATE_WORDS as INCIDENT_STATE_WORDS
from index.domain.incident import IncidentType, Outcome, Regime
from index.domain.page import PageMode
from index.domain.person import Role
from index.domain.post import Network, PostKind
from index.domain.publication import DELIVERY_WORDS as DELIVERY_STATE_WORDS
from index.domain.publication import PUBLICATION_WORDS as PUBLICATION_STATE_WORDS
from index.domain.source import SourceState
from index.posts.query import PostState

__all__ = [
    "ALERT_KIND_WORDS", "ALERT_STATE_WORDS", "DELIVERY_STATE_WORDS", "INCIDENT_STATE_WORDS", "INCIDENT_TYPE_WORDS",
    "INTENT_WORDS", "KIND_WORDS", "NETWORK_WORDS", "OUTCOME_WORDS", "PAGE_MODE_WORDS", "POST_STATE_WORDS",
    "PUBLICATION_STATE_WORDS", "REGIME_WORDS", "REPLY_STATE_WORDS", "RISK_WORDS", "ROLE_WORDS", "SENTIMENT_WORDS",
    "SEVERITY_WORDS", "SOURCE_STATE_WORDS",
]  # fmt: skip

RISK_WORDS = {
    Risk.EMERGENCY: "Происшествие",
    Risk.OUTAGE: "Отключение",
    Risk.PROTEST: "Призыв к протесту",
    Risk.RUMOUR: "Слух",
    Risk.FRAUD: "Мошенничество",
    Risk.THREAT: "Угроза",
    Risk.CHILDREN: "Опасность для детей",
    Risk.OFFICIALS: "Обвинение должностных лиц",
    Risk.ENVIRONMENT: "Вред природе",
    Risk.CRIME: "Преступление",
}
SEVERITY_WORDS = {
    Severity.NONE: "низкая",
    Severity.WATCH: "средняя",
    Severity.TODAY: "высокая",
    Severity.NOW: "критическая",
}
NETWORK_WORDS = {
    Network.VK: "ВКонтакте",
    Network.OK: "Одноклассники",
    Network.TELEGRAM: "Telegram",
    Network.MAX: "MAX",
    Network.NEWS: "Новости",
}
KIND_WORDS = {PostKind.POST: "публикация", PostKind.COMMENT: "комментарий"}
INTENT_WORDS = {
    Intent.COMPLAINT: "жалоба",
    Intent.QUESTION: "вопрос",
    Intent.SUGGESTION: "предложение",
    Intent.THANKS: "благодарность",
    Intent.CALL: "призыв",
    Intent.NEWS: "новость",
    Intent.AD: "реклама",
    Intent.CHATTER: "разговор",
}
SENTIMENT_WORDS = {
    Sentiment.NEGATIVE: "негативная",
    Sentiment.NEUTRAL: "нейтральная",
    Sentiment.POSITIVE: "позитивная",
}
POST_STATE_WORDS = {
    PostState.COLLECTED: "ждёт разбора",
    PostState.ANALYSED: "разобран",
    PostState.WATCHED: "разобран",
    PostState.QUARANTINED: "не удалось разобрать",
}
ALERT_KIND_WORDS = {
    AlertKind.POST: "сообщение",
    AlertKind.STORY: "сюжет",
    AlertKind.BURST: "всплеск",
    AlertKind.SOURCE: "источник",
}
INCIDENT_TYPE_WORDS = {
    IncidentType.SOLVABLE: "решаемый",
    IncidentType.UNSOLVABLE: "нерешаемый",
    IncidentType.INFORMATIONAL: "информационный",
}
OUTCOME_WORDS = {
    Outcome.SOLVED: "решено",
    Outcome.EXPLAINED: "разъяснено",
    Outcome.FORWARDED: "перенаправлено",
    Outcome.CLOSED: "закрыто",
    Outcome.NOT_SOLVED: "не решено",
    Outcome.POSTPONED: "отложено",
}
REGIME_WORDS = {
    Regime.OPEN_SOURCE: "открытый источник",
    Regime.POS: "ПОС",
    Regime.POS_FAST: "ПОС фаст-трек",
    Regime.LAW_59: "59-ФЗ",
}
PAGE_MODE_WORDS = {PageMode.REHEARSAL: "учебный", PageMode.LIVE: "боевой"}
SOURCE_STATE_WORDS = {
    SourceState.NEW: "новый",
    SourceState.FINE: "в порядке",
    SourceState.SLOW: "отстаёт",
    SourceState.SILENT: "молчит дольше обычного",
    SourceState.FAILING: "не отвечает",
    SourceState.BANNED: "доступ закрыт",
    SourceState.NEEDS_TOKEN: "нужен ключ доступа",
    SourceState.LAYOUT_CHANGED: "изменился формат",
}
ROLE_WORDS = {
    Role.ADMIN: "администратор",
    Role.HEAD: "руководитель МЦУ",
    Role.INCIDENT_OFFICER: "ответственный за инциденты",
    Role.POS_OFFICER: "ответственный за ПОС",
    Role.PUBLICS_OFFICER: "ответственный за госпаблики",
    Role.EDITOR: "редактор",
    Role.SECTOR_LEAD: "руководитель отрасли",
    Role.READER: "читатель",
}
