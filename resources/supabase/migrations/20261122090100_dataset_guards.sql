-- Guards on public.datasets that hold for everybody, service code included: how a row begins, which parts of
-- it are frozen, and how its status may move.

-- Is this exactly {user_id}/{id}/{safe file name}? The safe name is 1 to 100 ASCII letters, digits, '.', '_'
-- or '-', and not only dots: Storage refuses other characters, and a dot segment is normalised away by
-- HTTP clients before it is sent.
create or replace function public.is_dataset_path(p_path text, p_user_id uuid, p_id uuid)
returns boolean
language sql
immutable
set search_path = ''
as $$
  select coalesce(
    starts_with(p_path, p_user_id::text || '/' || p_id::text || '/')
    and substr(p_path, length(p_user_id::text || '/' || p_id::text || '/') + 1) ~ '^[A-Za-z0-9._-]{1,100}$'
    and substr(p_path, length(p_user_id::text || '/' || p_id::text || '/') + 1) !~ '^[.]+$',
    false
  );
$$;

create or replace function public.guard_dataset_insert()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  -- A service has no uid and may create a row for any user; row-level security holds the others.
  if auth.uid() is not null and new.user_id is distinct from auth.uid() then
    raise exception 'A dataset belongs to the user who creates it'
      using errcode = '42501', detail = 'foreign_user_id';
  end if;
  if new.status is distinct from 'uploading' then
    raise exception 'A dataset starts in status uploading, not %', new.status
      using errcode = '23514', detail = 'wrong_status';
  end if;
  if new.storage_bucket is distinct from 'lora-datasets' then
    raise exception 'Datasets are kept in the bucket lora-datasets'
      using errcode = '23514', detail = 'wrong_storage_bucket';
  end if;
  if not public.is_dataset_path(new.storage_path, new.user_id, new.id) then
    raise exception 'storage_path must be {user_id}/{id}/{safe file name}'
      using errcode = '23514', detail = 'wrong_storage_path';
  end if;
  new.object_version := null;
  new.created_at := clock_timestamp();
  new.updated_at := new.created_at;
  return new;
end;
$$;

create or replace function public.guard_dataset_update()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if (new.id, new.user_id, new.created_at, new.format, new.storage_bucket, new.storage_path, new.file_name,
      new.file_size)
    is distinct from
     (old.id, old.user_id, old.created_at, old.format, old.storage_bucket, old.storage_path, old.file_name,
      old.file_size)
  then
    raise exception 'Identity, path and size of a dataset cannot change'
      using errcode = '23514', detail = 'frozen_column';
  end if;

  if new.status is distinct from old.status
    and (old.status, new.status) not in (
      ('uploading', 'validating'), ('validating', 'ready'), ('validating', 'error'), ('error', 'validating')
    )
  then
    raise exception 'A dataset cannot go from % to %', old.status, new.status
      using errcode = '23514', detail = 'wrong_status';
  end if;

  -- Checksums and the object's version describe what was uploaded: fixed when the upload is confirmed.
  if new.checksums is distinct from old.checksums
    and (old.checksums is not null or old.status is distinct from 'uploading')
  then
    raise exception 'The checksums of a dataset are set once' using errcode = '23514', detail = 'frozen_column';
  end if;
  if new.object_version is distinct from old.object_version
    and not (old.status = 'uploading' and new.status = 'validating')
  then
    raise exception 'The object version of a dataset is set when its upload is confirmed'
      using errcode = '23514', detail = 'frozen_column';
  end if;

  -- Results belong to a run: written while validating, wiped when an error is validated again.
  if (new.total_training_pairs, new.total_validation_pairs, new.total_tokens, new.avg_turns_per_conversation,
      new.avg_tokens_per_turn, new.training_ready, new.validated_at, new.validation_errors, new.sample_data,
      new.error_message, new.validation_progress)
    is distinct from
     (old.total_training_pairs, old.total_validation_pairs, old.total_tokens, old.avg_turns_per_conversation,
      old.avg_tokens_per_turn, old.training_ready, old.validated_at, old.validation_errors, old.sample_data,
      old.error_message, old.validation_progress)
    and not (old.status = 'validating' or (old.status = 'error' and new.status = 'validating'))
  then
    raise exception 'The results of a dataset change only while it is validated'
      using errcode = '23514', detail = 'frozen_column';
  end if;

  new.updated_at := clock_timestamp();
  return new;
end;
$$;

drop trigger if exists guard_dataset_insert on public.datasets;
create trigger guard_dataset_insert before insert on public.datasets
  for each row execute function public.guard_dataset_insert();

drop trigger if exists guard_dataset_update on public.datasets;
create trigger guard_dataset_update before update on public.datasets
  for each row execute function public.guard_dataset_update();
