"""Addresses and keys: which are taken, in which form, and which are refused before anything is stored or sent."""

from __future__ import annotations

import base64
import json
from itertools import product

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorry.core.config import LOCAL_PROJECT, ServerConfig, check_origin, check_public_key
from lorry.core.errors import ConfigError, ErrorCode

PUBLIC_KEY = "sb_publishable_abcDEF123"

HOSTS = {
    "abcdefghijkl.supabase.co": "abcdefghijkl.supabase.co",
    "Project.Example.ORG": "project.example.org",
    "my_host.internal": "my_host.internal",
    "a-b.c-d.example": "a-b.c-d.example",
    "localhost": "localhost",
    "127.0.0.1": "127.0.0.1",
    "10.1.2.3": "10.1.2.3",
    "[::1]": "[::1]",
    "[2001:db8::7]": "[2001:db8::7]",
    "bücher.example": "xn--bcher-kva.example",
    "Bücher.Example": "xn--bcher-kva.example",
    "例え.テスト": "xn--r8jz45g.xn--zckzah",
    "xn--bcher-kva.example": "xn--bcher-kva.example",
}
PORTS = {"": "", ":443": "", ":8443": ":8443", ":65535": ":65535"}
ENDS = ("", "/")

LOOPBACK = ("localhost", "127.0.0.1", "127.0.0.2", "[::1]", "LOCALHOST")

REFUSED = (
    "",
    " ",
    "project.example.org",
    "//project.example.org",
    "https:",
    "https:/",
    "https://",
    "https:///",
    "https:project.example.org",
    "https:/project.example.org",
    "https:///project.example.org",
    "https://:443",
    "ftp://project.example.org",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "postgres://postgres:secret@db.example.org:5432/postgres",
    "ws://project.example.org",
    "httpss://project.example.org",
    # user information
    "https://user@project.example.org",
    "https://user:pass@project.example.org",
    "https://:pass@project.example.org",
    "https://@project.example.org",
    "https://project.example.org@evil.example",
    "https://project.example.org:443@evil.example",
    # more than an origin
    "https://project.example.org/rest/v1",
    "https://project.example.org//",
    "https://project.example.org?key=1",
    "https://project.example.org/?a",
    "https://project.example.org/#top",
    "https://project.example.org#top",
    "https://supabase.com/dashboard/project/abc",
    # characters that readers of addresses disagree about
    "https://project.example.org\\@evil.example",
    "https:\\\\project.example.org",
    "https://project.example.org\\",
    "https://project .example.org",
    "https://project.example.org /",
    "https://project\t.example.org",
    "https://project\n.example.org",
    "https://project.example.org\r\nX-Evil: 1",
    "https://project\x00.example.org",
    "https://project\x7f.example.org",
    "https://project%2eexample.org",
    "https://project.example.org%00.evil.example",
    'https://exa"mple.org',
    "https://exa<mple.org",
    "https://exa|mple.org",
    "https://exa'mple.org",
    "https://exa,mple.org",
    "https://exa*mple.org",
    "https://{ref}.supabase.co",
    "https://<ref>.supabase.co",
    "https://$REF.supabase.co",
    # host names that are none
    "https://.",
    "https://..",
    "http://localhost.",
    "https://.example.org",
    "https://example..org",
    "https://" + "a" * 64 + ".example.org",
    "https://" + "ä" * 64 + ".example.org",
    "https://" + ".".join(["abcdefgh"] * 32) + ".org",
    # characters that would turn into another host
    "https://stra\u00dfe.example",
    "https://\uff45xample.org",
    "https://example\u3002org",
    "https://exam\u200bple.org",
    "https://exam\u202eple.org",
    "https://exam\u00adple.org",
    "https://\u2100.example",
    # ports
    "https://project.example.org:0",
    "https://project.example.org:65536",
    "https://project.example.org:-1",
    "https://project.example.org:abc",
    "https://project.example.org:4 43",
    "https://project.example.org:１２",
    # IPv6
    "https://[::1",
    "https://::1]",
    "https://[::1]x",
    "https://[]",
    "https://[::g]",
    "https://[fe80::1%25eth0]",
    "https://[1.2.3.4]",
    "https://2001:db8::7",
)
PLAIN_HTTP_REFUSED = (
    "project.example.org",
    "localhost.example.org",
    "127.0.0.1.example.org",
    "127.1",
    "2130706433",
    "0.0.0.0",  # noqa: S104 - an address to refuse
    "10.0.0.1",
    "192.168.1.5",
    "169.254.169.254",
    "[2001:db8::7]",
    "[::]",
    "[fe80::1]",
    "xn--bcher-kva.example",
)


def refusal(url: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        check_origin(url)
    return caught.value


@pytest.mark.parametrize(("host", "port", "end"), list(product(HOSTS, PORTS, ENDS)))
def test_an_https_origin_is_taken_in_its_plain_form(host: str, port: str, end: str) -> None:
    assert check_origin(f"https://{host}{port}{end}") == f"https://{HOSTS[host]}{PORTS[port]}"


@pytest.mark.parametrize(("host", "port"), list(product(LOOPBACK, ("", ":80", ":54321"))))
def test_plain_http_is_for_this_computer(host: str, port: str) -> None:
    assert check_origin(f"http://{host}{port}") == f"http://{host.lower()}" + (port if port == ":54321" else "")


@pytest.mark.parametrize("host", PLAIN_HTTP_REFUSED)
def test_plain_http_to_any_other_computer_is_refused(host: str) -> None:
    error = refusal(f"http://{host}:8000")
    assert error.code is ErrorCode.BAD_SETTING
    assert "https://" in str(error.context["reason"])


@pytest.mark.parametrize("url", REFUSED)
def test_what_is_no_origin_is_refused_with_a_reason(url: str) -> None:
    error = refusal(url)
    assert error.code is ErrorCode.BAD_SETTING
    assert error.context["field"] == "LORRY_URL"
    assert str(error.context["reason"]).startswith(("it ", "its "))


@pytest.mark.parametrize(("before", "after"), [(" ", " "), ("\t", "\n"), ("\n", "\r\n")])
def test_spaces_around_a_pasted_address_do_not_matter(before: str, after: str) -> None:
    assert check_origin(f"{before}https://project.example.org{after}") == "https://project.example.org"


@given(st.text(max_size=60))
def test_no_text_makes_anything_but_an_origin_or_a_refusal(text: str) -> None:
    for candidate in (text, f"https://{text}", f"https://a{text}.example", f"http://127.0.0.1{text}"):
        try:
            origin = check_origin(candidate)
        except ConfigError:
            continue
        # What was accepted is exactly what httpx will call; otherwise the key would go somewhere else.
        assert str(httpx.URL(f"{origin}/rest/v1")) == f"{origin}/rest/v1"
        assert check_origin(origin) == origin


def jwt(**claims: object) -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, claims)
    return ".".join([*(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts), "c2ln"])


ANON = jwt(role="anon", iss="supabase", exp=2_000_000_000)
SECRETS = (
    jwt(role="service_role", iss="supabase"),
    jwt(role="supabase_admin"),
    jwt(role="postgres"),
    jwt(role="authenticated"),
    "sb_secret_abcdefghijklmnop",
    "SB_SECRET_abcdefghijklmnop",
    "postgres://postgres:hunter2@db.example.org:5432/postgres",
    "postgresql://postgres:hunter2@db.example.org:5432/postgres",
)
WRAPPINGS = (
    "{}",
    " {} ",
    '"{}"',
    "'{}'",
    "Bearer {}",
    "bearer {}",
    "BEARER  {}",
    '"Bearer {}"',
    'Bearer "{}"',
    "Bearer '{}'\n",
    "\"'{}'\"",
    "\n{}\n",
)


@pytest.mark.parametrize(("key", "wrapping"), list(product((PUBLIC_KEY, ANON), WRAPPINGS)))
def test_a_public_key_is_freed_of_what_was_copied_along(key: str, wrapping: str) -> None:
    assert check_public_key(wrapping.format(key)) == key


@pytest.mark.parametrize(
    "key", [ANON[:30] + "\n" + ANON[30:], ANON[:9] + "\r\n  " + ANON[9:], f"{ANON[:5]} {ANON[5:]}"]
)
def test_a_key_broken_over_lines_is_joined(key: str) -> None:
    assert check_public_key(key) == ANON


@pytest.mark.parametrize(("secret", "wrapping"), list(product(SECRETS, (*WRAPPINGS, "SUPABASE_KEY={}"))))
def test_a_secret_key_is_refused_however_it_is_wrapped(secret: str, wrapping: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_public_key(wrapping.format(secret))
    assert caught.value.code is ErrorCode.SECRET_KEY
    assert secret not in f"{caught.value!r} {caught.value.context} {caught.value.detail}"


@pytest.mark.parametrize("key", ["", "  ", '""', "Bearer", "Bearer ", "'\n'", "clé", "“sb_publishable_x”", "a\x00b"])
def test_a_key_that_cannot_be_one_is_refused(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_public_key(key)
    assert caught.value.code is ErrorCode.BAD_SETTING
    assert caught.value.context["field"] == "LORRY_KEY"


NESTED = f"a.{base64.urlsafe_b64encode(b'[' * 99999).decode()}.c"


@pytest.mark.parametrize(
    "key", ["a.b.c", "a.!!!.c", "a.é.c", f"x.{base64.b64encode(b'[1]').decode()}.y", "a..c", NESTED]
)
def test_what_only_looks_like_a_token_does_no_harm(key: str) -> None:
    try:
        assert check_public_key(key) == key
    except ConfigError as error:
        assert error.code is ErrorCode.BAD_SETTING and not key.isascii()


def test_without_settings_there_is_no_project() -> None:
    assert ServerConfig.from_environment({}) is None
    assert ServerConfig.from_environment({"LORRY_URL": "  ", "LORRY_KEY": "", "LORRY_EMAIL": "a@b.example"}) is None


@pytest.mark.parametrize("missing", ["LORRY_URL", "LORRY_KEY"])
def test_half_a_setting_names_the_missing_half(missing: str) -> None:
    settings = {"LORRY_URL": "https://project.example.org", "LORRY_KEY": PUBLIC_KEY, missing: " "}
    with pytest.raises(ConfigError) as caught:
        ServerConfig.from_environment(settings)
    assert caught.value.code is ErrorCode.BAD_SETTING
    assert caught.value.context["field"] == missing


def test_the_environment_names_project_and_account() -> None:
    config = ServerConfig.from_environment(
        {
            "LORRY_URL": "https://Project.example.org/",
            "LORRY_KEY": f"Bearer {PUBLIC_KEY}",
            "LORRY_EMAIL": " mara@example.org ",
            "LORRY_PASSWORD": " secret with spaces ",
        }
    )
    assert config is not None
    assert (config.url, config.key, config.email) == ("https://project.example.org", PUBLIC_KEY, "mara@example.org")
    assert config.password == " secret with spaces "
    assert "secret with spaces" not in repr(config)
    assert (config.project, config.is_local_workspace) == ("project.example.org", False)
    local = ServerConfig.create("http://127.0.0.1:5000", PUBLIC_KEY, is_local_workspace=True)
    assert local.project == LOCAL_PROJECT
