-- Tells every API process what became of orders, on the channel flashsale_outcomes: a JSON object a sale and 60 orders,
-- {"flash_sale_id","quantity","sold","outcomes":[[order_id,user_id,"success" or the reason of the failure],…]}.
-- A payload is limited to 8,000 bytes; all payloads of a batch leave with its one COMMIT. Written as text, in half the time
-- that jsonb takes: there is nothing to escape in a uuid, a number or the word of an outcome.
create or replace function flashsale.notify_outcomes(p_orders flashsale.orders[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
    perform pg_notify('flashsale_outcomes', format(
        '{"flash_sale_id":"%s","quantity":%s,"sold":%s,"outcomes":[%s]}', c.flash_sale_id, s.quantity, s.sold, c.outcomes
    ))
    from (
        select
            n.flash_sale_id,
            string_agg('["' || n.order_id || '","' || n.user_id || '","' || n.outcome || '"]', ',') as outcomes
        from (
            select o.flash_sale_id, o.order_id, o.user_id, coalesce(o.failure_reason, o.status) as outcome,
                (row_number() over (partition by o.flash_sale_id) - 1) / 60 as chunk
            from unnest(p_orders) o
        ) n
        group by n.flash_sale_id, n.chunk
    ) c
    join flashsale.flash_sales s on s.flash_sale_id = c.flash_sale_id;
end
$$;
