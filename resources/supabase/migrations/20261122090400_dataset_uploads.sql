-- Calls that move an upload on: confirm, validate again, take back, and the limits a client must know.
-- All run as their owner (so that they can read Storage's tables) with an empty search path, check the caller
-- themselves, and give one answer for "not there" and "not yours".
--
-- Errors use PTnnn, which PostgREST turns into HTTP status nnn (P0002 would come out as 500). The machine
-- readable reason is in the error's detail: dataset_not_found, dataset_deleted, object_missing,
-- object_size_mismatch, object_swapped, object_exists, checksums_differ, wrong_status.

-- Size and version of the whole object at a path, no row when there is none. Storage tests row-level security
-- with an insert it rolls back; such a probe has no eTag and is no object.
create or replace function public.stored_object(p_bucket text, p_path text)
returns table (version text, size_bytes bigint)
language sql
stable
security definer
set search_path = ''
as $$
  select objects.version, (objects.metadata ->> 'size')::bigint
  from storage.objects
  where objects.bucket_id = p_bucket and objects.name = p_path and objects.metadata ? 'eTag';
$$;

-- Locks and returns the caller's row.
create or replace function public.own_dataset_for_update(p_id uuid)
returns public.datasets
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_user_id constant uuid := auth.uid();
  v_dataset public.datasets;
begin
  if v_user_id is null then
    raise exception 'Sign in first' using errcode = '42501', detail = 'no_user';
  end if;
  select * into v_dataset from public.datasets where id = p_id and user_id = v_user_id for update;
  if not found then
    raise exception 'Dataset not found' using errcode = 'PT404', detail = 'dataset_not_found';
  end if;
  return v_dataset;
end;
$$;

-- Raises unless the object of that row is whole and is the one that was confirmed, if one was. Returns its version.
create or replace function public.require_stored_object(p_dataset public.datasets)
returns text
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_object record;
begin
  select * into v_object from public.stored_object(p_dataset.storage_bucket, p_dataset.storage_path);
  if not found then
    raise exception 'The file has not arrived in storage'
      using errcode = 'PT409', detail = 'object_missing', hint = 'Upload the file, then confirm.';
  end if;
  if p_dataset.object_version is not null and v_object.version is distinct from p_dataset.object_version then
    raise exception 'The file in storage was replaced after its upload was confirmed'
      using errcode = 'PT409', detail = 'object_swapped', hint = 'Upload the file again as a new dataset.';
  end if;
  if v_object.size_bytes is distinct from p_dataset.file_size then
    raise exception 'The file in storage has % bytes, expected %', v_object.size_bytes, p_dataset.file_size
      using errcode = 'PT422', detail = 'object_size_mismatch', hint = 'Upload the file again as a new dataset.';
  end if;
  return v_object.version;
end;
$$;

-- The upload is complete: records the object's version and hands the dataset to validation. The same answer when
-- repeated, so a client that lost the first answer may ask again.
create or replace function public.confirm_dataset_upload(p_id uuid, p_checksums jsonb default null)
returns public.datasets
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_dataset public.datasets := public.own_dataset_for_update(p_id);
  v_version text;
begin
  if v_dataset.deleted_at is not null then
    raise exception 'The dataset was deleted' using errcode = 'PT409', detail = 'dataset_deleted';
  end if;
  v_version := public.require_stored_object(v_dataset);
  if p_checksums is not null
    and p_checksums is distinct from v_dataset.checksums
    and (v_dataset.checksums is not null or v_dataset.status <> 'uploading')
  then
    raise exception 'Other checksums were recorded for this dataset'
      using errcode = 'PT422', detail = 'checksums_differ';
  end if;
  if v_dataset.status <> 'uploading' then
    return v_dataset;
  end if;

  update public.datasets
  set status = 'validating',
      object_version = v_version,
      checksums = coalesce(checksums, p_checksums)
  where id = p_id
  returning * into v_dataset;
  return v_dataset;
end;
$$;

-- Sends a dataset that ended in error to validation once more. Harmless when it is being validated already.
create or replace function public.revalidate_dataset(p_id uuid)
returns public.datasets
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_dataset public.datasets := public.own_dataset_for_update(p_id);
begin
  if v_dataset.deleted_at is not null then
    raise exception 'The dataset was deleted' using errcode = 'PT409', detail = 'dataset_deleted';
  end if;
  if v_dataset.status = 'validating' then
    return v_dataset;
  end if;
  if v_dataset.status <> 'error' then
    raise exception 'Only a dataset in error can be validated again, this one is %', v_dataset.status
      using errcode = 'PT409', detail = 'wrong_status';
  end if;
  perform public.require_stored_object(v_dataset);

  update public.datasets
  set status = 'validating',
      total_training_pairs = null,
      total_validation_pairs = null,
      total_tokens = null,
      avg_turns_per_conversation = null,
      avg_tokens_per_turn = null,
      training_ready = false,
      validated_at = null,
      validation_errors = null,
      sample_data = null,
      error_message = null,
      validation_progress = null
  where id = p_id
  returning * into v_dataset;
  return v_dataset;
end;
$$;

-- Removes the caller's row for good, and only after its object: deleting object rows by SQL is blocked by
-- Storage, since it would leave the bytes behind with nothing pointing at them.
create or replace function public.purge_dataset(p_id uuid)
returns uuid
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_dataset constant public.datasets := public.own_dataset_for_update(p_id);
begin
  if exists (select 1 from public.stored_object(v_dataset.storage_bucket, v_dataset.storage_path)) then
    raise exception 'The file of this dataset is still in storage'
      using errcode = 'PT409', detail = 'object_exists',
        hint = 'Remove the object through the Storage API first, then purge the dataset.';
  end if;
  delete from public.datasets where id = p_id;
  return p_id;
end;
$$;

-- What a client may upload. Clients cannot read storage.buckets, so they ask here.
create or replace function public.upload_limits()
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  select jsonb_build_object(
    'bucket', buckets.id,
    'file_size_limit', buckets.file_size_limit,
    'allowed_mime_types', to_jsonb(buckets.allowed_mime_types),
    'schema_version', 1
  )
  from storage.buckets
  where buckets.id = 'lora-datasets';
$$;

-- Revoking from anon alone would leave the EXECUTE that PUBLIC has on every new function.
revoke all on function public.stored_object(text, text) from public, anon, authenticated, service_role;
revoke all on function public.own_dataset_for_update(uuid) from public, anon, authenticated, service_role;
revoke all on function public.require_stored_object(public.datasets) from public, anon, authenticated, service_role;
revoke all on function public.confirm_dataset_upload(uuid, jsonb) from public, anon, authenticated, service_role;
revoke all on function public.revalidate_dataset(uuid) from public, anon, authenticated, service_role;
revoke all on function public.purge_dataset(uuid) from public, anon, authenticated, service_role;
revoke all on function public.upload_limits() from public, anon, authenticated, service_role;
grant execute on function public.confirm_dataset_upload(uuid, jsonb) to authenticated;
grant execute on function public.revalidate_dataset(uuid) to authenticated;
grant execute on function public.purge_dataset(uuid) to authenticated;
grant execute on function public.upload_limits() to authenticated, service_role;
