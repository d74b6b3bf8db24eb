-- Validation in many short runs: who may work on a dataset at the moment, where the work stands, and what must be
-- remembered of a file until its end. Used by the Edge Function validate-dataset with the service key alone.
--
-- A run claims a dataset (claim_validation), works on a stretch of its file, saves (save_validation) and lets go; the
-- next run goes on. A claim is a lease: when a run dies, the dataset can be claimed again after it. Every claim has a
-- token of its own, and a save or an end with an old one is refused, so a run that was only slow does no harm.
--
-- validation_progress of the row is the checkpoint: {"run", "lease_until", "attempts", "object_version", "size",
-- "part", "next_byte", …}.
-- What grows with the file (hashes of ids and contents) is kept in validation_records and emptied at the end.
--
-- Rows can be left in 'validating' when a run dies and nobody asks again. Where the project has the extensions pg_cron
-- and pg_net, this asks every five minutes; the service key is read from Vault, where it must be put once by
-- select vault.create_secret('<service role key>', 'service_role_key'):
--
--   select cron.schedule('lorry-validate-waiting', '*/5 * * * *', $job$
--     select net.http_post(
--       url := 'https://<project>.supabase.co/functions/v1/validate-dataset',
--       headers := jsonb_build_object(
--         'Content-Type', 'application/json',
--         'Authorization', 'Bearer ' ||
--           (select decrypted_secret from vault.decrypted_secrets where name = 'service_role_key')),
--       body := '{}'::jsonb)
--     where exists (
--       select 1 from public.datasets
--       where status = 'validating' and updated_at < now() - interval '10 minutes');
--   $job$);
--
-- Without them any scheduler that sends POST {} with the service key to the function does the same.

create table if not exists public.validation_records (
  dataset_id uuid not null references public.datasets (id) on delete cascade,
  table_name text not null,
  bucket smallint not null,
  part integer not null,
  records bytea not null,
  primary key (dataset_id, table_name, bucket, part)
);

comment on table public.validation_records is
  'Hashes of ids and contents of files being validated, in buckets; only the validation reads and writes it.';

-- Nobody gets at the table but through the functions below, which run as its owner.
alter table public.validation_records enable row level security;
alter table public.validation_records force row level security;
revoke all on public.validation_records from public, anon, authenticated, service_role;

-- Takes a dataset that waits for validation. Returns null when it cannot be taken: it has ended, or another run has it.
-- Else the row's columns that a validation needs, its checkpoint, how often it was taken since that was saved, the
-- object as it is in storage now ("object", null when it is gone), and whether an older dataset of the same user has
-- the same bytes.
create or replace function public.claim_validation(p_id uuid, p_lease_s integer)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_dataset public.datasets;
  v_object record;
  v_run constant uuid := gen_random_uuid();
  v_attempts integer;
  v_until constant timestamptz := clock_timestamp() + make_interval(secs => p_lease_s);
begin
  if p_lease_s is null or p_lease_s not between 1 and 3600 then
    raise exception 'A lease lasts 1 to 3600 seconds' using errcode = 'PT422', detail = 'wrong_lease';
  end if;
  select * into v_dataset
  from public.datasets
  where id = p_id
    and status = 'validating'
    and coalesce((validation_progress ->> 'lease_until')::timestamptz, '-infinity') <= clock_timestamp()
  for update skip locked;
  if not found then
    return null;
  end if;

  -- A checkpoint of another object is worth nothing.
  if v_dataset.validation_progress ->> 'object_version' is distinct from v_dataset.object_version then
    v_dataset.validation_progress := null;
    delete from public.validation_records where dataset_id = v_dataset.id;
  end if;
  v_attempts := coalesce((v_dataset.validation_progress ->> 'attempts')::integer, 0) + 1;
  update public.datasets
  set validation_progress = coalesce(v_dataset.validation_progress, '{}'::jsonb) || jsonb_build_object(
    'run', v_run, 'lease_until', v_until, 'attempts', v_attempts, 'object_version', v_dataset.object_version
  )
  where id = v_dataset.id;

  select objects.version, (objects.metadata ->> 'size')::bigint as size_bytes, objects.metadata ->> 'mimetype' as type,
    buckets.allowed_mime_types is null
      or split_part(objects.metadata ->> 'mimetype', ';', 1) = any (buckets.allowed_mime_types) as is_allowed_type
  into v_object
  from storage.objects
  join storage.buckets on buckets.id = objects.bucket_id
  where objects.bucket_id = v_dataset.storage_bucket
    and objects.name = v_dataset.storage_path
    and objects.metadata ? 'eTag';

  return jsonb_build_object(
    'run', v_run,
    'attempts', v_attempts,
    'id', v_dataset.id,
    'format', v_dataset.format,
    'file_name', v_dataset.file_name,
    'file_size', v_dataset.file_size,
    'storage_bucket', v_dataset.storage_bucket,
    'storage_path', v_dataset.storage_path,
    'checksums', v_dataset.checksums,
    'object_version', v_dataset.object_version,
    'progress', v_dataset.validation_progress,
    'object', case when v_object.version is not null then to_jsonb(v_object) end,
    'is_known_content', exists (
      select 1
      from public.datasets as other
      where other.user_id = v_dataset.user_id
        and other.id <> v_dataset.id
        and other.created_at < v_dataset.created_at
        and other.deleted_at is null
        and other.status in ('ready', 'error')
        and other.file_size = v_dataset.file_size
        and other.checksums -> 'slices' = v_dataset.checksums -> 'slices'
    )
  );
end;
$$;

-- Locks a dataset that this run has claimed; raises when it has ended or belongs to another run by now.
create or replace function public.claimed_validation(p_id uuid, p_run uuid)
returns public.datasets
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_dataset public.datasets;
begin
  select * into v_dataset from public.datasets where id = p_id for update;
  if not found then
    raise exception 'Dataset not found' using errcode = 'PT404', detail = 'dataset_not_found';
  end if;
  if v_dataset.status <> 'validating' or v_dataset.validation_progress ->> 'run' is distinct from p_run::text then
    raise exception 'Another run validates this dataset' using errcode = 'PT409', detail = 'lease_lost';
  end if;
  return v_dataset;
end;
$$;

-- Saves a checkpoint and the records collected since the last one, together or not at all, and lets go of the dataset.
-- p_records: [{"table", "bucket", "records": base64}, …].
create or replace function public.save_validation(p_id uuid, p_run uuid, p_progress jsonb, p_records jsonb default '[]')
returns void
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_dataset constant public.datasets := public.claimed_validation(p_id, p_run);
  v_part constant integer := coalesce((v_dataset.validation_progress ->> 'part')::integer, 0) + 1;
begin
  insert into public.validation_records (dataset_id, table_name, bucket, part, records)
  select p_id, record ->> 'table', (record ->> 'bucket')::smallint, v_part, decode(record ->> 'records', 'base64')
  from jsonb_array_elements(p_records) as record;

  update public.datasets
  set validation_progress = p_progress || jsonb_build_object(
    'run', null, 'lease_until', null, 'attempts', 0, 'object_version', v_dataset.object_version, 'size', v_dataset.file_size,
    'part', v_part
  )
  where id = p_id;
end;
$$;

-- The records of some buckets, in the order of the file: [{"table", "bucket", "records": base64}, …].
create or replace function public.validation_records_of(p_id uuid, p_run uuid, p_buckets integer[])
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform public.claimed_validation(p_id, p_run);
  return coalesce(
    (
      select jsonb_agg(
        jsonb_build_object(
          'table', table_name, 'bucket', bucket, 'records', translate(encode(records, 'base64'), E'\n', '')
        )
        order by part
      )
      from public.validation_records
      where dataset_id = p_id and bucket = any (p_buckets)
    ),
    '[]'::jsonb
  );
end;
$$;

-- Ends a validation that this run has claimed; see finish_validation.
create or replace function public.end_validation(p_id uuid, p_run uuid, p_object_version text, p_result jsonb)
returns public.datasets
language plpgsql
security definer
set search_path = ''
as $$
begin
  perform public.claimed_validation(p_id, p_run);
  return public.finish_validation(p_id, p_object_version, p_result);
end;
$$;

-- However a validation ends, its records go with it.
create or replace function public.drop_validation_records()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  delete from public.validation_records where dataset_id = new.id;
  return null;
end;
$$;

drop trigger if exists drop_validation_records on public.datasets;
create trigger drop_validation_records after update of status on public.datasets
  for each row when (old.status = 'validating' and new.status <> 'validating')
  execute function public.drop_validation_records();

revoke all on function public.claim_validation(uuid, integer) from public, anon, authenticated, service_role;
revoke all on function public.claimed_validation(uuid, uuid) from public, anon, authenticated, service_role;
revoke all on function public.save_validation(uuid, uuid, jsonb, jsonb) from public, anon, authenticated, service_role;
revoke all on function public.validation_records_of(uuid, uuid, integer[])
  from public, anon, authenticated, service_role;
revoke all on function public.end_validation(uuid, uuid, text, jsonb) from public, anon, authenticated, service_role;
revoke all on function public.drop_validation_records() from public, anon, authenticated, service_role;
grant execute on function public.claim_validation(uuid, integer) to service_role;
grant execute on function public.save_validation(uuid, uuid, jsonb, jsonb) to service_role;
grant execute on function public.validation_records_of(uuid, uuid, integer[]) to service_role;
grant execute on function public.end_validation(uuid, uuid, text, jsonb) to service_role;
