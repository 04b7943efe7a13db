-- One sale, as list_sales shows it, however many there are.
create or replace function flashsale.find_sale(p_flash_sale_id uuid)
returns table (
    flash_sale_id uuid, product_id uuid, name text, description text, price_in_cent integer,
    quantity integer, sold integer, live integer, start_date timestamptz, end_date timestamptz
)
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    select s.flash_sale_id, s.product_id, p.name, p.description, p.price_in_cent,
        s.quantity, s.sold, coalesce(i.live, s.sold), s.start_date, s.end_date
    from flashsale.flash_sales s
    join flashsale.products p on p.product_id = s.product_id
    left join flashsale.sale_intakes i on i.flash_sale_id = s.flash_sale_id
    where s.flash_sale_id = p_flash_sale_id
$$;
