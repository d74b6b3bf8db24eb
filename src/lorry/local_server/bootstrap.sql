-- What a Supabase project brings before its first migration: the roles, the schemas auth and storage with the
-- columns this server and the project's migrations use, and the default privileges that hand new tables and
-- functions to every role (kept, so that the migrations have to take them back here as well).
--
-- Runs in one transaction as a superuser. What exists is left as it is: a real Storage or Auth service may own
-- its schema in the same database.

-- Roles ----------------------------------------------------------------------------------------------------

do $$
declare
  v_role record;
begin
  for v_role in
    select *
    from (values
      ('anon', 'nologin noinherit'),
      ('authenticated', 'nologin noinherit'),
      ('service_role', 'nologin noinherit bypassrls'),
      ('authenticator', 'login noinherit'),
      ('supabase_auth_admin', 'nologin noinherit createrole'),
      ('supabase_storage_admin', 'nologin noinherit createrole'),
      -- Owns what the migrations make. No superuser, so its SECURITY DEFINER functions can do no more than it.
      ('postgres', 'nologin createdb createrole bypassrls'),
      -- The gateway of the embedded server: its own bookkeeping in auth and storage, and every request's role.
      ('lorry_gateway', 'nologin inherit bypassrls')
    ) as roles (name, attributes)
  loop
    if not exists (select 1 from pg_catalog.pg_roles where rolname = v_role.name) then
      execute format('create role %I %s', v_role.name, v_role.attributes);
    end if;
  end loop;
end;
$$;

grant anon, authenticated, service_role, supabase_storage_admin, supabase_auth_admin to authenticator;
grant anon, authenticated, service_role, supabase_storage_admin, supabase_auth_admin to lorry_gateway;

-- Auth -----------------------------------------------------------------------------------------------------

create schema if not exists auth authorization supabase_auth_admin;

create table if not exists auth.users (
  id uuid primary key default gen_random_uuid(),
  aud varchar(255) default 'authenticated',
  role varchar(255) default 'authenticated',
  email varchar(255),
  encrypted_password varchar(255),
  email_confirmed_at timestamptz,
  last_sign_in_at timestamptz,
  raw_app_meta_data jsonb default '{"provider": "email", "providers": ["email"]}',
  raw_user_meta_data jsonb default '{}',
  banned_until timestamptz,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create unique index if not exists users_email_lower_key on auth.users (lower(email));

create table if not exists auth.identities (
  id uuid primary key default gen_random_uuid(),
  provider_id text not null,
  user_id uuid not null references auth.users (id) on delete cascade,
  identity_data jsonb not null,
  provider text not null,
  last_sign_in_at timestamptz,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  unique (provider_id, provider)
);
create index if not exists identities_user_id_idx on auth.identities (user_id);

create table if not exists auth.sessions (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  refreshed_at timestamptz,
  not_after timestamptz,
  aal text default 'aal1',
  user_agent text,
  ip inet
);
create index if not exists sessions_user_id_idx on auth.sessions (user_id);

create table if not exists auth.refresh_tokens (
  id bigserial primary key,
  token varchar(255) not null unique,
  user_id uuid not null references auth.users (id) on delete cascade,
  session_id uuid references auth.sessions (id) on delete cascade,
  parent varchar(255),
  revoked boolean not null default false,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create index if not exists refresh_tokens_session_idx on auth.refresh_tokens (session_id, revoked);
create index if not exists refresh_tokens_parent_idx on auth.refresh_tokens (parent);

do $$
begin
  if to_regprocedure('auth.jwt()') is null then
    create function auth.jwt() returns jsonb language sql stable as $fn$
      select coalesce(
        nullif(current_setting('request.jwt.claim', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')
      )::jsonb
    $fn$;
  end if;
  if to_regprocedure('auth.uid()') is null then
    create function auth.uid() returns uuid language sql stable as $fn$
      select coalesce(
        nullif(current_setting('request.jwt.claim.sub', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'
      )::uuid
    $fn$;
  end if;
  if to_regprocedure('auth.role()') is null then
    create function auth.role() returns text language sql stable as $fn$
      select coalesce(
        nullif(current_setting('request.jwt.claim.role', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'
      )
    $fn$;
  end if;
end;
$$;

-- Storage --------------------------------------------------------------------------------------------------

create schema if not exists storage authorization supabase_storage_admin;

create table if not exists storage.buckets (
  id text primary key,
  name text not null unique,
  owner uuid,
  owner_id text,
  public boolean default false,
  avif_autodetection boolean default false,
  file_size_limit bigint,
  allowed_mime_types text[],
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);

create table if not exists storage.objects (
  id uuid primary key default gen_random_uuid(),
  bucket_id text references storage.buckets (id),
  name text,
  owner uuid,
  owner_id text,
  version text,
  metadata jsonb,
  user_metadata jsonb,
  path_tokens text[] generated always as (string_to_array(name, '/')) stored,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  last_accessed_at timestamptz default now()
);
create unique index if not exists bucketid_objname on storage.objects (bucket_id, name);
create index if not exists name_prefix_search on storage.objects (name text_pattern_ops);

-- On, not forced: the tables' owner, the Storage service, writes past it after it has tested the caller's rights.
do $$
declare
  v_table text;
begin
  foreach v_table in array array['storage.buckets', 'storage.objects'] loop
    if not (select relrowsecurity from pg_catalog.pg_class where oid = v_table::regclass) then
      execute format('alter table %s enable row level security', v_table);
    end if;
  end loop;
end;
$$;

do $$
begin
  if to_regprocedure('storage.foldername(text)') is null then
    create function storage.foldername(name text) returns text[] language sql immutable as $fn$
      select (string_to_array(name, '/'))[1 : cardinality(string_to_array(name, '/')) - 1]
    $fn$;
  end if;
  if to_regprocedure('storage.filename(text)') is null then
    create function storage.filename(name text) returns text language sql immutable as $fn$
      select (string_to_array(name, '/'))[cardinality(string_to_array(name, '/'))]
    $fn$;
  end if;
  if to_regprocedure('storage.extension(text)') is null then
    create function storage.extension(name text) returns text language sql immutable as $fn$
      select reverse(split_part(reverse(storage.filename(name)), '.', 1))
    $fn$;
  end if;
  if to_regprocedure('storage.protect_delete()') is null then
    -- Deleting a row by SQL would leave its bytes behind; the Storage service sets this for its own deletes.
    create function storage.protect_delete() returns trigger language plpgsql as $fn$
    begin
      if coalesce(current_setting('storage.allow_delete_query', true), '') <> 'true' then
        raise exception 'Direct deletion from storage tables is not allowed. Use the Storage API instead.'
          using errcode = '42501', hint = 'This prevents objects without a row that would be left behind.';
      end if;
      return null;
    end
    $fn$;
  end if;
  if not exists (select 1 from pg_catalog.pg_trigger where tgname = 'protect_objects_delete') then
    create trigger protect_objects_delete before delete on storage.objects
      for each statement execute function storage.protect_delete();
    create trigger protect_buckets_delete before delete on storage.buckets
      for each statement execute function storage.protect_delete();
  end if;
end;
$$;

-- Ownership and grants -------------------------------------------------------------------------------------

-- Only what this script has just made still belongs to the role that runs it.
do $$
declare
  v_object record;
begin
  for v_object in
    select format('table %s', c.oid::regclass) as target, n.nspname
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('auth', 'storage') and c.relkind = 'r' and c.relowner = current_user::regrole
    union all
    select format('function %s', p.oid::regprocedure), n.nspname
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname in ('auth', 'storage') and p.proowner = current_user::regrole
  loop
    execute format('alter %s owner to %I', v_object.target, 'supabase_' || v_object.nspname || '_admin');
  end loop;
end;
$$;

grant usage on schema auth to anon, authenticated, service_role, postgres;
grant all on all tables in schema auth to postgres;
grant usage on schema storage to anon, authenticated, service_role, postgres;
grant all on storage.buckets, storage.objects to anon, authenticated, service_role, postgres;
grant usage on schema public to anon, authenticated, service_role;
grant all on schema public to postgres;
-- Lets the migrations' owner make policies on Storage's tables, as it may on a hosted project.
grant supabase_storage_admin to postgres;

alter default privileges for role postgres in schema public
  grant all on tables to postgres, anon, authenticated, service_role;
alter default privileges for role postgres in schema public
  grant all on functions to postgres, anon, authenticated, service_role;
alter default privileges for role postgres in schema public
  grant all on sequences to postgres, anon, authenticated, service_role;
