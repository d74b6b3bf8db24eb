"""The auth service over HTTP: sign-up, password, rotation, user, logout, and GoTrue's error shapes."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import httpx
import pytest
from tests.support.workspace import RunningServer, User

API_VERSION = {"X-Supabase-Api-Version": "2024-01-01"}


def refresh(server: RunningServer, token: str) -> httpx.Response:
    with server.client() as client:
        return client.post("/auth/v1/token?grant_type=refresh_token", json={"refresh_token": token})


def claims_of(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))


def error_code(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["x-sb-error-code"] == answer.json()["error_code"]
    return answer.status_code, answer.headers["x-sb-error-code"]


def test_sign_up_answers_a_session_with_all_claims(alice: User) -> None:
    claims = claims_of(alice.token)
    assert claims["aud"] == claims["role"] == "authenticated"
    assert claims["sub"] == alice.id
    assert claims["email"] == alice.email
    assert claims["aal"] == "aal1"
    assert claims["session_id"]
    assert claims["exp"] - claims["iat"] == alice.session["expires_in"] == 3600
    assert abs(alice.session["expires_at"] - time.time() - 3600) < 60
    assert alice.session["token_type"] == "bearer"
    user = alice.session["user"]
    assert user["app_metadata"] == {"provider": "email", "providers": ["email"]}
    assert [identity["provider"] for identity in user["identities"]] == ["email"]


def test_an_address_is_taken_once_whatever_its_case(workspace_server: RunningServer, alice: User) -> None:
    with workspace_server.client() as client:
        answer = client.post("/auth/v1/signup", json={"email": alice.email.upper(), "password": "another-one"})
    assert error_code(answer) == (422, "user_already_exists")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"email": "x@example.org", "password": "12345"}, (422, "weak_password")),
        ({"email": "not-an-address", "password": "long enough"}, (400, "validation_failed")),
        ({"email": "x@example.org"}, (400, "validation_failed")),
        ({"email": 7, "password": "long enough"}, (400, "bad_json")),
        ([], (400, "bad_json")),
    ],
)
def test_a_bad_sign_up_is_refused(workspace_server: RunningServer, body: Any, expected: tuple[int, str]) -> None:
    with workspace_server.client() as client:
        assert error_code(client.post("/auth/v1/signup", json=body)) == expected


def test_password_signs_in_and_a_wrong_one_does_not(workspace_server: RunningServer, alice: User) -> None:
    with workspace_server.client() as client:
        good = client.post(
            "/auth/v1/token?grant_type=password", json={"email": alice.email.upper(), "password": alice.password}
        )
        bad = client.post(
            "/auth/v1/token?grant_type=password", json={"email": alice.email, "password": alice.password + "x"}
        )
        unknown = client.post(
            "/auth/v1/token?grant_type=password", json={"email": "nobody@example.org", "password": "whatever"}
        )
    assert good.json()["user"]["id"] == alice.id
    assert error_code(bad) == error_code(unknown) == (400, "invalid_credentials")


def test_errors_have_two_shapes(workspace_server: RunningServer, alice: User) -> None:
    body = {"email": alice.email, "password": "wrong password"}
    with workspace_server.client() as client:
        old = client.post("/auth/v1/token?grant_type=password", json=body)
        new = client.post("/auth/v1/token?grant_type=password", json=body, headers=API_VERSION)
    message = "Invalid login credentials"
    assert old.json() == {"code": 400, "error_code": "invalid_credentials", "msg": message}
    assert new.json() == {"code": "invalid_credentials", "message": message}
    assert new.headers["x-sb-error-code"] == "invalid_credentials"


def test_refresh_rotates(workspace_server: RunningServer, alice: User) -> None:
    first = alice.session["refresh_token"]
    second = refresh(workspace_server, first).json()
    assert second["refresh_token"] != first
    assert second["user"]["id"] == alice.id
    assert claims_of(second["access_token"])["session_id"] == claims_of(alice.token)["session_id"]


def test_the_parent_of_the_active_token_answers_the_active_one(workspace_server: RunningServer, alice: User) -> None:
    """A client that lost the answer of a refresh asks again with the token it has."""
    first = alice.session["refresh_token"]
    second = refresh(workspace_server, first).json()["refresh_token"]
    assert refresh(workspace_server, first).json()["refresh_token"] == second
    assert refresh(workspace_server, second).status_code == 200


def test_an_older_token_ends_the_whole_family(workspace_server: RunningServer, alice: User) -> None:
    first = alice.session["refresh_token"]
    second = refresh(workspace_server, first).json()["refresh_token"]
    third = refresh(workspace_server, second).json()["refresh_token"]
    assert error_code(refresh(workspace_server, first)) == (400, "refresh_token_already_used")
    assert error_code(refresh(workspace_server, third)) == (400, "refresh_token_already_used")


def test_unknown_and_empty_refresh_tokens(workspace_server: RunningServer) -> None:
    assert error_code(refresh(workspace_server, "no-such-token")) == (400, "refresh_token_not_found")
    empty = refresh(workspace_server, "")
    assert empty.status_code == 400
    assert set(empty.json()) == {"error", "error_description"}


def test_user_reads_and_changes(workspace_server: RunningServer, alice: User, bob: User) -> None:
    with alice.client() as client:
        assert client.get("/auth/v1/user").json()["email"] == alice.email
        changed = client.put("/auth/v1/user", json={"data": {"nick": "A"}, "password": "a new password"}).json()
        assert changed["user_metadata"] == {"nick": "A"}
        assert error_code(client.put("/auth/v1/user", json={"email": bob.email})) == (422, "email_exists")
        assert error_code(client.put("/auth/v1/user", json={"password": "x"})) == (422, "weak_password")
    with workspace_server.client() as client:
        body = {"email": alice.email, "password": "a new password"}
        assert client.post("/auth/v1/token?grant_type=password", json=body).status_code == 200
        body["password"] = alice.password
        assert client.post("/auth/v1/token?grant_type=password", json=body).status_code == 400


def second_session(user: User) -> User:
    with user.server.client() as client:
        answer = client.post(
            "/auth/v1/token?grant_type=password", json={"email": user.email, "password": user.password}
        )
    return User(user.server, user.email, user.password, answer.json())


@pytest.mark.parametrize(
    ("scope", "own_ends", "other_ends"), [("local", True, False), ("others", False, True), ("global", True, True)]
)
def test_logout_scopes(alice: User, scope: str, own_ends: bool, other_ends: bool) -> None:
    other = second_session(alice)
    with alice.client() as client:
        assert client.post(f"/auth/v1/logout?scope={scope}").status_code == 204
    for session, ends in ((alice, own_ends), (other, other_ends)):
        with session.client() as client:
            user, rows = client.get("/auth/v1/user"), client.get("/rest/v1/datasets")
        assert user.status_code == (403 if ends else 200)
        assert not ends or error_code(user) == (403, "session_not_found")
        # As on a hosted project the data services go on until the token expires.
        assert rows.status_code == 200
        renewed = refresh(alice.server, session.session["refresh_token"])
        assert renewed.status_code == (400 if ends else 200)


def test_logout_refuses_an_unknown_scope_and_a_missing_token(workspace_server: RunningServer, alice: User) -> None:
    with alice.client() as client:
        assert error_code(client.post("/auth/v1/logout?scope=planet")) == (400, "validation_failed")
    with workspace_server.bare_client(apikey=workspace_server.anon_key) as client:
        assert error_code(client.get("/auth/v1/user")) == (401, "no_authorization")


def test_a_token_signed_with_another_secret_is_refused(alice: User) -> None:
    head, payload, _signature = alice.token.split(".")
    with alice.server.client(f"{head}.{payload}.{'A' * 43}") as client:
        assert error_code(client.get("/auth/v1/user")) == (403, "bad_jwt")
        assert client.get("/rest/v1/datasets").json()["code"] == "PGRST301"


def test_the_unsigned_algorithm_is_refused(alice: User) -> None:
    head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    with alice.server.client(f"{head}.{alice.token.split('.')[1]}.") as client:
        assert client.get("/rest/v1/datasets").status_code == 401


@pytest.mark.parametrize("path", ["/auth/v1/settings", "/rest/v1/datasets", "/functions/v1/validate-dataset"])
def test_the_project_key_is_required(workspace_server: RunningServer, path: str) -> None:
    with workspace_server.bare_client() as client:
        assert client.get(path).json()["message"] == "No API key found in request"
        wrong = client.get(path, headers={"apikey": "wrong"})
    assert (wrong.status_code, wrong.json()["message"]) == (401, "Invalid API key")


def test_a_users_token_is_no_project_key(alice: User) -> None:
    with alice.server.bare_client() as client:
        assert client.get("/rest/v1/datasets", headers={"apikey": alice.token}).status_code == 401


def test_the_workspaces_own_user_signs_in(workspace_server: RunningServer) -> None:
    body = {"email": workspace_server.info["email"], "password": workspace_server.info["password"]}
    with workspace_server.client() as client:
        assert client.post("/auth/v1/token?grant_type=password", json=body).status_code == 200


def test_what_is_missing_says_so(workspace_server: RunningServer) -> None:
    with workspace_server.client() as client:
        for path in ("otp", "verify", "recover", "admin/users", "factors/x/verify"):
            assert error_code(client.post(f"/auth/v1/{path}", json={})) == (501, "not_supported")
        assert client.get("/auth/v1/settings").json()["mailer_autoconfirm"] is True
        assert client.get("/auth/v1/health").status_code == 200
