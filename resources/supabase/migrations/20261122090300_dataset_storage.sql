-- The bucket, and who may touch which object in it. An object is reachable through its dataset row alone, by
-- the exact path: a prefix or LIKE would let '_' and '%' in an id match a neighbour.
-- Every condition says objects.name: a bare name would bind to datasets.name, the title a user may choose.

insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types)
values (
  'lora-datasets', 'lora-datasets', false, 524288000,
  array['application/x-ndjson', 'application/jsonl', 'application/json', 'application/octet-stream']
)
on conflict (id) do update
set public = excluded.public,
    file_size_limit = excluded.file_size_limit,
    allowed_mime_types = excluded.allowed_mime_types;

drop policy if exists lora_datasets_insert on storage.objects;
create policy lora_datasets_insert on storage.objects
  for insert to authenticated
  with check (
    objects.bucket_id = 'lora-datasets'
    and exists (
      select 1
      from public.datasets
      where datasets.storage_path = objects.name
        and datasets.user_id = (select auth.uid())
        and datasets.status = 'uploading'
        and datasets.deleted_at is null
    )
  );

drop policy if exists lora_datasets_select on storage.objects;
create policy lora_datasets_select on storage.objects
  for select to authenticated
  using (
    objects.bucket_id = 'lora-datasets'
    and exists (
      select 1
      from public.datasets
      where datasets.storage_path = objects.name and datasets.user_id = (select auth.uid())
    )
  );

drop policy if exists lora_datasets_delete on storage.objects;
create policy lora_datasets_delete on storage.objects
  for delete to authenticated
  using (
    objects.bucket_id = 'lora-datasets'
    and exists (
      select 1
      from public.datasets
      where datasets.storage_path = objects.name and datasets.user_id = (select auth.uid())
    )
  );

-- Permissive policies add up, and a project may have wider ones for this bucket from before. These restrictive
-- ones must hold as well, whatever else is granted: write once, and only where an open upload of this user is.
drop policy if exists lora_datasets_insert_only_open_uploads on storage.objects;
create policy lora_datasets_insert_only_open_uploads on storage.objects
  as restrictive for insert to authenticated
  with check (
    objects.bucket_id is distinct from 'lora-datasets'
    or exists (
      select 1
      from public.datasets
      where datasets.storage_path = objects.name
        and datasets.user_id = (select auth.uid())
        and datasets.status = 'uploading'
        and datasets.deleted_at is null
    )
  );

drop policy if exists lora_datasets_write_once on storage.objects;
create policy lora_datasets_write_once on storage.objects
  as restrictive for update to authenticated
  using (objects.bucket_id is distinct from 'lora-datasets')
  with check (objects.bucket_id is distinct from 'lora-datasets');

-- A policy of its own for anon, without the subquery: anon may not read datasets, and a policy that fails on that
-- would break uploads to other buckets of the project.
drop policy if exists lora_datasets_closed_to_anon on storage.objects;
create policy lora_datasets_closed_to_anon on storage.objects
  as restrictive for all to anon
  using (objects.bucket_id is distinct from 'lora-datasets')
  with check (objects.bucket_id is distinct from 'lora-datasets');
