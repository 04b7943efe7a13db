-- What became of the orders whose messages carry headers: [{order_id, outcome, request_id, traceparent}], null when none
-- does. By it a worker can write into its log, and into a trace, which request of which caller it has just settled.
create or replace function flashsale.followed_orders(p_messages pgmq.message_record[]) returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off  -- as in settle_messages
set jit = off
set plan_cache_mode = force_generic_plan
as $$
declare
    v_followed jsonb;
begin
    select jsonb_agg(jsonb_build_object(
        'order_id', o.order_id,
        'outcome', coalesce(o.failure_reason, o.status),
        'request_id', left(m.headers ->> 'request_id', 64),
        'traceparent', left(m.headers ->> 'traceparent', 64)
    ))
    into v_followed
    from unnest(p_messages) m
    cross join lateral (
        select o.order_id, o.failure_reason, o.status
        from flashsale.orders o
        where m.headers is not null and o.order_id = case when flashsale.is_uuid(m.message ->> 'order_id')
            then (m.message ->> 'order_id')::uuid end
        offset 0
    ) o;
    return v_followed;
end
$$;
