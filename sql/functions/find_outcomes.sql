-- What has become of orders: those of p_order_ids that are settled. For waiters whose notification was lost.
create or replace function flashsale.find_outcomes(p_order_ids uuid[])
returns table (order_id uuid, user_id uuid, flash_sale_id uuid, outcome text)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select o.order_id, o.user_id, o.flash_sale_id, coalesce(o.failure_reason, o.status)
    from unnest(p_order_ids) d (order_id)
    join flashsale.orders o on o.order_id = d.order_id
    where o.status <> 'in_progress'
$$;
