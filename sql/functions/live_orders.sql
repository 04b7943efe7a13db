-- Who holds a unit of a sale or waits for one: what the token gate must hold, no more and no less. In pieces, by user: up to
-- p_orders_max of those after p_after, which is the last user of the piece before, and at first the nil uuid.
-- The planner is held to walking along the index, whatever the statistics say.
create or replace function flashsale.live_orders(
    p_product_id uuid, p_flash_sale_id uuid, p_after uuid, p_orders_max integer
) returns table (user_id uuid, order_id uuid)
language sql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
set jit = off
as $$
    select o.user_id, o.order_id
    from flashsale.orders o
    where o.product_id = p_product_id and o.user_id > p_after
        and o.flash_sale_id = p_flash_sale_id and o.failure_reason is null
    order by o.user_id
    limit p_orders_max
$$;
