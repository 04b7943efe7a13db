-- Gives the order of a dead letter back to the workers: a new message goes to the queue, the dead letter to the archive.
-- Answers 'replayed', or 'already_queued' when the order has a message again. Only an order still in progress can be
-- replayed: a settled order never changes, and its user was told that it failed and may have bought again since.
-- Hazards: the dead letter, then its order, both for the caller's transaction. Nobody else changes an order in progress
-- that has no message, so the row of the sale is not needed and workers do not wait.
create or replace function ops.replay_dead_letter(p_msg_id bigint) returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '5s'
as $$
declare
    v_letter constant jsonb := flashsale.lock_dead_letter(p_msg_id);
    v_named  constant text := v_letter -> 'message' ->> 'order_id';
    v_drop   constant text := format('Nothing is left to decide: select ops.drop_dead_letter(%s, ''why'');', p_msg_id);
    v_order  flashsale.orders;
    v_answer text := 'already_queued';
begin
    if not flashsale.is_uuid(v_named) then
        raise exception 'dead letter % names no order (%)', p_msg_id, v_letter ->> 'reason'
            using errcode = 'object_not_in_prerequisite_state', hint = v_drop;
    end if;
    select * into v_order from flashsale.orders o where o.order_id = v_named::uuid for no key update;
    if not found then
        raise exception 'dead letter % names order %, which does not exist', p_msg_id, v_named
            using errcode = 'object_not_in_prerequisite_state', hint = v_drop;
    elsif v_order.status <> 'in_progress' then
        raise exception 'order % of dead letter % is settled (%) and settled orders never change',
            v_named, p_msg_id, coalesce(v_order.failure_reason, v_order.status)
            using errcode = 'object_not_in_prerequisite_state', hint = v_drop,
            detail = 'A user whose order has failed was told so, and may buy again while the sale runs.';
    end if;
    if not flashsale.is_queued(v_order.order_id) then
        perform pgmq.send('purchases', flashsale.purchase_message(v_order));
        v_answer := 'replayed';
    end if;
    perform flashsale.file_dead_letter(p_msg_id, 'replayed', null);
    return v_answer;
end
$$;
