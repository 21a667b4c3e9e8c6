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
from nlp.rules import RuleMode

__all__ = [
    "ALERT_KIND_WORDS", "ALERT_STATE_WORDS", "ATTACHMENT_WORDS", "AUDIT_WORDS", "DELIVERY_STATE_WORDS",
    "INCIDENT_STATE_WORDS", "INCIDENT_TYPE_WORDS", "INTENT_WORDS", "KIND_WORDS", "NETWORK_WORDS",
    "OUTCOME_WORDS", "PAGE_MODE_WORDS", "POST_STATE_WORDS", "PUBLICATION_STATE_WORDS", "REGIME_WORDS",
    "REPLY_STATE_WORDS", "RISK_WORDS", "ROLE_WORDS", "RULE_MODE_WORDS", "SENTIMENT_WORDS", "SEVERITY_WORDS",
    "SOURCE_STATE_WORDS", "STAGE_WORDS", "SUBJECT_WORDS",
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
#: Kinds of attachments that page objects find, see `index.domain.post.Attachment`.
ATTACHMENT_WORDS = {
    "photo": "снимок",
    "video": "видео",
    "link": "ссылка",
    "document": "файл",
    "poll": "опрос",
    "audio": "запись",
    "sticker": "наклейка",
    "location": "место на карте",
    "article": "статья",
}
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
RULE_MODE_WORDS = {RuleMode.ACTIVE: "поднимает сигналы", RuleMode.MONITOR: "пробное: только считает"}

#: The stages that must tick, by the name in their heartbeat; other heartbeats only keep notes.
STAGE_WORDS = {
    "crawl": "сбор постов",
    "analyse": "разбор",
    "watch": "поиск сигналов",
    "publish": "отправка",
}

#: What an audit row says was done; the names are those that index.desk writes.
AUDIT_WORDS = {
    "alert_accepted": "сигнал принят",
    "alert_assigned": "сигнал передан",
    "alert_dismissed": "сигнал отклонён",
    "alert_joined": "сигнал присоединён к инциденту",
    "alert_raised": "поднят сигнал",
    "alert_reopened": "сигнал возвращён",
    "alert_snoozed": "сигнал отложен",
    "alert_woken": "отложенный сигнал снова открыт",
    "analysis_corrected": "разбор поправлен",
    "delivery_cancelled": "отправка отменена",
    "delivery_claimed": "отправка взята в работу",
    "delivery_failed": "сеть отказала",
    "delivery_held": "отправка остановлена",
    "delivery_needs_human": "отправка ждёт решения человека",
    "delivery_published": "вышло на странице",
    "delivery_scheduled": "отправка назначена",
    "delivery_sending": "отправка начата",
    "delivery_unknown": "исход отправки неизвестен",
    "flag_set": "настройка изменена",
    "heads_kept": "модели дообучены, но не лучше прежних",
    "heads_returned": "возвращены прежние модели",
    "heads_taught": "модели дообучены на правках",
    "incident_assigned": "назначен исполнитель",
    "incident_closed": "инцидент закрыт",
    "incident_edited": "карточка инцидента изменена",
    "incident_moved": "состояние инцидента изменено",
    "incident_noted": "заметка к инциденту",
    "incident_opened": "открыт инцидент",
    "incident_reopened": "инцидент возвращён в работу",
    "key_added": "выдан ключ",
    "key_revoked": "ключ отозван",
    "page_added": "заведена официальная страница",
    "page_changed": "официальная страница изменена",
    "password_set": "пароль изменён",
    "person_added": "заведён сотрудник",
    "person_changed": "сотрудник изменён",
    "post_erased": "пост стёрт по просьбе",
    "post_pinned": "пост перемещён между сюжетами",
    "proposal_accepted": "предложенный источник принят",
    "proposal_rejected": "предложенный источник отклонён",
    "publication_approved": "публикация согласована",
    "publication_drafted": "публикация написана",
    "publication_edited": "публикация изменена",
    "publication_returned": "публикация возвращена автору",
    "publication_submitted": "публикация отдана на согласование",
    "publication_withdrawn": "публикация снята",
    "reply_approved": "ответ согласован",
    "reply_drafted": "написан ответ жителю",
    "reply_edited": "ответ изменён",
    "reply_returned": "ответ возвращён автору",
    "reply_submitted": "ответ отдан на согласование",
    "session_started": "вход",
    "source_added": "добавлен источник",
    "source_changed": "источник изменён",
    "stop_all_off": "«стоп всё» снято",
    "stop_all_on": "«стоп всё» включено",
    "story_checked": "сюжет проверен",
    "story_merged": "сюжеты объединены",
    "story_split": "сюжет разделён",
}
#: Kind of an audit row's subject, before the colon of `alert:a-1`.
SUBJECT_WORDS = {
    "alert": "сигнал",
    "delivery": "отправка",
    "flag": "настройка",
    "incident": "инцидент",
    "key": "ключ",
    "models": "модели",
    "page": "страница",
    "person": "сотрудник",
    "post": "пост",
    "proposal": "предложение",
    "publication": "публикация",
    "reply": "ответ",
    "service": "сервис",
    "source": "источник",
    "story": "сюжет",
}
