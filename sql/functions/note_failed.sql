-- Gives back to the intake of their sales the places of orders that have just failed, in the caller's transaction.
-- Hazard: whoever calls holds the rows of these sales, or one order only; intakes are updated after them.
create or replace function flashsale.note_failed(p_orders flashsale.orders[]) returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
    update flashsale.sale_intakes i
    set live = i.live - f.orders
    from (
        select o.flash_sale_id, count(*)::integer as orders
        from unnest(p_orders) o where o.status = 'failed' group by o.flash_sale_id
    ) f
    where i.flash_sale_id = f.flash_sale_id
$$;
