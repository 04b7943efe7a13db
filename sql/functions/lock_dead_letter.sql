-- One dead letter, locked until the caller's COMMIT, so that two people who handle it take turns. Raises no_data_found for
-- one there is not, saying who has handled it if somebody has.
create or replace function flashsale.lock_dead_letter(p_msg_id bigint) returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_letter  jsonb;
    v_handled jsonb;
begin
    select d.message into v_letter from pgmq.q_purchases_dead d where d.msg_id = p_msg_id for update;
    if found then
        return v_letter;
    end if;
    select h.headers into v_handled from pgmq.a_purchases_dead h where h.msg_id = p_msg_id;
    if found then
        raise exception 'dead letter % was % by % already', p_msg_id, v_handled ->> 'handled', v_handled ->> 'handled_by'
            using errcode = 'no_data_found', hint = 'See ops.handled_dead_letters.';
    end if;
    raise exception 'there is no dead letter %', p_msg_id
        using errcode = 'no_data_found', hint = 'ops.dead_letters lists those there are, by their msg_id.';
end
$$;
