-- Listing and searching, and the indexes behind it.

-- The caller's datasets whose name contains the text, ignoring case and taking every character literally. A
-- pattern operator in a URL cannot do that: '*', '%' and '_' would be wildcards. Empty text finds everything.
-- Runs as the caller, so row-level security decides; plain SQL without settings, so that the planner can inline
-- it and the order and limit given by PostgREST reach the index.
create or replace function public.search_datasets(
  p_search text default null,
  p_status text default null,
  p_format text default null,
  p_deleted boolean default false
)
returns setof public.datasets
language sql
stable
security invoker
as $$
  select datasets.*
  from public.datasets
  where (datasets.deleted_at is not null) = p_deleted
    and (p_status is null or datasets.status = p_status)
    and (p_format is null or datasets.format = p_format)
    and (
      coalesce(p_search, '') = ''
      or pg_catalog.strpos(pg_catalog.lower(datasets.name), pg_catalog.lower(p_search)) > 0
    );
$$;

revoke all on function public.search_datasets(text, text, text, boolean) from public, anon;
grant execute on function public.search_datasets(text, text, text, boolean) to authenticated, service_role;

-- Newest first, page by page, also by (created_at, id) instead of an offset.
create index if not exists datasets_listing_idx
  on public.datasets (user_id, created_at desc, id) where deleted_at is null;
-- What changed since the last look.
create index if not exists datasets_changes_idx on public.datasets (user_id, updated_at);
-- Rows left in validation, oldest first: few at any time.
create index if not exists datasets_waiting_idx on public.datasets (updated_at) where status = 'validating';
create index if not exists notifications_listing_idx on public.notifications (user_id, created_at desc);
