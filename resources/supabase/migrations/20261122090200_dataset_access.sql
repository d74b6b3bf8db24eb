-- Who may do what with the tables: row-level security for the rows, column grants for the columns.
-- Table grants go first: while a table grant stands, revoking a column from it changes nothing.

-- Policies add up, so a wider one that an older project brought along would undo the ones below.
do $$
declare
  v_policy record;
begin
  for v_policy in
    select tablename, policyname
    from pg_catalog.pg_policies
    where schemaname = 'public' and tablename in ('datasets', 'notifications')
  loop
    execute format('drop policy %I on public.%I', v_policy.policyname, v_policy.tablename);
  end loop;
end;
$$;

alter table public.datasets enable row level security;
alter table public.datasets force row level security;
alter table public.notifications enable row level security;
alter table public.notifications force row level security;

create policy datasets_select_own on public.datasets
  for select to authenticated
  using ((select auth.uid()) = user_id);

create policy datasets_insert_own on public.datasets
  for insert to authenticated
  with check ((select auth.uid()) = user_id);

create policy datasets_update_own on public.datasets
  for update to authenticated
  using ((select auth.uid()) = user_id)
  with check ((select auth.uid()) = user_id);

create policy notifications_select_own on public.notifications
  for select to authenticated
  using ((select auth.uid()) = user_id);

create policy notifications_update_own on public.notifications
  for update to authenticated
  using ((select auth.uid()) = user_id)
  with check ((select auth.uid()) = user_id);

revoke all on public.datasets, public.notifications from public, anon, authenticated, service_role;

-- user_id, status and storage_bucket are here because existing clients send them; the insert guard lets
-- through only their one legal value. There is no DELETE: a row leaves through purge_dataset.
grant select on public.datasets to authenticated;
grant insert (
  id, user_id, name, description, format, status, storage_bucket, storage_path, file_name, file_size, checksums
) on public.datasets to authenticated;
grant update (name, description, deleted_at) on public.datasets to authenticated;

grant select on public.notifications to authenticated;
grant update (read) on public.notifications to authenticated;

grant select, insert, update, delete on public.datasets, public.notifications to service_role;

-- Default privileges hand every new function to everybody; a guard is called by its trigger alone. The two
-- pure tests run inside an insert as the inserting role, so that role needs them.
revoke all on function public.guard_dataset_insert() from public, anon, authenticated, service_role;
revoke all on function public.guard_dataset_update() from public, anon, authenticated, service_role;
revoke all on function public.is_dataset_path(text, uuid, uuid) from public, anon;
revoke all on function public.is_checksum_manifest(jsonb, bigint) from public, anon;
grant execute on function public.is_dataset_path(text, uuid, uuid) to authenticated, service_role;
grant execute on function public.is_checksum_manifest(jsonb, bigint) to authenticated, service_role;
