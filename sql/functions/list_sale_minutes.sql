-- The minutes of a sale in which something happened, at most the newest p_minutes_max, in their order.
create or replace function flashsale.list_sale_minutes(p_flash_sale_id uuid, p_minutes_max integer)
returns table (minute timestamptz, attempts bigint, accepted bigint, succeeded bigint, failed bigint)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select newest.* from (
        select
            date_trunc('minute', e.second) as minute, sum(e.attempts)::bigint as attempts,
            sum(e.accepted)::bigint as accepted, sum(e.succeeded)::bigint as succeeded, sum(e.failed)::bigint as failed
        from (
            select a.second, a.attempts, case when a.answer = 'accepted' then a.attempts else 0 end as accepted,
                0 as succeeded, 0 as failed
            from flashsale.sale_attempts a where a.flash_sale_id = p_flash_sale_id
            union all
            select t.second, 0, 0, t.succeeded, t.failed
            from flashsale.sale_settlements t where t.flash_sale_id = p_flash_sale_id
        ) e
        group by 1
        order by 1 desc
        limit p_minutes_max
    ) newest
    order by newest.minute
$$;
