-- Tables: uploaded datasets and the notifications that tell their owner about a verdict.
-- Written so that it also lifts a project that already has the original two tables: what exists is kept,
-- missing columns are added, and rules are NOT VALID first, so that old rows cannot stop the migration.

create table if not exists public.datasets (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid() references auth.users (id) on delete cascade,
  name varchar(200) not null,
  description text,
  format varchar(50) not null default 'brightrun_lora_v4',
  status varchar(50) not null default 'uploading',
  storage_bucket varchar(100) not null default 'lora-datasets',
  storage_path text not null unique,
  file_name varchar(255) not null,
  file_size bigint not null,
  total_training_pairs integer,
  total_validation_pairs integer,
  total_tokens bigint,
  avg_turns_per_conversation numeric(10, 2),
  avg_tokens_per_turn numeric(10, 2),
  training_ready boolean not null default false,
  validated_at timestamptz,
  validation_errors jsonb,
  sample_data jsonb,
  error_message text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz
);

-- Integrity columns: what the client measured, what the server saw, how far a validation came.
alter table public.datasets add column if not exists checksums jsonb;
alter table public.datasets add column if not exists object_version text;
alter table public.datasets add column if not exists validation_progress jsonb;
alter table public.datasets alter column user_id set default auth.uid();

create table if not exists public.notifications (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  type varchar(50) not null,
  title varchar(200) not null,
  message text not null,
  priority varchar(20) not null default 'medium',
  read boolean not null default false,
  action_url text,
  metadata jsonb,
  created_at timestamptz not null default now()
);

-- Is this the checksum manifest a client makes for a file of that many bytes: SHA-256 of the whole and of
-- every 32 MiB slice? A manifest of any other shape would be found wrong only in the middle of a validation.
create or replace function public.is_checksum_manifest(p_manifest jsonb, p_file_size bigint)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_slice_size constant bigint := 33554432;
begin
  if jsonb_typeof(p_manifest) is distinct from 'object'
    or jsonb_typeof(p_manifest -> 'slices') is distinct from 'array'
  then
    return false;
  end if;
  return coalesce(p_manifest ->> 'algorithm', '') = 'sha256'
    and coalesce(p_manifest ->> 'whole', '') ~ '^[0-9a-f]{64}$'
    and coalesce(p_manifest ->> 'slice_size', '') = v_slice_size::text
    and jsonb_array_length(p_manifest -> 'slices') = (p_file_size + v_slice_size - 1) / v_slice_size
    and not exists (
      select 1
      from jsonb_array_elements(p_manifest -> 'slices') as slice (hash)
      where slice.hash #>> '{}' is null or slice.hash #>> '{}' !~ '^[0-9a-f]{64}$'
    )
    and p_manifest - array['algorithm', 'whole', 'slice_size', 'slices'] = '{}'::jsonb;
end;
$$;

comment on function public.is_checksum_manifest(jsonb, bigint) is
  'True for {"algorithm":"sha256","whole":hex,"slice_size":33554432,"slices":[hex,...]} that fits the size.';

do $$
declare
  v_rule record;
begin
  for v_rule in
    select *
    from (values
      ('datasets_name_check',
       $rule$char_length(name) between 2 and 200 and name !~ '[\u0001-\u001f\u007f-\u009f]'$rule$),
      ('datasets_format_check',
       $rule$format in ('brightrun_lora_v4', 'brightrun_lora_v3')$rule$),
      ('datasets_status_check',
       $rule$status in ('uploading', 'validating', 'ready', 'error')$rule$),
      ('datasets_storage_bucket_check',
       $rule$storage_bucket = 'lora-datasets'$rule$),
      ('datasets_file_name_check',
       $rule$char_length(file_name) between 1 and 255 and file_name not in ('.', '..')
         and file_name !~ '[/\\\u0001-\u001f\u007f-\u009f]'$rule$),
      ('datasets_file_size_check',
       $rule$file_size between 1 and 524288000$rule$),
      ('datasets_checksums_check',
       $rule$checksums is null or public.is_checksum_manifest(checksums, file_size)$rule$)
    ) as rules (name, condition)
  loop
    execute format('alter table public.datasets drop constraint if exists %I', v_rule.name);
    execute format(
      'alter table public.datasets add constraint %I check (%s) not valid', v_rule.name, v_rule.condition
    );
    begin
      execute format('alter table public.datasets validate constraint %I', v_rule.name);
    exception
      when check_violation then
        raise notice 'Older rows break %; the rule binds new and changed rows only.', v_rule.name;
    end;
  end loop;
end;
$$;

comment on table public.datasets is 'One row for each uploaded LoRA dataset; the bytes are in Storage.';
comment on column public.datasets.storage_path is 'Path inside the bucket: {user_id}/{id}/{safe file name}. Never a URL.';
comment on column public.datasets.checksums is 'SHA-256 of the file and of its 32 MiB slices, made by the client; set once.';
comment on column public.datasets.object_version is 'Version of the storage object seen when the upload was confirmed.';
comment on column public.datasets.validation_progress is 'Checkpoint of a validation that runs in slices.';
