"""Pages of networks that a text names: the evidence from which new sources are proposed.

A name alone does not tell a community from a person: whoever proposes a source asks the network first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from crawlers.pages.base import Mention
from index.domain.post import Network


def named(text: str, *, post_id: str, own: str = "") -> list[Mention]:
    """Pages named in a text as the network sent it, in order, each once; `own` is left out."""
    if "/" not in text and "[" not in text:
        return []
    found: dict[tuple[Network, str], Mention] = {}
    for network, address, how, title in (*_marked(text), *_linked(text)):
        if address != own and (network, address) not in found:
            found[network, address] = Mention(
                post_id=post_id, network=network, address=address, how=how, title=title
            )
    return list(found.values())


Found = tuple[Network, str, str, str]


def _marked(text: str) -> Iterator[Found]:
    """`[club1|Подслушано]` → club1."""
    if "|" not in text:
        return
    for kind, number, title in _MARKED.findall(text):
        yield Network.VK, f"{kind.replace('public', 'club')}{number}", "mention", title.strip()


def _linked(text: str) -> Iterator[Found]:
    for word in text.split():  # no link goes over a blank, and few words hold one
        for host, path in _LINK.findall(word) if "/" in word else ():
            found = _page(host.lower().removeprefix("www.").removeprefix("m."), path)
            if found is not None:
                yield *found, "link", ""


def _page(host: str, path: str) -> tuple[Network, str] | None:
    """Network and address of a link; None: a person, a service page, or a site everybody links to."""
    path = re.split("[?#]", path, maxsplit=1)[0].rstrip(".,:;!)")
    first, _, rest = path.lstrip("/").partition("/")
    first = first.lower()
    if host in ("vk.com", "vk.ru", "vkontakte.ru"):
        if community := _VK_OBJECT.match(first):
            return Network.VK, f"club{community[1]}"
        if number := _VK_COMMUNITY.fullmatch(first):
            return Network.VK, f"{number[1].replace('public', 'club')}{number[2]}"
        is_named = _NAME.fullmatch(first) and first not in _VK_SERVICE and not _VK_PERSON.match(first)
        return (Network.VK, first) if is_named else None
    if host in ("t.me", "telegram.me"):
        name = rest.partition("/")[0].lower() if first == "s" else first
        return (Network.TELEGRAM, name) if _NAME.fullmatch(name) and name not in _TELEGRAM_SERVICE else None
    if host in ("ok.ru", "odnoklassniki.ru"):
        if first == "group" and rest[:1].isdecimal():
            return Network.OK, f"group/{rest.partition('/')[0]}"
        if first.startswith("group") and first[5:].isdecimal():
            return Network.OK, f"group/{first[5:]}"
        return (Network.OK, first) if _NAME.fullmatch(first) and first not in _OK_SERVICE else None
    if host == "max.ru":
        name = first.lstrip("@")
        return (Network.MAX, name) if _NAME.fullmatch(name) and name != "join" else None
    if f".{host}".endswith(_COMMON_SITES) or not _HOST.fullmatch(host):
        return None
    return Network.NEWS, f"https://{host}"


_MARKED = re.compile(r"\[(club|public|event)([0-9]{1,15})(?::[^|\]\n]{0,40})?\|([^\]\n]{0,200})\]")
_LINK = re.compile(
    r"(?:https?://|(?<![\w@./-])(?=(?:www\.|m\.)?(?:vk\.com|vk\.ru|t\.me|ok\.ru|max\.ru)/))"
    r"([\w.-]{3,80})((?:/[^\s\"'<>|\])]{0,200})?)",
    re.IGNORECASE,
)
_VK_OBJECT = re.compile(r"(?:wall|video|photo|topic|album|clip|doc|market|page)-([0-9]{1,15})_[0-9]")
_VK_PERSON = re.compile(r"(?:id|wall|video|photo|topic|album|clip|doc|market|page)[0-9]")
_VK_COMMUNITY = re.compile(r"(club|public|event)([0-9]{1,15})")
_NAME = re.compile(r"[a-z][a-z0-9_.]{2,31}")
_HOST = re.compile(r"(?:[\w-]{1,63}\.){1,4}[a-zа-я]{2,12}")
_VK_SERVICE = frozenset(
    "away.php share.php feed search video photos docs market clips music apps page login write im restore"
    " support about terms dev images js widget_community.php video_ext.php".split()
)
_TELEGRAM_SERVICE = frozenset(
    "joinchat share addstickers addemoji addlist proxy socks login iv setlanguage".split()
)
_OK_SERVICE = frozenset("profile video music games dk live photos messages feed online help".split())
_COMMON_SITES = tuple(
    f".{site}"
    for site in (
        "youtube.com youtu.be google.com google.ru yandex.ru ya.ru vk.cc clck.ru bit.ly goo.gl mail.ru"
        " instagram.com facebook.com twitter.com x.com tiktok.com wikipedia.org gosuslugi.ru rutube.ru"
        " dzen.ru whatsapp.com wa.me avito.ru ozon.ru wildberries.ru userapi.com mycdn.me telegram.org"
        " apple.com"
    ).split()
)
