-- The sales as shoppers see them, with the time of the database that their status is judged by: at most 500: those that
-- have not ended first, the next to end leading, then those that ended last. now_at is the same in every row.
-- now_at is from before the snapshot: a later reading has the later time. live counts orders that are not failed.
create or replace function flashsale.list_sales()
returns table (
    flash_sale_id uuid, product_id uuid, name text, description text, price_in_cent integer,
    quantity integer, sold integer, live integer, start_date timestamptz, end_date timestamptz, now_at timestamptz
)
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    select s.flash_sale_id, s.product_id, p.name, p.description, p.price_in_cent,
        s.quantity, s.sold, coalesce(i.live, s.sold), s.start_date, s.end_date, t.now_at
    from (select statement_timestamp() as now_at) t
    cross join flashsale.flash_sales s
    join flashsale.products p on p.product_id = s.product_id
    left join flashsale.sale_intakes i on i.flash_sale_id = s.flash_sale_id
    order by
        s.end_date <= t.now_at,
        case when s.end_date > t.now_at then s.end_date end,
        s.end_date desc,
        s.flash_sale_id
    limit 500
$$;
