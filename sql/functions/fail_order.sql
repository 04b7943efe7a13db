-- Fails one order that is still in progress as dead_lettered, in the caller's transaction: it is counted, its place goes
-- back to the intake of its sale, and whoever waits for it is told.
-- Hazard: settlements before intakes, as settle_messages takes them.
create or replace function flashsale.fail_order(p_order_id uuid) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_failed flashsale.orders[];
begin
    with failed as (
        update flashsale.orders o
        set status = 'failed', failure_reason = 'dead_lettered', settled_at = clock_timestamp()
        where o.order_id = p_order_id and o.status = 'in_progress'
        returning o.*
    )
    select array_agg(f::flashsale.orders) into v_failed from failed f;
    insert into flashsale.sale_settlements as n (flash_sale_id, second, succeeded, failed)
    select f.flash_sale_id, date_trunc('second', f.settled_at), 0, 1
    from unnest(v_failed) f
    on conflict (flash_sale_id, second) do update set failed = n.failed + excluded.failed;
    perform flashsale.note_failed(v_failed);
    perform flashsale.notify_outcomes(v_failed);
end
$$;
