-- Sets one message aside in purchases_dead with the reason, in the caller's transaction. If it names an order still in
-- progress, that order fails with the reason dead_lettered: whoever was answered 200 gets an outcome.
-- Hazard: settlements before intakes, as settle_messages takes them.
create or replace function flashsale.dead_letter(p_message pgmq.message_record, p_reason text, p_detail text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_order_id uuid;
    v_failed   flashsale.orders[];
begin
    perform pgmq.send('purchases_dead', jsonb_build_object(
        'msg_id', p_message.msg_id, 'enqueued_at', p_message.enqueued_at, 'message', p_message.message,
        'reason', p_reason, 'detail', p_detail
    ));
    if flashsale.is_uuid(p_message.message ->> 'order_id') then
        v_order_id := (p_message.message ->> 'order_id')::uuid;
        with failed as (
            update flashsale.orders o
            set status = 'failed', failure_reason = 'dead_lettered', settled_at = clock_timestamp()
            where o.order_id = v_order_id and o.status = 'in_progress'
            returning o.*
        )
        select array_agg(f::flashsale.orders) into v_failed from failed f;
        insert into flashsale.sale_settlements as n (flash_sale_id, second, succeeded, failed)
        select f.flash_sale_id, date_trunc('second', f.settled_at), 0, 1
        from unnest(v_failed) f
        on conflict (flash_sale_id, second) do update set failed = n.failed + excluded.failed;
        perform flashsale.note_failed(v_failed);
        perform flashsale.notify_outcomes(v_failed);
    end if;
end
$$;
