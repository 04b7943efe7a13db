-- Why nothing of a product can be bought at a time when none of its windows is open.
create or replace function flashsale.refusal_outside_window(p_product_id uuid, p_now timestamptz) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select case
        when exists (select from flashsale.flash_sales s where s.product_id = p_product_id and s.start_date > p_now)
            then 'sale_not_started'
        when exists (select from flashsale.flash_sales s where s.product_id = p_product_id) then 'sale_ended'
        else 'product_not_found'
    end
$$;
