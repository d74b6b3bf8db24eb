-- How a validation ends: service code hands in its result in one call, and the row, its statistics and the
-- owner's notification change together.

-- p_object_version is the version that was read; p_result has "status" (ready or error) and any of
-- total_training_pairs, total_validation_pairs, total_tokens, avg_turns_per_conversation, avg_tokens_per_turn,
-- validation_errors, sample_data, error_message. Repeating it for a finished run changes nothing and notifies
-- nobody. 'ready' demands that the object is still the one that was read.
create or replace function public.finish_validation(p_id uuid, p_object_version text, p_result jsonb)
returns public.datasets
language plpgsql
security definer
set search_path = ''
as $$
declare
  v_dataset public.datasets;
  v_status constant text := p_result ->> 'status';
begin
  if v_status is null or v_status not in ('ready', 'error') then
    raise exception 'A validation ends in ready or error, not %', coalesce(v_status, 'nothing')
      using errcode = 'PT422', detail = 'wrong_result';
  end if;
  select * into v_dataset from public.datasets where id = p_id for update;
  if not found then
    raise exception 'Dataset not found' using errcode = 'PT404', detail = 'dataset_not_found';
  end if;
  if v_dataset.object_version is distinct from p_object_version then
    raise exception 'Another object than the validated one was confirmed for this dataset'
      using errcode = 'PT409', detail = 'object_swapped';
  end if;
  if v_dataset.status in ('ready', 'error') then
    return v_dataset;
  end if;
  if v_dataset.status <> 'validating' then
    raise exception 'The dataset is not being validated, it is %', v_dataset.status
      using errcode = 'PT409', detail = 'wrong_status';
  end if;
  if v_status = 'ready' then
    perform public.require_stored_object(v_dataset);
  end if;

  update public.datasets
  set status = v_status,
      training_ready = (v_status = 'ready'),
      validated_at = clock_timestamp(),
      total_training_pairs = (p_result ->> 'total_training_pairs')::integer,
      total_validation_pairs = (p_result ->> 'total_validation_pairs')::integer,
      total_tokens = (p_result ->> 'total_tokens')::bigint,
      avg_turns_per_conversation = (p_result ->> 'avg_turns_per_conversation')::numeric,
      avg_tokens_per_turn = (p_result ->> 'avg_tokens_per_turn')::numeric,
      validation_errors = nullif(p_result -> 'validation_errors', 'null'::jsonb),
      sample_data = nullif(p_result -> 'sample_data', 'null'::jsonb),
      error_message = p_result ->> 'error_message',
      validation_progress = null
  where id = p_id
  returning * into v_dataset;

  insert into public.notifications (user_id, type, title, message, priority, metadata, created_at)
  values (
    v_dataset.user_id,
    case v_status when 'ready' then 'dataset_ready' else 'dataset_error' end,
    case v_status when 'ready' then 'Dataset ready' else 'Dataset has errors' end,
    case v_status
      when 'ready' then format('"%s" passed validation.', v_dataset.name)
      else format('"%s" did not pass validation: %s', v_dataset.name,
        coalesce(v_dataset.error_message, 'see the findings'))
    end,
    case v_status when 'ready' then 'medium' else 'high' end,
    jsonb_build_object('dataset_id', v_dataset.id, 'status', v_status),
    v_dataset.validated_at
  );
  return v_dataset;
end;
$$;

revoke all on function public.finish_validation(uuid, text, jsonb) from public, anon, authenticated, service_role;
grant execute on function public.finish_validation(uuid, text, jsonb) to service_role;
