-- Who holds a unit of a sale or waits for one: what the token gate must hold, no more and no less.
create or replace function flashsale.live_orders(p_product_id uuid, p_flash_sale_id uuid)
returns table (user_id uuid, order_id uuid)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select o.user_id, o.order_id
    from flashsale.orders o
    where o.product_id = p_product_id and o.flash_sale_id = p_flash_sale_id and o.failure_reason is null
$$;
