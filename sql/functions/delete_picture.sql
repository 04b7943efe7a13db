-- Takes a product's own picture away, if it has one; false for a product there is not.
create or replace function flashsale.delete_picture(p_product_id uuid) returns boolean
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
    delete from flashsale.product_pictures i where i.product_id = p_product_id;
    select exists (select from flashsale.products p where p.product_id = p_product_id);
$$;
