"""supabase-js, which nobody here wrote, against the workspace server."""

from __future__ import annotations

from typing import Any

import pytest
from tests.interop.conftest import RunScript
from tests.support.workspace import RunningServer


@pytest.fixture(scope="module")
def seen(run_script: RunScript, workspace_server: RunningServer) -> dict[str, Any]:
    """What the script observed, run once."""
    return run_script("supabase_js.ts", url=workspace_server.url, anonKey=workspace_server.anon_key)


def test_the_main_road(seen: dict[str, Any]) -> None:
    assert seen["signed_up"] is True
    assert (seen["insert"], seen["bulk_insert_status"]) == ("uploading", 201)
    assert seen["uploaded_path"].endswith("/data.jsonl")
    assert seen["confirmed"] == "validating"
    assert seen["invoked"] == {"success": True, "data": {"status": "validating"}}
    assert seen["verdict"] == {"status": "ready", "total_training_pairs": 4000}


def test_the_bytes_come_back_unchanged(seen: dict[str, Any]) -> None:
    assert seen["downloaded_sha256"] == seen["sent_sha256"]
    assert seen["info_size"] == seen["size"]
    assert seen["range"] == [206, f"bytes 0-9/{seen['size']}", '{"conversa']
    assert seen["exists"] is True
    assert seen["folder"] == ["data.jsonl"]


def test_lists_filters_and_counts(seen: dict[str, Any]) -> None:
    second, third, first = "Second, (set)", 'third "set"', "JS main road"
    assert seen["page"] == {"count": 3, "names": [second, third], "status": 206}
    assert seen["counted"] == 3
    assert seen["filters"] == {
        "ilike": [first],
        "in": [second, third],
        "or": [second, third],
        "is": [second, third],
        "not": [first],
        "match": [third],
        "gte_lt": [second],
    }
    assert seen["search"] == {"count": 2, "data": [{"name": second}]}
    assert seen["maybe"] == [None, None]
    assert seen["renamed"] == [{"name": "Renamed"}]


def test_a_second_user_sees_nothing_of_it(seen: dict[str, Any]) -> None:
    assert seen["second_user"] == {
        "rows": 0,
        "updated": [],
        "download": True,
        "signed": "Object not found",
        "list": [],
        "removed": [],
        "sign_upload": "new row violates row-level security policy",
        "rpc": [404, "Dataset not found"],
        "function_status": 404,
    }


def test_errors_arrive_as_the_official_client_knows_them(seen: dict[str, Any]) -> None:
    assert seen["errors"] == {
        "no_table": [404, "PGRST205"],
        "no_column": [400, "42703"],
        "embedding": [501, "not_supported"],
        "twice": [409, "23505"],
        "forbidden": [403, "42501"],
        "exists": "The resource already exists",
        "wrong_password": "invalid_credentials",
        "weak_password": "weak_password",
    }


def test_the_session_is_refreshed_and_ends(seen: dict[str, Any]) -> None:
    assert seen["refreshed"] is True
    assert seen["signed_out"] is None
    assert seen["after_sign_out"] == "42501"
    assert seen["refresh_after_sign_out"] == "refresh_token_not_found"
    assert seen["signs_in_again"] is True
