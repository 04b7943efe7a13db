-- Creates a sale of a new product (p_name given) or of one that exists (p_product_id given and p_name null), and tells
-- every API process. A repeated call with the same p_flash_sale_id changes nothing. Raises foreign_key_violation
-- flash_sale_is_of_a_product for an unknown product and exclusion_violation no_overlapping_windows_of_one_product.
-- Hazard: a call is repeated when its reply is lost, which can be before it has ended; the repetition waits for it.
create or replace function flashsale.create_sale(
    p_flash_sale_id uuid, p_product_id uuid, p_name text, p_description text, p_price_in_cent integer,
    p_quantity integer, p_start_date timestamptz, p_end_date timestamptz
) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform pg_advisory_xact_lock(hashtextextended(p_flash_sale_id::text, 0));
    if exists (select from flashsale.flash_sales s where s.flash_sale_id = p_flash_sale_id) then
        return;
    end if;
    if p_name is not null then
        insert into flashsale.products (product_id, name, description, price_in_cent, quantity)
        values (p_product_id, p_name, coalesce(p_description, ''), p_price_in_cent, 0);
    end if;
    insert into flashsale.flash_sales (flash_sale_id, product_id, start_date, end_date, quantity)
    values (p_flash_sale_id, p_product_id, p_start_date, p_end_date, p_quantity);
    insert into flashsale.sale_intakes (flash_sale_id) values (p_flash_sale_id);
    update flashsale.products p
    set quantity = p.quantity + p_quantity
    where p.product_id = p_product_id;
    perform pg_notify('flashsale_sales', p_flash_sale_id::text);
end
$$;
