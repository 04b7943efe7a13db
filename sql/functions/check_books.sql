-- The sales whose books do not balance, with what was found, of those that are running, have orders in progress, or have
-- changed or ended within p_changed_within; of all sales for null. repairable: repair_books can do something about it; not
-- so when all that is wrong is an order whose message is a dead letter (set_aside), which waits for a person.
-- One statement, so all of it is compared as of one moment; it locks nothing. Reads every live order of those sales and
-- the whole queue: a quarter of a second for a million orders and 100,000 messages (docs/DBA.md), so whoever calls it
-- again and again waits in proportion to what the last call took.
create or replace function flashsale.check_books(p_changed_within interval)
returns table (
    flash_sale_id uuid, quantity integer, sold integer, success_rows bigint, live bigint, in_progress_rows bigint,
    queued bigint, set_aside bigint, repairable boolean
)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        b.flash_sale_id, b.quantity, b.sold, b.success_rows, b.live, b.in_progress_rows, b.queued, b.set_aside,
        not (b.counters_match and b.messages_match)
    from ops.sale_books b
    where not b.balanced and b.flash_sale_id = any (array(
        select s.flash_sale_id
        from flashsale.flash_sales s
        left join flashsale.sale_intakes i on i.flash_sale_id = s.flash_sale_id
        where p_changed_within is null
            or (s.start_date <= now() and now() < s.end_date + p_changed_within)
            or s.updated_at >= now() - p_changed_within
            or i.live <> s.sold
            or exists (
                select from flashsale.sale_settlements t
                where t.flash_sale_id = s.flash_sale_id and t.second >= date_trunc('second', now() - p_changed_within)
            )
    ))
$$;
