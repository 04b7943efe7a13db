-- Gives a product its picture, in place of one it may have; false for a product there is not. Raises check_violation
-- picture_is_bounded and picture_type_is_known.
create or replace function flashsale.put_picture(
    p_product_id uuid, p_content_type text, p_bytes bytea, p_sha256 bytea
) returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into flashsale.product_pictures as i (product_id, content_type, bytes, sha256)
    select p.product_id, p_content_type, p_bytes, p_sha256
    from flashsale.products p where p.product_id = p_product_id
    on conflict (product_id) do update
    set content_type = excluded.content_type, bytes = excluded.bytes, sha256 = excluded.sha256,
        updated_at = clock_timestamp();
    return found;
end
$$;
