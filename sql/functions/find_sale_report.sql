-- What became of the orders of a sale, from the orders themselves: no row for a sale there is not.
-- waited is settled_at - accepted_at. overtaken: orders settled after one that was accepted later; orders of one batch have
-- one time, so none of them overtakes another. failed_before_later_success: orders that failed although one accepted later
-- got a unit. sold_out_after_ms: from the start to the settling of the last unit, when every unit is sold.
-- Hazard: reads and sorts every order of the sale, which takes seconds for a million: for a connection of its own.
create or replace function flashsale.find_sale_report(p_flash_sale_id uuid)
returns table (
    balanced boolean, sold bigint, in_progress bigint, failed bigint, sold_out_after_ms bigint, settled bigint,
    waited_p50_ms double precision, waited_p99_ms double precision, waited_max_ms double precision,
    overtaken bigint, failed_before_later_success bigint
)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    with sale as (
        select s.flash_sale_id, s.product_id, s.quantity, s.sold, s.start_date
        from flashsale.flash_sales s where s.flash_sale_id = p_flash_sale_id
    ),
    orders as materialized (  -- both indexes of orders lead with the product, and each holds a part
        select o.status, o.accepted_at, o.settled_at
        from sale s
        join flashsale.orders o on o.product_id = s.product_id
        where o.flash_sale_id = s.flash_sale_id and o.failure_reason is null
        union all
        select o.status, o.accepted_at, o.settled_at
        from sale s
        join flashsale.orders o on o.product_id = s.product_id
        where o.flash_sale_id = s.flash_sale_id and o.failure_reason is not null
    ),
    batches as (  -- orders accepted at one time
        select o.accepted_at, min(o.settled_at) as first_settled_at, bool_or(o.status = 'success') as has_success
        from orders o
        group by o.accepted_at
    ),
    followed as (  -- what became of those accepted later
        select
            b.accepted_at,
            min(b.first_settled_at) over later as later_settled_at,
            bool_or(b.has_success) over later as later_success
        from batches b
        window later as (order by b.accepted_at desc rows between unbounded preceding and 1 preceding)
    ),
    counted as (
        select
            count(*) filter (where o.status = 'success') as success,
            count(*) filter (where o.status = 'in_progress') as in_progress,
            count(*) filter (where o.status = 'failed') as failed,
            count(o.settled_at) as settled,
            max(o.settled_at) filter (where o.status = 'success') as last_unit_at,
            percentile_cont(array[0.5, 0.99, 1]) within group (
                order by extract(epoch from o.settled_at - o.accepted_at)::double precision * 1000
            ) as waited_ms,
            count(*) filter (where o.settled_at > f.later_settled_at) as overtaken,
            count(*) filter (where o.status = 'failed' and f.later_success) as failed_before_later_success
        from orders o
        join followed f on f.accepted_at = o.accepted_at
    )
    select
        (select b.balanced from ops.sale_books b where b.flash_sale_id = s.flash_sale_id),
        s.sold::bigint, c.in_progress, c.failed,
        case when s.quantity > 0 and s.sold = s.quantity
            then greatest(extract(epoch from c.last_unit_at - s.start_date) * 1000, 0)::bigint end,
        c.settled, round(c.waited_ms[1]::numeric, 3)::double precision, round(c.waited_ms[2]::numeric, 3)::double precision,
        round(c.waited_ms[3]::numeric, 3)::double precision, c.overtaken, c.failed_before_later_success
    from sale s
    cross join counted c
$$;
