-- Changes what is not null of a sale and its product, and tells every API process. Answers false when there is no such
-- sale. Lowering the quantity below what is sold raises check_violation no_oversell.
-- Hazard: takes the row of the sale before the product's, as create_sale and settle_messages do.
create or replace function flashsale.update_sale(
    p_flash_sale_id uuid, p_name text, p_description text, p_price_in_cent integer,
    p_quantity integer, p_start_date timestamptz, p_end_date timestamptz
) returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_before flashsale.flash_sales;
begin
    select * into v_before from flashsale.flash_sales s where s.flash_sale_id = p_flash_sale_id for no key update;
    if not found then
        return false;
    end if;
    update flashsale.flash_sales s
    set
        start_date = coalesce(p_start_date, s.start_date),
        end_date = coalesce(p_end_date, s.end_date),
        quantity = coalesce(p_quantity, s.quantity),
        updated_at = clock_timestamp()
    where s.flash_sale_id = p_flash_sale_id;
    update flashsale.products p
    set
        name = coalesce(p_name, p.name),
        description = coalesce(p_description, p.description),
        price_in_cent = coalesce(p_price_in_cent, p.price_in_cent),
        quantity = p.quantity + coalesce(p_quantity, v_before.quantity) - v_before.quantity
    where p.product_id = v_before.product_id;
    perform pg_notify('flashsale_sales', p_flash_sale_id::text);
    return true;
end
$$;
