-- All orders of a user, newest first, at most p_orders_max. orders is indexed by product first (see
-- migrations/0001_tables.sql), so this probes one product after the other, as find_orders does.
create or replace function flashsale.list_order_history(p_user_id uuid, p_orders_max integer)
returns table (
    order_id uuid, product_id uuid, flash_sale_id uuid, name text, price_in_cent integer,
    status text, failure_reason text, accepted_at timestamptz, settled_at timestamptz
)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select o.order_id, o.product_id, o.flash_sale_id, p.name, p.price_in_cent,
        o.status, o.failure_reason, o.accepted_at, o.settled_at
    from flashsale.products p
    cross join lateral (
        select l.* from flashsale.orders l
        where l.product_id = p.product_id and l.user_id = p_user_id and l.failure_reason is null
        union all
        select f.* from flashsale.orders f
        where f.product_id = p.product_id and f.user_id = p_user_id and f.failure_reason is not null
    ) o
    order by o.accepted_at desc, o.order_id desc
    limit p_orders_max
$$;
