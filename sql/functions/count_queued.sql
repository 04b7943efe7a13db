-- How many messages of each sale are queued. Reads the whole queue: for reconciling, not for every request.
create or replace function flashsale.count_queued()
returns table (flash_sale_id uuid, queued bigint)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select (q.message ->> 'flash_sale_id')::uuid, count(distinct q.message ->> 'order_id')
    from pgmq.q_purchases q
    where flashsale.is_uuid(q.message ->> 'flash_sale_id')
    group by 1
$$;
