-- The last p_seconds complete seconds of a sale, one row each, the newest last. A second counts as complete a quarter of a
-- second after its end, when every API process has said what it counted in it. remaining_stock is what was left at its end,
-- reckoned back from now by what was settled since; queue columns are null where nobody took a sample.
create or replace function flashsale.list_sale_seconds(p_flash_sale_id uuid, p_seconds integer)
returns table (
    second timestamptz, attempts bigint, accepted bigint, succeeded bigint, failed bigint,
    remaining_stock bigint, queue_depth bigint, queue_oldest_age_s double precision
)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    with span as (
        select
            date_trunc('second', statement_timestamp() - interval '0.25 s') - make_interval(secs => p_seconds) as first,
            date_trunc('second', statement_timestamp() - interval '0.25 s') - interval '1 s' as last
    ),
    attempted as (
        select a.second, sum(a.attempts)::bigint as attempts,
            coalesce(sum(a.attempts) filter (where a.answer = 'accepted'), 0)::bigint as accepted
        from flashsale.sale_attempts a
        where a.flash_sale_id = p_flash_sale_id and a.second >= (select first from span)
        group by a.second
    ),
    settled as (  -- and those since, which remaining_stock needs
        select t.second, t.succeeded::bigint as succeeded, t.failed::bigint as failed
        from flashsale.sale_settlements t
        where t.flash_sale_id = p_flash_sale_id and t.second >= (select first from span)
    ),
    seconds as (
        select g as second from span cross join generate_series(span.first, span.last, interval '1 s') g
        union
        select settled.second from settled
    ),
    reckoned as (
        select
            x.second, t.succeeded, t.failed,
            s.quantity - s.sold + coalesce(sum(t.succeeded) over (
                order by x.second desc rows between unbounded preceding and 1 preceding
            ), 0) as remaining_stock
        from seconds x
        cross join (
            select f.quantity, f.sold from flashsale.flash_sales f where f.flash_sale_id = p_flash_sale_id
        ) s
        left join settled t on t.second = x.second
    )
    select
        r.second, coalesce(a.attempts, 0), coalesce(a.accepted, 0), coalesce(r.succeeded, 0), coalesce(r.failed, 0),
        r.remaining_stock::bigint, q.depth, q.oldest_age_ms / 1000.0
    from reckoned r
    left join attempted a on a.second = r.second
    left join flashsale.queue_samples q on q.second = r.second
    where r.second <= (select last from span)
    order by r.second
$$;
