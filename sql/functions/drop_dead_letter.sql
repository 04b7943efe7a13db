-- Takes a dead letter out of sight for good, into the archive, with the reason somebody gives. Answers 'dropped', or
-- 'dropped_and_order_failed' when its order was still in progress and has no other message: then nobody would decide it
-- any more, so it fails as dead_lettered and its unit goes back to the sale.
-- Hazards: the dead letter, then its order, then as dead_letter takes them.
create or replace function ops.drop_dead_letter(p_msg_id bigint, p_why text) returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '5s'
as $$
declare
    v_letter   constant jsonb := flashsale.lock_dead_letter(p_msg_id);
    v_named    constant text := v_letter -> 'message' ->> 'order_id';
    v_order_id uuid;
    v_answer   text := 'dropped';
begin
    if coalesce(length(btrim(p_why)), 0) not between 1 and 500 then
        raise exception 'a dead letter is dropped with a reason of 1 to 500 characters, for whoever asks later'
            using errcode = 'invalid_parameter_value',
            hint = format('select ops.drop_dead_letter(%s, ''sent by hand, see ticket 7'');', p_msg_id);
    end if;
    select o.order_id into v_order_id
    from flashsale.orders o
    where o.order_id = case when flashsale.is_uuid(v_named) then v_named::uuid end and o.status = 'in_progress'
    for no key update;
    if found and not flashsale.is_queued(v_order_id) then
        perform flashsale.fail_order(v_order_id);
        v_answer := 'dropped_and_order_failed';
    end if;
    perform flashsale.file_dead_letter(p_msg_id, 'dropped', btrim(p_why));
    return v_answer;
end
$$;
