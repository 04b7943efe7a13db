-- The newest order of each asking user for the product named beside, or of all products for null; a row an ask that has one,
-- with the position of the ask. One call answers many users: when a sale begins, everybody asks at once.
-- orders is indexed by product first (see migrations/0001_tables.sql): an ask for all probes one product after the other.
-- As in place_orders the planner is held to one index look-up an ask.
create or replace function flashsale.find_orders(p_user_ids uuid[], p_product_ids uuid[])
returns table (ordinal integer, order_id uuid, product_id uuid, status text, failure_reason text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
    return query
    select a.ordinal::integer, newest.order_id, newest.product_id, newest.status, newest.failure_reason
    from unnest(p_user_ids, p_product_ids) with ordinality as a (user_id, product_id, ordinal)
    cross join lateral (
        select of_product.*
        from (
            select a.product_id where a.product_id is not null
            union all
            select p.product_id from flashsale.products p where a.product_id is null
        ) asked
        cross join lateral (
            select found.* from (
                (
                    select o.* from flashsale.orders o
                    where o.product_id = asked.product_id and o.user_id = a.user_id and o.failure_reason is null
                )
                union all
                (
                    select o.* from flashsale.orders o
                    where o.product_id = asked.product_id and o.user_id = a.user_id and o.failure_reason is not null
                )
            ) found
            order by (found.failure_reason is null) desc, found.accepted_at desc, found.order_id desc
            limit 1
        ) of_product
        order by of_product.accepted_at desc, of_product.order_id desc
        limit 1
    ) newest;
end
$$;
