"""What the `public` schema holds: relations, columns and functions, read from PostgreSQL's catalogue.

Every identifier a request names is looked up here before it is put into SQL. The picture is read again when
a request names something unknown (at most once a second), as migrations may run beside the server.
Event loop thread only.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from lorry.local_server.role_connections import RoleConnections

RELOAD_PAUSE_S = 1.0

_RELATIONS = b"""
select c.relname, a.attname,
       format_type(a.atttypid, a.atttypmod) as full_type, format_type(a.atttypid, null) as bare_type,
       case when a.attgenerated = '' and a.attidentity = '' then pg_get_expr(d.adbin, d.adrelid) end as default_sql,
       coalesce(a.attnum = any(k.indkey), false) as is_key
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'public'
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
  left join pg_index k on k.indrelid = c.oid and k.indisprimary
 where c.relkind in ('r', 'v', 'm', 'p')
 order by c.relname, a.attnum
"""

_FUNCTIONS = b"""
select p.proname, p.pronargdefaults, p.proretset, t.typtype, rt.typrelid::regclass::text as row_type,
       format_type(p.prorettype, null) as return_type, c.relname,
       coalesce(p.proargnames, '{}') as names, coalesce(p.proargmodes::text[], '{}') as modes,
       array(select format_type(u.t, null)
               from unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) with ordinality u(t, o)
              order by u.o) as types
  from pg_proc p
  join pg_namespace n on n.oid = p.pronamespace and n.nspname = 'public'
  join pg_type t on t.oid = p.prorettype
  left join pg_type rt on rt.oid = p.prorettype and rt.typrelid <> 0
  left join pg_class c on c.oid = rt.typrelid and c.relnamespace = n.oid
 where p.prokind = 'f' and p.provariadic = 0
   and t.typname not in ('trigger', 'event_trigger', 'internal')
"""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `full_type` keeps the length (varchar(200)), `bare_type` is for comparing."""

    name: str
    full_type: str
    bare_type: str
    default_sql: str | None = None


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view of `public`, its columns in order, its primary key's columns."""

    name: str
    columns: dict[str, Column]
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """A callable function: input arguments (name to type), how many have defaults, what it returns."""

    name: str
    arguments: dict[str, str]
    default_count: int
    returns_set: bool
    return_type: str
    columns: dict[str, Column] | None

    def accepts(self, given: set[str]) -> bool:
        """Whether a call naming exactly these arguments is possible (defaults are the last ones)."""
        names = list(self.arguments)
        required = set(names[: len(names) - self.default_count])
        return required <= given <= set(names)


@dataclass
class Catalogue:
    """A cached picture of `public`; `relation` and `function` return None for what does not exist."""

    connections: RoleConnections
    _relations: dict[str, Relation] = field(default_factory=dict)
    _functions: dict[str, list[Function]] = field(default_factory=dict)
    _loaded_at_s: float = 0.0

    async def load(self) -> None:
        """Read everything again."""
        async with self.connections.as_server() as connection:
            relation_rows = await (await connection.execute(_RELATIONS)).fetchall()
            function_rows = await (await connection.execute(_FUNCTIONS)).fetchall()
        columns: dict[str, dict[str, Column]] = {}
        keys: dict[str, list[str]] = {}
        for row in relation_rows:
            column = Column(row["attname"], row["full_type"], row["bare_type"], row["default_sql"])
            columns.setdefault(row["relname"], {})[column.name] = column
            if row["is_key"]:
                keys.setdefault(row["relname"], []).append(column.name)
        self._relations = {
            name: Relation(name, relation_columns, tuple(keys.get(name, ())))
            for name, relation_columns in columns.items()
        }
        self._functions = {}
        for row in function_rows:
            self._functions.setdefault(row["proname"], []).append(self._function(row))
        self._loaded_at_s = time.monotonic()

    def _function(self, row: dict[str, object]) -> Function:
        names, modes, types = row["names"], row["modes"], row["types"]
        assert isinstance(names, list) and isinstance(modes, list) and isinstance(types, list)  # noqa: S101
        names += [""] * (len(types) - len(names))
        modes = modes or ["i"] * len(types)
        named = list(zip(names, modes, types, strict=True))
        outputs = {name: Column(name, kind, kind) for name, mode, kind in named if mode in ("o", "b", "t")}
        relation = self._relations.get(str(row["relname"]))
        return Function(
            name=str(row["proname"]),
            arguments={name: kind for name, mode, kind in named if mode in ("i", "b")},
            default_count=int(str(row["pronargdefaults"])),
            returns_set=bool(row["proretset"]),
            return_type=str(row["return_type"]),
            columns=relation.columns if relation else outputs or None,
        )

    async def relation(self, name: str) -> Relation | None:
        """Look a table or view up."""
        if name not in self._relations:
            await self._reload_if_due()
        return self._relations.get(name)

    async def functions(self, name: str) -> list[Function]:
        """All overloads of a function, none when it does not exist."""
        if name not in self._functions:
            await self._reload_if_due()
        return self._functions.get(name, [])

    def relation_names(self) -> list[str]:
        """Names of all tables and views, sorted."""
        return sorted(self._relations)

    async def _reload_if_due(self) -> None:
        if time.monotonic() - self._loaded_at_s > RELOAD_PAUSE_S:
            await self.load()
