-- Moves a dead letter that somebody has handled to the archive of its queue, with what was done, by whom and why
-- (ops.handled_dead_letters). session_user: the caller is security definer, so current_user is its owner.
create or replace function flashsale.file_dead_letter(p_msg_id bigint, p_handled text, p_why text) returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
    update pgmq.q_purchases_dead d
    set headers = coalesce(d.headers, '{}') || jsonb_strip_nulls(jsonb_build_object(
        'handled', p_handled, 'handled_by', session_user, 'why', p_why
    ))
    where d.msg_id = p_msg_id;
    select pgmq.archive('purchases_dead', p_msg_id);
$$;
