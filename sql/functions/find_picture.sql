-- The picture of a product: no row for a product there is not, nulls for one without a picture of its own.
create or replace function flashsale.find_picture(p_product_id uuid)
returns table (content_type text, bytes bytea, sha256 bytea)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select i.content_type, i.bytes, i.sha256
    from flashsale.products p
    left join flashsale.product_pictures i on i.product_id = p.product_id
    where p.product_id = p_product_id
$$;
