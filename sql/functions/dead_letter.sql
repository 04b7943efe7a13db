-- Sets one message aside in purchases_dead with the reason, in the caller's transaction. If it names an order still in
-- progress, that order fails with the reason dead_lettered: whoever was answered 200 gets an outcome.
-- Hazard: settlements before intakes, as settle_messages takes them.
create or replace function flashsale.dead_letter(p_message pgmq.message_record, p_reason text, p_detail text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform pgmq.send('purchases_dead', jsonb_build_object(
        'msg_id', p_message.msg_id, 'enqueued_at', p_message.enqueued_at, 'message', p_message.message,
        'reason', p_reason, 'detail', p_detail
    ));
    if flashsale.is_uuid(p_message.message ->> 'order_id') then
        perform flashsale.fail_order((p_message.message ->> 'order_id')::uuid);
    end if;
end
$$;
