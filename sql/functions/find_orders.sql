-- The newest order of a user for each product, or for the one product named; newest first.
-- orders is indexed by product first (see migrations/0001_tables.sql), so this probes one product after the other.
create or replace function flashsale.find_orders(p_user_id uuid, p_product_id uuid)
returns table (order_id uuid, user_id uuid, product_id uuid, status text, failure_reason text)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select newest.order_id, newest.user_id, newest.product_id, newest.status, newest.failure_reason
    from flashsale.products p
    cross join lateral (
        select found.* from (
            (
                select o.* from flashsale.orders o
                where o.product_id = p.product_id and o.user_id = p_user_id and o.failure_reason is null
            )
            union all
            (
                select o.* from flashsale.orders o
                where o.product_id = p.product_id and o.user_id = p_user_id and o.failure_reason is not null
            )
        ) found
        order by (found.failure_reason is null) desc, found.accepted_at desc, found.order_id desc
        limit 1
    ) newest
    where p_product_id is null or p.product_id = p_product_id
    order by newest.accepted_at desc, newest.order_id desc
$$;
