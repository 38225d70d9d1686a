"""The public pages behind the links in notices, asked as browsers, mail programs and strangers ask."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from cloud_bridge.addresses import LOOPBACK, Address, parse_address
from cloud_bridge.alerts.notice import About, State
from cloud_bridge.alerts.terms import Policy
from cloud_bridge.links import (
    UNSUBSCRIBE_VALID_MS,
    Purpose,
    TurnOn,
    Unsubscribe,
    sign,
    turn_on_url,
    unsubscribe_url,
)
from cloud_bridge.runtime.clock import now_ms
from cloud_bridge.runtime.doors import URL_BYTES
from cloud_bridge.runtime.https import CONNECTIONS, serving
from cloud_bridge.runtime.init import init
from cloud_bridge.runtime.leaving import Leaving
from cloud_bridge.runtime.link_key import load_link_key
from cloud_bridge.runtime.links import BODY_BYTES, WORK_BURST, application
from cloud_bridge.runtime.listening import listening
from cloud_bridge.store.registry import alerting, heard, reasons, wishes
from cloud_bridge.store.registry.migrate import migrate
from cloud_bridge.store.registry.registry import Registry
from tests.cloud_bridge.noticed import ADDRESS, World
from tests.conftest import Start

KEY = bytes(range(32))
HOST = "ups.example.net"
URL = f"https://{HOST}"
PRESSED = {"confirm": "yes"}
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


class Pages:
    """A world, its links, and a browser."""

    def __init__(self, world: World, client: httpx.AsyncClient) -> None:
        self.world, self.client = world, client

    @property
    def leave(self) -> str:
        world = self.world
        return urlsplit(unsubscribe_url(URL, KEY, ADDRESS, world.policy.id, world.now, world.channel.id)).path

    def turn_on(self, mute_id: str) -> str:
        return urlsplit(turn_on_url(URL, KEY, mute_id)).path

    def unsubscribed(self) -> frozenset[tuple[str, int]]:
        with self.world.registry.reading() as connection:
            return heard.all_unsubscribed(connection)

    def confirmations(self) -> list[int]:
        """Channels to which a confirmation goes."""
        with self.world.registry.reading() as connection:
            return [one.channel for one in alerting.waiting(connection) if one.about is About.UNSUBSCRIBED]


@asynccontextmanager
async def served(registry: Registry, public_url: str = URL) -> AsyncIterator[Pages]:
    world = World(registry, now_ms())
    listener = listening(Address(LOOPBACK, 0))
    base = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
    async with (
        serving(application(Leaving(registry, KEY), public_url), listener, None, each=CONNECTIONS),
        httpx.AsyncClient(base_url=base, headers={"Host": HOST}, timeout=20) as client,
    ):
        yield Pages(world, client)


@pytest.fixture
async def pages(tmp_path: Path) -> AsyncIterator[Pages]:
    place = tmp_path / "registry.sqlite3"
    migrate(place)
    with Registry(place) as registry:
        async with served(registry) as one:
            yield one


@pytest.fixture
async def either(registry: Registry) -> AsyncIterator[Pages]:
    """On either database."""
    async with served(registry) as one:
        yield one


async def test_s23_what_a_mail_scanner_does_changes_nothing(either: Pages) -> None:
    mute = either.world.mute()
    before = either.world.rows()
    for path in (either.leave, either.turn_on(mute.id)):
        for method in ("GET", "HEAD", "GET", "OPTIONS", "PUT", "DELETE", "PATCH"):
            answer = await either.client.request(method, path)
            assert answer.status_code == (200 if method in ("GET", "HEAD") else 405)
    assert either.world.rows() == before


async def test_s23_a_page_has_one_button_that_posts_and_nothing_that_runs(pages: Pages) -> None:
    mute = pages.world.mute()
    for path in (pages.leave, pages.turn_on(mute.id)):
        text = (await pages.client.get(path)).text
        assert text.count("<button") == 1
        assert text.count('<form method="post">') == 1
        assert not any(word in text for word in ("<script", "href=", "src=", "onclick", "http-equiv"))


async def test_s23_pressing_the_button_unsubscribes_and_page_and_mail_confirm_it(either: Pages) -> None:
    shown = await either.client.get(either.leave)
    assert ADDRESS in shown.text
    done = await either.client.post(either.leave, data=PRESSED)
    assert done.status_code == 200
    assert f"{ADDRESS} gets no more notices" in done.text
    assert either.unsubscribed() == {(ADDRESS, either.world.policy.id)}
    assert either.confirmations() == [either.world.channel.id]


@pytest.mark.parametrize("encoded", ["as a form", "as multipart"])
async def test_s23_a_mail_program_unsubscribes_with_one_click_and_without_a_login(pages: Pages, encoded: str) -> None:
    """RFC 8058, section 3.2, has both."""
    if encoded == "as a form":
        done = await pages.client.post(pages.leave, data=ONE_CLICK)
    else:
        done = await pages.client.post(pages.leave, files={"List-Unsubscribe": (None, "One-Click")})
    assert done.status_code == 200
    assert pages.unsubscribed() == {(ADDRESS, pages.world.policy.id)}


async def test_unsubscribing_twice_is_said_twice_and_done_once(either: Pages) -> None:
    for _ in range(3):
        assert (await either.client.post(either.leave, data=ONE_CLICK)).status_code == 200
    assert "gets no more" in (await either.client.get(either.leave)).text
    assert len(either.confirmations()) == 1


async def test_two_at_once_are_one(either: Pages) -> None:
    answers = await asyncio.gather(*(either.client.post(either.leave, data=ONE_CLICK) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(either.confirmations()) == 1


async def test_unsubscribing_leaves_a_reason_with_the_open_alert_and_wakes_who_has_to_know(either: Pages) -> None:
    before = either.world.registry.version()
    await either.client.post(either.leave, data=PRESSED)
    assert either.world.registry.version() > before
    with either.world.registry.reading() as connection:
        (why,) = reasons.why(connection, either.world.alert.id)
    assert (why.code, why.policy, why.channel) == ("unsubscribed", either.world.policy.id, either.world.channel.id)
    assert ADDRESS in why.reason


async def test_the_owner_subscribes_again_by_saving_the_policy_and_the_link_works_again(either: Pages) -> None:
    await either.client.post(either.leave, data=PRESSED)
    with either.world.registry.writing(noticed=True) as connection:
        assert wishes.save_policy(connection, either.world.policy) == [ADDRESS]
    assert not either.unsubscribed()
    await either.client.post(either.leave, data=PRESSED)
    assert either.unsubscribed()
    assert len(either.confirmations()) == 2


async def test_a_policy_that_is_gone_sends_nothing_and_the_page_says_so(either: Pages) -> None:
    path = urlsplit(unsubscribe_url(URL, KEY, ADDRESS, either.world.policy.id + 1, either.world.now)).path
    answers = [await either.client.get(path), await either.client.post(path, data=ONE_CLICK)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert not either.unsubscribed()
    assert not either.confirmations()


async def test_s23_an_unsubscribe_link_is_bound_to_address_and_policy(pages: Pages) -> None:
    with pages.world.registry.writing() as connection:
        other = Policy(id=0, owner=pages.world.owner.id, name="nights", channel=pages.world.channel.id)
        wishes.add_policy(connection, other)
    await pages.client.post(pages.leave, data=PRESSED)
    assert pages.unsubscribed() == {(ADDRESS, pages.world.policy.id)}


async def test_turning_on_ends_the_mute_counts_from_zero_and_leaves_a_reason(either: Pages) -> None:
    mute = either.world.mute()
    version = either.world.registry.version()
    assert "Rack &lt;1&gt;" in (await either.client.get(either.turn_on(mute.id))).text
    done = await either.client.post(either.turn_on(mute.id), data=PRESSED)
    assert "are on again" in done.text
    assert either.world.registry.version() > version
    with either.world.registry.reading() as connection:
        assert not heard.all_mutes(connection)
        assert not heard.counted_since(connection, 0)
        assert [why.code for why in reasons.why(connection, either.world.alert.id)] == ["turned_on"]


async def test_s23_a_link_that_turns_on_dies_with_its_mute(either: Pages) -> None:
    first = either.world.mute(1)
    assert (await either.client.post(either.turn_on(first.id), data=PRESSED)).status_code == 200
    second = either.world.mute(2)
    link = either.turn_on(first.id)
    used = [await either.client.get(link), await either.client.post(link, data=PRESSED)]
    never = await either.client.get(either.turn_on("f" * 32))
    assert {answer.status_code for answer in (*used, never)} == {404}
    assert {answer.text for answer in used} == {never.text}
    with either.world.registry.reading() as connection:
        assert heard.all_mutes(connection)[either.world.device.id].id == second.id


async def test_a_mute_that_ran_out_is_over_even_before_somebody_clears_it_away(either: Pages) -> None:
    mute = either.world.mute(lasts_ms=-1)
    assert (await either.client.get(either.turn_on(mute.id))).status_code == 404


async def test_s23_a_one_click_post_turns_nothing_on(pages: Pages) -> None:
    mute = pages.world.mute()
    answer = await pages.client.post(pages.turn_on(mute.id), data=ONE_CLICK)
    assert answer.status_code == 400
    assert "<button" in answer.text
    with pages.world.registry.reading() as connection:
        assert heard.all_mutes(connection)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"data": {"confirm": "no"}}, id="another answer"),
        pytest.param({"data": {"List-Unsubscribe": "Two-Click"}}, id="another word than RFC 8058's"),
        pytest.param({"content": b"List-Unsubscribe=One-Click"}, id="a form that does not say that it is one"),
        pytest.param({"json": {"confirm": "yes"}}, id="JSON"),
        pytest.param({"params": PRESSED}, id="the answer in the query"),
    ],
)
async def test_a_post_that_is_neither_a_button_nor_a_click_is_asked_again(
    pages: Pages, content: dict[str, object]
) -> None:
    answer = await pages.client.request("POST", pages.leave, **content)  # type: ignore[arg-type]  # by httpx's names
    assert answer.status_code == 400
    assert "<button" in answer.text
    assert not pages.unsubscribed()


async def test_broken_multipart_is_told_and_changes_nothing(pages: Pages) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await pages.client.post(pages.leave, content=b"--x\r\nnonsense", headers=headers)
    assert answer.status_code == 400
    assert not pages.unsubscribed()


async def test_s23_a_forged_expired_or_foreign_token_gives_one_page_and_opens_nothing(pages: Pages) -> None:
    mute, world = pages.world.mute(), pages.world
    before = world.rows()
    good = Unsubscribe(ADDRESS, world.policy.id, world.now + 1000)
    tokens = [
        "x",
        "a.b",
        "ä.ö",
        "%00",
        "A" * 3000,
        sign(KEY, Purpose.UNSUBSCRIBE, Unsubscribe(ADDRESS, world.policy.id, world.now - 1)),
        sign(bytes(32), Purpose.UNSUBSCRIBE, good),
        sign(KEY, Purpose.TURN_ON, TurnOn(mute.id)),
        sign(KEY, Purpose.UNSUBSCRIBE, good)[:-1],
    ]
    answers = [await pages.client.get(f"/unsubscribe/{token}") for token in tokens]
    answers += [await pages.client.post(f"/unsubscribe/{token}", data=ONE_CLICK) for token in tokens]
    answers.append(await pages.client.post(f"/turn-on/{sign(KEY, Purpose.UNSUBSCRIBE, good)}", data=PRESSED))
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    assert world.rows() == before


async def test_s23_every_answer_keeps_its_address_to_itself_and_runs_nothing(pages: Pages) -> None:
    requests = [("GET", pages.leave), ("POST", pages.leave), ("GET", "/"), ("PUT", pages.leave), ("GET", "/turn-on/x")]
    for method, path in requests:
        answer = await pages.client.request(method, path)
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "script" not in policy
        assert "unsafe" not in policy
        assert "Set-Cookie" not in answer.headers
        assert "Server" not in answer.headers


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", f"{HOST}.evil.example", "", "[::1", "a" * 400, f"{HOST}:x"]
)
async def test_s25_a_request_for_another_host_is_misdirected(pages: Pages, host: str) -> None:
    answer = await pages.client.post(pages.leave, data=PRESSED, headers={"Host": host})
    assert answer.status_code == 421
    assert not pages.unsubscribed()


@pytest.mark.parametrize("host", [HOST, HOST.upper(), f"{HOST}:443", f"{HOST}."])
async def test_s25_the_host_of_public_url_is_ours_however_it_is_written(pages: Pages, host: str) -> None:
    assert (await pages.client.get(pages.leave, headers={"Host": host})).status_code == 200


async def test_s25_no_header_of_a_proxy_changes_whom_a_request_is_for(pages: Pages) -> None:
    forwarded = {"X-Forwarded-Host": HOST, "X-Forwarded-For": "127.0.0.1", "Forwarded": f"host={HOST}"}
    answer = await pages.client.get(pages.leave, headers={**forwarded, "Host": "evil.example"})
    assert answer.status_code == 421


async def test_a_hostile_name_and_address_are_text_in_the_page(pages: Pages) -> None:
    """S6."""
    hostile = "a\r\nb\x1b[31m[link]<script>=cmd\"'@x"
    path = urlsplit(unsubscribe_url(URL, KEY, hostile, pages.world.policy.id, pages.world.now)).path
    text = (await pages.client.get(path)).text
    assert "default &lt;b&gt;" in text
    assert "&lt;script&gt;" in text
    assert not any(word in text for word in ("\x1b", "<script", "\r\nb"))


async def test_a_body_that_is_too_long_is_not_taken(pages: Pages) -> None:
    answer = await pages.client.post(pages.leave, content=b"x" * (BODY_BYTES + 1))
    assert answer.status_code == 413
    assert not pages.unsubscribed()


async def test_a_url_that_is_too_long_gets_no_further_than_the_door(pages: Pages) -> None:
    answer = await pages.client.get(f"{pages.leave}?{'x' * URL_BYTES}")
    assert answer.status_code == 414


async def test_work_for_the_registry_is_bounded_for_everybody_together_and_forgeries_cost_none(pages: Pages) -> None:
    for _ in range(int(WORK_BURST) + 20):
        assert (await pages.client.get("/unsubscribe/x.y")).status_code == 404
    statuses = [(await pages.client.get(pages.leave)).status_code for _ in range(int(WORK_BURST) + 30)]
    assert statuses[: int(WORK_BURST) - 1] == [200] * (int(WORK_BURST) - 1)
    assert 503 in statuses


async def test_a_registry_that_is_away_is_told_as_such_and_the_link_works_when_it_is_back(pages: Pages) -> None:
    with pages.world.registry.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE unsubscribed RENAME TO hidden")
    for answer in (await pages.client.get(pages.leave), await pages.client.post(pages.leave, data=ONE_CLICK)):
        assert answer.status_code == 503
        assert "Nothing was changed" in answer.text
        assert int(answer.headers["Retry-After"])
    with pages.world.registry.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE hidden RENAME TO unsubscribed")
    assert (await pages.client.post(pages.leave, data=ONE_CLICK)).status_code == 200


async def test_a_link_works_with_and_without_the_path_of_public_url(tmp_path: Path) -> None:
    place = tmp_path / "registry.sqlite3"
    migrate(place)
    public = f"https://{HOST}/ups/links"
    with Registry(place) as registry:
        async with served(registry, public) as pages:
            world = pages.world
            path = urlsplit(unsubscribe_url(public, KEY, ADDRESS, world.policy.id, world.now)).path
            assert path.startswith("/ups/links/unsubscribe/")
            assert (await pages.client.get(path)).status_code == 200
            assert (await pages.client.get(path.removeprefix("/ups/links"))).status_code == 200
            assert (await pages.client.get("/ups/links/")).status_code == 404


async def test_a_link_of_sixty_days_ago_says_that_it_is_old(pages: Pages) -> None:
    made = pages.world.now - UNSUBSCRIBE_VALID_MS
    path = urlsplit(unsubscribe_url(URL, KEY, ADDRESS, pages.world.policy.id, made)).path
    answer = await pages.client.post(path, data=ONE_CLICK)
    assert answer.status_code == 404
    assert "60 days" in answer.text


def with_links(folder: Path, **more: str) -> None:
    settings = {"public_url": URL, "listen_links": "127.0.0.1:0", **more}
    with (folder / "cloud.yaml").open("a") as file:
        file.writelines(f'{name}: "{value}"\n' for name, value in settings.items() if value)


def test_the_role_serves_links_signed_with_the_key_of_the_folder(tmp_path: Path, start: Start) -> None:
    folder = init(tmp_path / "cloud", "127.0.0.1:0").root
    with_links(folder)
    process = start("cloud", "run", "--dir", folder, "--only", "links", ready=["links"])
    with Registry(folder / "data" / "registry.sqlite3") as registry:
        world = World(registry, now_ms())
        key = load_link_key(folder / "authority" / "links.key")
        path = urlsplit(unsubscribe_url(URL, key, ADDRESS, world.policy.id, world.now)).path
        host, port = parse_address(process.address("links"))
        answer = httpx.post(f"http://{host}:{port}{path}", data=ONE_CLICK, headers={"Host": HOST}, timeout=20)
        assert answer.status_code == 200
        with registry.reading() as connection:
            assert [one.state for one in alerting.waiting(connection)] == [State.WAITING]
            assert heard.all_unsubscribed(connection)
    assert process.terminate() == 0
    assert process.stdout.splitlines() == [f"ready: links {process.address('links')}"]
    assert path.rpartition("/")[2] not in process.stderr


@pytest.mark.parametrize("lacks", ["public_url", "listen_links"])
def test_the_role_does_not_run_without_what_it_needs(tmp_path: Path, start: Start, lacks: str) -> None:
    folder = init(tmp_path / "cloud", "127.0.0.1:0").root
    with_links(folder, **{lacks: ""})
    process = start("cloud", "run", "--dir", folder, "--only", "links")
    assert process.ended() == 2
    assert lacks in process.stderr


def test_s23_a_key_that_others_may_read_signs_nothing(tmp_path: Path, start: Start) -> None:
    folder = init(tmp_path / "cloud", "127.0.0.1:0").root
    with_links(folder)
    (folder / "authority" / "links.key").chmod(0o640)
    process = start("cloud", "run", "--dir", folder, "--only", "links")
    assert process.ended() == 1
    assert "chmod 600" in process.stderr
