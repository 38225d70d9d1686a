"""The REST API over its real listeners: the unix socket, and TLS with a token."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cloud_bridge.alerts.model import Phase
from cloud_bridge.api_access import Scope
from cloud_bridge.runtime.api.app import application
from cloud_bridge.runtime.api.operations import BODY_BYTES
from cloud_bridge.runtime.init import init
from cloud_bridge.store.registry import alerting, leaving
from tests.cloud_bridge.api_served import ADA, ROUTES, Api, bad, good, served
from tests.cloud_bridge.noticed import ADDRESS
from tests.cloud_bridge.notify.peers import mail_server
from tests.conftest import ROOT


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with served(init(tmp_path / "cloud", "127.0.0.1:0")) as one:
        yield one


async def test_an_owner_gets_a_channel_and_a_policy_and_can_be_changed_and_removed(api: Api) -> None:
    made = await api.add_ada()
    assert (made["name"], made["time_zone"]) == ("ada", "Europe/Berlin")
    (policy,) = good(await api.here.get("/v1/policies"))["items"]
    assert (policy["owner"], policy["name"], policy["least"]) == ("ada", "default", "warning")
    (channel,) = good(await api.here.get("/v1/channels", params={"owner": "ada"}))["items"]
    assert (channel["kind"], channel["target"]) == ("mail", ADDRESS)
    changed = good(await api.here.patch("/v1/owners/ada", json={"time_zone": "Europe/Paris"}))
    assert (changed["time_zone"], changed["email"]) == ("Europe/Paris", ADDRESS)
    good(await api.here.delete("/v1/owners/ada"))
    bad(await api.here.get("/v1/owners/ada"), 404, "not-there")


async def test_sites_devices_rules_and_silences_have_the_same_life(api: Api) -> None:
    await api.add_ada()
    good(await api.here.post("/v1/sites", json={"owner": "ada", "name": "cellar"}), 201)
    device = {"name": "Rack 1", "owner": "ada", "site": "cellar", "tags": ["office"]}
    assert good(await api.here.post("/v1/devices/pi-1/rack-1", json=device), 201)["unit"] == "rack-1"
    rule = {"owner": "ada", "name": "full", "reading": "load_pct", "above": 80, "clear": 75}
    assert good(await api.here.post("/v1/rules", json=rule), 201)["above"] == 80
    assert good(await api.here.patch("/v1/rules/ada/full", json={"above": 85}))["above"] == 85
    silence = {"owner": "ada", "devices": ["pi-1/rack-1"], "for_s": 7200, "why": "new batteries"}
    number = good(await api.here.post("/v1/silences", json=silence), 201)["id"]
    good(await api.here.delete(f"/v1/silences/{number}"))
    bad(await api.here.delete(f"/v1/silences/{number}"), 404, "not-there")
    good(await api.here.patch("/v1/sites/ada/cellar", json={"name": "attic"}))
    assert good(await api.here.get("/v1/devices/pi-1/rack-1"))["site"] == "attic"
    for path in ("/v1/rules/ada/full", "/v1/devices/pi-1/rack-1", "/v1/sites/ada/attic"):
        good(await api.here.delete(path))
        bad(await api.here.get(path), 404, "not-there")


async def test_a_mistake_is_told_with_its_place_and_nothing_is_saved(api: Api) -> None:
    wrong = {"name": "ada", "email": "ada@", "time_zone": "Europe/Nowhere"}
    said = bad(await api.here.post("/v1/owners", json=wrong), 422, "wrong")
    assert {each["place"] for each in said["mistakes"]} == {"email", "time_zone"}
    assert good(await api.here.get("/v1/owners"))["items"] == []
    await api.add_ada()
    policy = {"owner": "ada", "name": "x", "channel": "mail", "quiet": {"since": "25:00", "until": "07:00"}}
    said = bad(await api.here.post("/v1/policies", json=policy), 422, "wrong")
    assert [each["place"] for each in said["mistakes"]] == ["quiet.since"]
    said = bad(await api.here.post("/v1/owners", json=ADA), 409, "taken")
    assert "ada" in said["detail"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 50_000, b'{"name": NaN}', b"null", b'"x"'])
async def test_a_body_that_is_no_object_is_told_so(api: Api, content: bytes) -> None:
    for path in ("/v1/owners", "/v1/policies", "/v1/tokens"):
        bad(await api.here.post(path, content=content), 422, "wrong")


async def test_a_body_of_more_than_64_kib_is_not_taken(api: Api) -> None:
    bad(await api.here.post("/v1/owners", content=b" " * (BODY_BYTES + 1)), 413, "too-long")

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(65):
            yield b" " * 1024

    bad(await api.here.post("/v1/owners", content=endless()), 413, "too-long")


async def test_a_long_list_comes_in_parts_of_which_nothing_is_missed_though_it_shrinks_meanwhile(api: Api) -> None:
    for number in range(7):
        good(await api.here.post("/v1/owners", json={"name": f"o{number}", "email": ADDRESS}), 201)
    seen, after = [], None
    while True:
        part = good(await api.here.get("/v1/owners", params={"limit": 3} | ({"after": after} if after else {})))
        seen += [item["name"] for item in part["items"]]
        for item in part["items"]:
            good(await api.here.delete(f"/v1/owners/{item['name']}"))
        if (after := part["next"]) is None:
            break
    assert seen == [f"o{number}" for number in range(7)]


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "after=" + "x" * 201])
async def test_a_part_that_nobody_can_ask_for_is_told_by_its_parameter(api: Api, query: str) -> None:
    said = bad(await api.here.get(f"/v1/owners?{query}"), 422, "wrong")
    assert [each["place"] for each in said["mistakes"]] == [query.partition("=")[0]]


async def test_alerts_are_listed_in_parts_even_where_many_changed_at_once(api: Api) -> None:
    world = api.world()
    more = [world.alert_of("overload", f"m{number}", at=world.now + number // 4) for number in range(10)]
    over = world.alert_of("fan_failed", "m", Phase.RESOLVED)
    with api.office.registry.writing() as connection:
        alerting.keep_alerts(connection, [*more, over])
    seen: list[str] = []
    after: str | None = ""
    while after is not None:
        part = good(await api.here.get("/v1/alerts", params={"limit": 3} | ({"after": after} if after else {})))
        seen += [item["id"] for item in part["items"]]
        after = part["next"]
    assert sorted(seen) == sorted(alert.id for alert in [world.alert, *more])
    assert len(good(await api.here.get("/v1/alerts?phase=all&device=pi-1/rack-1"))["items"]) == 12
    (item,) = good(await api.here.get("/v1/alerts?phase=resolved"))["items"]
    assert item["id"] == over.id
    bad(await api.here.get("/v1/alerts?after=yesterday"), 422, "wrong")


async def test_an_alert_is_shown_by_the_beginning_of_its_id_with_what_it_means(api: Api) -> None:
    world = api.world()
    shown = good(await api.here.get(f"/v1/alerts/{world.alert.id[:8]}"))
    assert (shown["id"], shown["subject"]["name"], shown["phase"]) == (world.alert.id, "pi-1/rack-1", "firing")
    assert shown["meaning"]
    assert shown["do_this"]
    assert shown["onset_at"].endswith("Z")
    bad(await api.here.get("/v1/alerts/ffffffff"), 404, "not-there")


async def test_why_has_every_reason_with_names(api: Api) -> None:
    world = api.world()
    with api.office.registry.writing() as connection:
        policy = leaving.find_policy(connection, world.policy.id)
        assert policy is not None
        leaving.unsubscribe(connection, ADDRESS, policy, world.channel.id, world.now)
    said = good(await api.here.get(f"/v1/alerts/{world.alert.id}/why"))
    (reason,) = said["reasons"]
    assert (reason["code"], reason["policy"], reason["channel"]) == ("unsubscribed", "default <b>", "mail")
    assert said["alert"]["id"] == world.alert.id


async def test_what_people_say_to_an_alert_is_asked_of_the_alerts_role_in_their_name(api: Api) -> None:
    world = api.world()
    phone = await api.with_token(Scope.RESPOND)
    path = f"/v1/alerts/{world.alert.id}"
    good(await phone.post(f"{path}/acknowledge", json={}), 202)
    good(await phone.post(f"{path}/assign", json={"to": "ben", "by": "ada"}), 202)
    good(await api.here.post(f"{path}/note", json={"text": "fuse 7", "by": "ada"}), 202)
    bad(await api.here.post(f"{path}/note", json={"text": " "}), 422, "wrong")
    bad(await api.here.post(f"{path}/note", json={"text": "x" * 1001}), 422, "wrong")
    with api.office.registry.reading() as connection:
        asked = [(one.verb.value, one.text, one.by_name) for one in alerting.all_asked(connection)]
    assert asked == [("acknowledge", "", "respond"), ("assign", "ben", "ada (respond)"), ("note", "fuse 7", "ada")]


async def test_a_mute_is_seen_and_ended(api: Api) -> None:
    world = api.world()
    world.mute()
    (mute,) = good(await api.here.get("/v1/mutes"))["items"]
    assert mute["device"] == "pi-1/rack-1"
    good(await api.here.delete("/v1/mutes/pi-1/rack-1"))
    assert good(await api.here.get("/v1/mutes"))["items"] == []
    bad(await api.here.delete("/v1/mutes/pi-1/rack-1"), 404, "not-there")


async def test_saving_a_policy_says_who_is_subscribed_again(api: Api) -> None:
    world = api.world()
    with api.office.registry.writing() as connection:
        policy = leaving.find_policy(connection, world.policy.id)
        assert policy is not None
        leaving.unsubscribe(connection, ADDRESS, policy, world.channel.id, world.now)
    path = "/v1/policies/ada/default%20%3Cb%3E"
    assert good(await api.here.get(path))["unsubscribed"] == [ADDRESS]
    assert good(await api.here.patch(path, json={"name": "default"}))["resubscribed"] == [ADDRESS]
    assert good(await api.here.get("/v1/policies/ada/default"))["unsubscribed"] == []


async def test_the_routes_are_text_whose_mistakes_have_line_and_column(api: Api) -> None:
    channel = {"name": "ops", "kind": "mail", "target": "ops@example.net"}
    good(await api.here.post("/v1/channels", json=channel), 201)
    text = "channel: ops\nroutes:\n  - {match: {tag: lab}, least: critical}\n"
    good(await api.here.put("/v1/routes", json={"text": text}))
    assert good(await api.here.get("/v1/routes")) == {"text": text}
    said = bad(await api.here.put("/v1/routes", json={"text": "channel: ops\ncolour: red\n"}), 422, "wrong")
    assert said["mistakes"][0]["place"].startswith("2:1")
    bad(await api.here.put("/v1/routes", json={"text": "channel: nobody\n"}), 422, "wrong")
    assert good(await api.here.get("/v1/routes")) == {"text": text}
    good(await api.here.delete("/v1/routes"))
    assert good(await api.here.get("/v1/routes")) == {"text": ""}


async def test_a_test_notice_goes_to_a_real_mail_server_and_what_became_of_it_is_said(tmp_path: Path) -> None:
    folder = init(tmp_path / "cloud", "127.0.0.1:0")
    async with mail_server() as box:
        with folder.settings.open("a") as file:
            file.write(f'smtp: {{host: 127.0.0.1, port: {box.port}, security: none, sender: "ups@example.net"}}\n')
        async with served(folder) as api:
            await api.add_ada()
            tester = await api.with_token(Scope.TEST)
            said = good(await tester.post("/v1/channels/ada/mail/test"))
            assert (said["sent"], said["channel"]) == (True, "ada/mail")
            assert ADDRESS in str(box.messages[0]["To"])
            box.rcpt.append("550 no such mailbox")
            said = good(await tester.post("/v1/channels/ada/mail/test"))
            assert (said["sent"], said["again"]) == (False, False)
            assert "no such mailbox" in said["why"]
            bad(await tester.post("/v1/channels/ada/nothing/test"), 404, "not-there")


async def test_who_would_hear_of_it_is_told_before_it_happens(api: Api) -> None:
    world = api.world()
    path = "/v1/devices/pi-1/rack-1/reach"
    (way,) = good(await api.here.get(path, params={"condition": "outage"}))["ways"]
    assert (way["policy"], way["told"]) == (f"ada/{world.policy.name}", True)
    bad(await api.here.get(path, params={"condition": "rain"}), 422, "wrong")
    bad(await api.here.get(path), 422, "wrong")


async def test_health_counts_what_is_open_and_on_its_way(api: Api) -> None:
    world = api.world()
    world.mute()
    said = good(await api.here.get("/v1/health"))
    assert (said["firing"], said["muted"], said["waiting"], said["failed"]) == (1, 1, 0, 0)


async def test_s24_no_answer_shows_what_is_secret_in_a_target(api: Api) -> None:
    secret = "https://hooks.example.net/T0P/S3CRET"
    made = good(await api.here.post("/v1/channels", json={"name": "hook", "kind": "webhook", "target": secret}), 201)
    listed = good(await api.here.get("/v1/channels"))
    assert "S3CRET" not in json.dumps([made, listed])
    await api.here.patch("/v1/channels/operator/hook", json={"per_minute": 5})
    with api.office.reading() as desk:
        assert next(iter(desk.directory.channels.values())).target == secret


async def test_what_is_not_there_and_what_is_not_done_are_problems_too(api: Api) -> None:
    bad(await api.here.get("/nowhere"), 404, "not-there")
    bad(await api.here.get("/v1/owners/"), 404, "not-there")
    bad(await api.here.put("/v1/owners"), 405, "not-done-here")
    bad(await api.here.get("/docs"), 404, "not-there")


async def test_a_registry_that_is_away_is_told_and_comes_back(api: Api) -> None:
    with api.office.registry.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE owners RENAME TO hidden")
    answer = await api.here.get("/v1/owners")
    bad(answer, 503, "unavailable")
    assert int(answer.headers["Retry-After"])
    with api.office.registry.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE hidden RENAME TO owners")
    good(await api.here.get("/v1/owners"))


def test_openapi_describes_every_route_with_its_body_and_an_example() -> None:
    described = application().openapi()
    assert described["openapi"].startswith("3.1")
    tags = {tag["name"] for tag in described["tags"]}
    paths = described["paths"].items()
    operations = {(path, method): each for path, methods in paths for method, each in methods.items()}
    assert len(operations) == len(ROUTES)
    for (path, method), operation in operations.items():
        assert set(operation["tags"]) <= tags, path
        assert operation["responses"]["default"]["content"]["application/problem+json"], path
        if method in ("post", "put", "patch") and not path.endswith("/test"):
            assert "example" in operation["requestBody"]["content"]["application/json"], path
    assert described["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_every_reference_in_openapi_leads_somewhere() -> None:
    described = application().openapi()
    text = json.dumps(described)
    names = {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names
    assert names <= set(described["components"]["schemas"])
    assert {"OwnerForm", "PolicyShown", "Problem"} <= names


@pytest.mark.parametrize(
    ("path", "method", "example"),
    [
        (path, method, operation["requestBody"]["content"]["application/json"]["example"])
        for path, methods in application().openapi()["paths"].items()
        for method, operation in methods.items()
        if "requestBody" in operation and method == "post" and path in ("/v1/owners", "/v1/sites", "/v1/tokens")
    ],
    ids=lambda value: str(value)[:40],
)
async def test_the_examples_of_openapi_work(api: Api, path: str, method: str, example: dict[str, object]) -> None:
    if path == "/v1/sites":
        await api.add_ada()
    good(await api.here.request(method, path, json=example), 201)


PAGE = (ROOT / "docs" / "api.md").read_text()


def test_the_page_about_the_api_names_every_path_and_no_other() -> None:
    described = {path.split("/")[2] for path in application().openapi()["paths"]}
    assert set(re.findall(r"/v1/([a-z]+)", PAGE)) == described


async def test_what_the_page_about_the_api_sends_is_taken(api: Api) -> None:
    """Those that neither leave this machine nor need an alert."""
    lines = PAGE.replace("\\\n", " ").splitlines()
    code = [line for line in lines if line.startswith("    curl --unix-socket api.sock ")]
    sent = 0
    for words in (shlex.split(line) for line in code):
        if "-d" in words and "alerts" not in " ".join(words):
            url = next(word for word in words if word.startswith("http://"))
            good(await api.here.post(url, content=words[words.index("-d") + 1].encode()), 201)
            sent += 1
    assert sent >= 3
