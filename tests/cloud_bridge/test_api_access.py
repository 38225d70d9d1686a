"""Who may do what through the REST API, and how its tokens are kept."""

from __future__ import annotations

import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_bridge.api_access import (
    MARK,
    SECRET_BYTES,
    SOMEBODY_HERE,
    TOKEN_LENGTH,
    ApiToken,
    Caller,
    NotAllowed,
    NoToken,
    Scope,
    TokenForm,
    caller_with,
    check_scope,
    digest_of,
    needed,
    shown_in,
    token_text,
)
from cloud_bridge.errors import NotThere, Taken
from cloud_bridge.host_header import host_of, hosts_of_api
from cloud_bridge.runtime import api_tokens
from cloud_bridge.store.registry import schema
from cloud_bridge.store.registry.registry import Registry

NOW = 1_790_000_000_000
SECRET = bytes(range(SECRET_BYTES))
TOKEN = token_text(SECRET)

secrets = st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES)


def kept(**more: object) -> ApiToken:
    row = ApiToken(digest=digest_of(TOKEN), name="grafana", scopes=frozenset({Scope.READ}), created_at=NOW)
    return msgspec.structs.replace(row, **more)


def test_a_token_shows_what_it_is_and_is_kept_as_its_sha_256() -> None:
    assert TOKEN == "rt1_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    assert digest_of(TOKEN) == hashlib.sha256(TOKEN.encode()).hexdigest()


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/v1/alerts/{alert}/why", Scope.READ),
        ("GET", "/v1/channels/{owner}/{channel}", Scope.READ),
        ("GET", "/v1/health", Scope.READ),
        ("POST", "/v1/alerts/{alert}/acknowledge", Scope.RESPOND),
        ("POST", "/v1/alerts/{alert}/assign", Scope.RESPOND),
        ("POST", "/v1/alerts/{alert}/note", Scope.RESPOND),
        ("POST", "/v1/channels/{owner}/{channel}/test", Scope.TEST),
        ("POST", "/v1/owners", Scope.WRITE),
        ("DELETE", "/v1/mutes/{gateway}/{unit}", Scope.WRITE),
        ("PUT", "/v1/routes", Scope.WRITE),
        ("GET", "/v1/tokens", Scope.TOKENS),
        ("POST", "/v1/tokens", Scope.TOKENS),
        ("DELETE", "/v1/tokens/{token}", Scope.TOKENS),
        ("POST", "/v1/what/nobody/thought/of", Scope.WRITE),
    ],
    ids=lambda value: str(value),
)
def test_each_route_takes_a_scope(method: str, path: str, scope: Scope) -> None:
    assert needed(method, path) is scope


@given(st.sampled_from(["GET", "POST", "PUT", "DELETE"]), st.text(max_size=60), st.sets(st.sampled_from(Scope)))
def test_nobody_without_the_scope_gets_through_and_nobody_with_it_is_kept_out(
    method: str, path: str, scopes: set[Scope]
) -> None:
    caller, scope = Caller("x", frozenset(scopes)), needed(method, path)
    check_scope(SOMEBODY_HERE, method, path)
    if scope in scopes:
        check_scope(caller, method, path)
    else:
        with pytest.raises(NotAllowed, match=scope):
            check_scope(caller, method, path)


def test_a_good_token_is_its_name_and_scopes() -> None:
    assert caller_with(shown_in(f"bearer {TOKEN}"), kept(), NOW) == Caller("grafana", frozenset({Scope.READ}))


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(None, id="unknown"),
        pytest.param(kept(revoked_at=NOW - 1), id="revoked"),
        pytest.param(kept(expires_at=NOW), id="ran out"),
        pytest.param(kept(digest="0" * 64), id="another's row"),
    ],
)
def test_s25_a_token_that_is_not_good_is_refused_in_the_same_words(row: ApiToken | None) -> None:
    with pytest.raises(NoToken) as refused:
        caller_with(TOKEN, row, NOW)
    assert str(refused.value) == str(NoToken())


@given(secrets, secrets)
def test_s25_no_other_token_opens_a_row(one: bytes, other: bytes) -> None:
    row = kept(digest=digest_of(token_text(one)))
    if one == other:
        assert caller_with(token_text(other), row, NOW).name == "grafana"
    else:
        with pytest.raises(NoToken):
            caller_with(token_text(other), row, NOW)


@given(st.text(max_size=200))
def test_any_header_is_a_token_to_look_up_or_none(header: str) -> None:
    try:
        token = shown_in(header)
    except NoToken:
        return
    assert len(token) <= TOKEN_LENGTH
    assert token.isascii()


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", f"Bearer {MARK}", f"Basic {TOKEN}", TOKEN, "Bearer " + "x" * 101, "Bearer guess"],
)
def test_s25_what_is_no_bearer_token_is_not_looked_up(header: str) -> None:
    with pytest.raises(NoToken):
        shown_in(header)


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("ups.example.net", "ups.example.net"),
        ("UPS.Example.NET:8444", "ups.example.net"),
        ("ups.example.net.", "ups.example.net"),
        ("127.0.0.1:1", "127.0.0.1"),
        ("[::1]", "::1"),
        ("[::1]:8444", "::1"),
        ("::1", None),
        ("", None),
        ("a b", None),
        ("a/b", None),
        ("user@host", None),
        ("host:port", None),
        ("host:99999", None),
        ("a" * 301, None),
    ],
)
def test_a_host_header_names_one_host_or_none(header: str, host: str | None) -> None:
    assert host_of(header) == host


def test_the_api_answers_to_its_certificate_its_address_and_this_machine() -> None:
    assert hosts_of_api("Bridge.example.net", "10.0.0.2") >= {"bridge.example.net", "10.0.0.2", "localhost", "::1"}
    assert "::" not in hosts_of_api("bridge.example.net", "::")


def test_a_token_is_made_once_listed_without_itself_and_revoked(registry: Registry) -> None:
    form = TokenForm(name="grafana", scopes=frozenset({Scope.READ, Scope.TEST}), valid_s=3600)
    made = api_tokens.make(registry, form)
    assert api_tokens.caller(registry, f"Bearer {made.token}") == Caller("grafana", form.scopes)
    (listed,) = api_tokens.all_tokens(registry)
    assert listed.scopes == (Scope.READ, Scope.TEST)
    assert made.token not in str(listed)
    with registry.reading() as connection:
        assert made.token not in str(connection.execute(schema.metadata.tables["api_tokens"].select()).all())
    with pytest.raises(Taken):
        api_tokens.make(registry, form)
    assert api_tokens.revoke(registry, "grafana").revoked_at is not None
    with pytest.raises(NoToken):
        api_tokens.caller(registry, f"Bearer {made.token}")
    with pytest.raises(Taken):  # a name in an old log stays its own
        api_tokens.make(registry, form)
    with pytest.raises(NotThere, match="api token list"):
        api_tokens.revoke(registry, "nobody")


def test_revoking_again_does_not_move_the_instant(registry: Registry) -> None:
    api_tokens.make(registry, TokenForm(name="one", scopes=frozenset({Scope.READ})))
    assert api_tokens.revoke(registry, "one") == api_tokens.revoke(registry, "one")


def test_a_scope_of_a_later_version_is_none_here(registry: Registry) -> None:
    api_tokens.make(registry, TokenForm(name="one", scopes=frozenset({Scope.READ})))
    with registry.writing() as connection:
        connection.execute(schema.metadata.tables["api_tokens"].update().values(scopes="read fly"))
    assert api_tokens.all_tokens(registry)[0].scopes == (Scope.READ,)
