from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from api.service import Service
from index.domain.analysis import Risk, Severity
from index.domain.person import Role
from index.posts.query import PostState
from tests.api.conftest import Client
from tests.factories import NOON, alert, analysis, page, post, publication, source, story


def watched(service: Service, *, text: str = "На Строительной нет тепла", **facts: object) -> str:
    """A post that went through all stages; its id."""
    one = post(text=text)
    service.posts.add([one])
    said = analysis(
        lemmas=service.lemmas(text), risks=(Risk.OUTAGE,), risk_scores={Risk.OUTAGE: 0.9}, **facts
    )
    service.posts.save_analyses({one.id: said}, PostState.WATCHED)
    service.posts.refresh()
    return one.id


def test_posts_carry_their_analysis_by_the_contract(service: Service, client: Client) -> None:
    post_id = watched(service, places=("Курлово",), severity=Severity.TODAY)
    found = client(Role.READER).get("/api/v1/posts", params={"place": "Курлово"}).json()["items"]
    assert [item["id"] for item in found] == [post_id]
    said = found[0]["analysis"]
    assert (said["risks"], said["severity"], said["risk_scores"]) == (["outage"], 2, {"outage": 0.9})
    assert "vector" not in said


def test_a_query_finds_other_forms_of_its_words(service: Service, client: Client) -> None:
    post_id = watched(service, text="жёлтые трамваи стоят")
    found = client(Role.READER).get("/api/v1/posts", params={"q": "желтый трамвай"}).json()["items"]
    assert [item["id"] for item in found] == [post_id]


def test_lists_page_by_cursor_without_gaps_or_repeats(service: Service, client: Client) -> None:
    service.posts.add([post(published_at=NOON - timedelta(minutes=n)) for n in range(7)])
    reader, ids, cursor = client(Role.READER), [], None
    while True:
        body = reader.get(
            "/api/v1/posts", params={"limit": 3, **({"cursor": cursor} if cursor else {})}
        ).json()
        ids += [item["id"] for item in body["items"]]
        if (cursor := body["next"]) is None:
            break
    assert len(ids) == len(set(ids)) == 7


def test_a_strange_cursor_is_a_clear_422(client: Client) -> None:
    answer = client(Role.READER).get("/api/v1/posts", params={"cursor": "чужой"})
    assert answer.status_code == 422
    assert answer.json()["status"] == 422


def test_a_wrong_parameter_names_its_field(client: Client) -> None:
    answer = client(Role.READER).get("/api/v1/posts", params={"since": "вчера"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "since"


def test_an_unknown_post_is_404(client: Client) -> None:
    assert client(Role.READER).get("/api/v1/posts/vk:-1_404").status_code == 404


def test_erasing_a_post_leaves_only_its_id_in_the_audit(service: Service, client: Client) -> None:
    post_id = watched(service)
    administrator = client(Role.ADMIN)
    assert administrator.delete(f"/api/v1/posts/{post_id}").status_code == 204
    assert administrator.get(f"/api/v1/posts/{post_id}").status_code == 404
    rows = administrator.get("/api/v1/audit", params={"subject": f"post:{post_id}"}).json()["items"]
    assert [(row["action"], row["actor"]) for row in rows] == [("post_erased", "key:region")]


def test_an_alert_is_accepted_once(service: Service, client: Client) -> None:
    raised = service.desk.alerts.raise_alert(alert())
    officer = client(Role.INCIDENT_OFFICER)
    taken = officer.post(f"/api/v1/alerts/{raised.id}/accept", json={"version": raised.version}).json()
    assert taken["incident"]["post_ids"] == list(raised.post_ids)
    again = officer.post(f"/api/v1/alerts/{raised.id}/accept", json={"version": raised.version})
    assert again.status_code == 409
    events = officer.get(f"/api/v1/incidents/{taken['incident']['id']}/events").json()
    assert events[0]["action"] == "opened"


def test_an_alert_is_dismissed_with_a_reason_and_snoozed_with_an_end(
    service: Service, client: Client
) -> None:
    first, second = (service.desk.alerts.raise_alert(alert()) for _ in range(2))
    officer = client(Role.INCIDENT_OFFICER)
    path = "/api/v1/alerts/{}/{}"
    body = {"version": first.version, "reason": "Старое событие"}
    assert officer.post(path.format(first.id, "dismiss"), json=body).json()["state"] == "dismissed"
    until = (NOON + timedelta(hours=1)).isoformat()
    snoozed = officer.post(path.format(second.id, "snooze"), json={"version": second.version, "until": until})
    assert snoozed.json()["state"] == "snoozed"
    past = officer.post(path.format(second.id, "snooze"), json={"version": 1, "until": NOON.isoformat()})
    assert past.status_code in (409, 422)


def test_the_other_resources_answer(service: Service, client: Client) -> None:
    service.desk.sources.add([source()], actor="admin", at=NOON)
    service.desk.pages.add(page(id="vk-1"), actor="admin", at=NOON)
    service.desk.stories.save(story(id="s-1"))
    draft = service.desk.publications.save_draft(publication(), actor="petrova", at=NOON)
    reader = client(Role.READER)
    for path in ("sources", "pages", "stories", "publications", "topics", "places", "incidents", "alerts"):
        body = reader.get(f"/api/v1/{path}").json()
        assert "items" in body, path
    assert len(reader.get("/api/v1/topics").json()["items"]) == 26
    assert reader.get(f"/api/v1/publications/{draft.id}/deliveries").json() == []
    assert reader.get("/api/v1/stories/s-1/posts").json()["items"] == []
    assert reader.get("/api/v1/reports").json()[0]["name"] == "morning"


def test_the_morning_page_counts_yesterday(service: Service, client: Client) -> None:
    post_id = watched(service, severity=Severity.NOW)
    moved = replace(service.posts.get(post_id).post, id="vk:-1_777", published_at=NOON - timedelta(days=1))
    service.posts.add([moved])
    service.posts.save_analyses({moved.id: analysis(severity=Severity.NOW)}, PostState.WATCHED)
    reader = client(Role.READER)
    body = reader.get("/api/v1/reports/morning").json()
    assert body["lines"][0] | {"week_mean": None} == body["lines"][0]
    assert (body["lines"][0]["count"], body["lines"][0]["verdict"]) == (1, "недостаточно данных")
    assert [item["id"] for item in body["urgent"]] == [moved.id]
    service.desk.sources.add(
        [source(id="vk:club1", address="club1", title="Курлово LIVE")], actor="admin", at=NOON
    )
    printed = reader.get("/api/v1/reports/morning.html").text
    assert "vk:-1_777" in printed
    assert "Курлово LIVE" in printed
