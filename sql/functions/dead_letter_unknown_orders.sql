-- Sets aside the messages of a batch that name no order there is, or one whose sale is gone; answers how many.
-- An order and its message commit together, so a message without an order was not sent by place_orders. An order without
-- its sale (deleted by hand) can never be decided: it fails as dead_lettered.
create or replace function flashsale.dead_letter_unknown_orders(p_messages pgmq.message_record[]) returns integer
language sql
set search_path = pg_catalog, pg_temp
as $$
    with named as materialized (
        select m, case when flashsale.is_uuid(m.message ->> 'order_id') then (m.message ->> 'order_id')::uuid end as order_id
        from unnest(p_messages) m
    ),
    unknown as materialized (
        select
            n.m,
            case
                when n.order_id is null then 'malformed_message'
                when o.order_id is null then 'unknown_order'
                else 'unknown_sale'
            end as reason
        from named n
        left join lateral (
            select o.order_id, o.flash_sale_id from flashsale.orders o where o.order_id = n.order_id offset 0
        ) o on true
        where not exists (select from flashsale.flash_sales s where s.flash_sale_id = o.flash_sale_id)
    )
    select count(flashsale.dead_letter(
        u.m, u.reason, 'a message must carry the order_id of an order in flashsale.orders, of a sale in flashsale.flash_sales'
    )::text)::integer
    from unknown u
$$;
