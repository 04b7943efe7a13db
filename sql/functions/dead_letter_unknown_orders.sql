-- Sets aside the messages of a batch that name no order there is; answers how many.
-- An order and its message commit together, so a message without an order was not sent by place_orders.
create or replace function flashsale.dead_letter_unknown_orders(p_messages pgmq.message_record[]) returns integer
language sql
set search_path = pg_catalog, pg_temp
as $$
    with unknown as materialized (
        select m
        from unnest(p_messages) m
        where not exists (
            select from flashsale.orders o
            where o.order_id = case when flashsale.is_uuid(m.message ->> 'order_id')
                then (m.message ->> 'order_id')::uuid end
        )
    )
    select count(flashsale.dead_letter(
        u.m,
        case when flashsale.is_uuid((u.m).message ->> 'order_id') then 'unknown_order' else 'malformed_message' end,
        'a message must carry the order_id of an order in flashsale.orders'
    )::text)::integer
    from unknown u
$$;
