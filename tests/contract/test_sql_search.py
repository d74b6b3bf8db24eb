"""Listing and searching: literal, whatever the case, newest first, page by page, only one's own."""

from __future__ import annotations

import pytest
from tests.support.postgres import Sql

NAMES = [
    "50% off",
    "500 off",
    "snake_case",
    "snakeXcase",
    r"back\slash",
    "back/slash",
    "star*light",
    "starlight",
    "ÄRGER über Straßen",
    "Договор",
    'quote\'s "here"',
    "a.b,c:(d)",
]


def search(sql: Sql, text: str | None) -> set[str]:
    with sql.as_user(sql.alice):
        return {row["name"] for row in sql.rows("select name from public.search_datasets(%s)", text)}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("50%", {"50% off"}),
        ("%", {"50% off"}),
        ("_", {"snake_case"}),
        ("\\", {r"back\slash"}),
        (r"\%", set()),
        ("*", {"star*light"}),
        ("r*l", {"star*light"}),
        ("SNAKE_C", {"snake_case"}),
        ("ärger ÜBER", {"ÄRGER über Straßen"}),
        ("дОГОВОР", {"Договор"}),
        ("'s \"", {'quote\'s "here"'}),
        ("b,c:(d", {"a.b,c:(d)"}),
        ("^5", set()),
        (".", {"a.b,c:(d)"}),
        ("", set(NAMES)),
        (None, set(NAMES)),
    ],
)
def test_search_is_literal_and_ignores_case(sql: Sql, text: str | None, found: set[str]) -> None:
    for name in NAMES:
        sql.new_dataset(sql.alice, name=name)
    sql.new_dataset(sql.bob, name="50% off, snake_case, " + r"back\slash star*light")
    assert search(sql, text) == found


def test_filters_combine(sql: Sql) -> None:
    sql.new_dataset(sql.alice, name="one", format="brightrun_lora_v3")
    ready = sql.dataset_in("ready")
    deleted = sql.new_dataset(sql.alice, name="gone")
    with sql.as_user(sql.alice):
        sql.rows("update public.datasets set deleted_at = now() where id = %s", deleted["id"])

        def found(**parameters: object) -> list[str]:
            given = ", ".join(f"{name} => %s" for name in parameters)
            query = f"select name from public.search_datasets({given}) order by created_at, id"
            return [row["name"] for row in sql.rows(query, *parameters.values())]

        assert found() == ["one", ready["name"]]
        assert found(p_status="ready") == [ready["name"]]
        assert found(p_format="brightrun_lora_v3") == ["one"]
        assert found(p_status="ready", p_format="brightrun_lora_v3") == []
        assert found(p_search="ON", p_status="uploading") == ["one"]
        assert found(p_deleted=True) == ["gone"]


def test_service_code_sees_everybodys(sql: Sql) -> None:
    rows = {sql.new_dataset(owner)["id"] for owner in (sql.alice, sql.bob)}
    with sql.as_service():
        assert rows <= {row["id"] for row in sql.rows("select id from public.search_datasets()")}


def test_first_page_comes_from_the_listing_index(sql: Sql) -> None:
    """The function is inlined, so the order and limit that PostgREST adds reach the index."""
    with sql.as_user(sql.alice):
        for number in range(300):
            sql.rows(
                "insert into public.datasets (name, id, storage_path, file_name, file_size) "
                "select 'set ' || %s, id, %s || '/' || id || '/a.jsonl', 'a.jsonl', 1 from gen_random_uuid() id",
                *(number, str(sql.alice)),
            )
    sql.rows("analyze public.datasets")
    with sql.as_user(sql.alice):
        plan = sql.rows(
            "explain select * from public.search_datasets(p_search => null) order by created_at desc, id limit 25"
        )
    text = "\n".join(line["QUERY PLAN"] for line in plan)
    assert "Function Scan" not in text, text
    assert "datasets_listing_idx" in text, text
