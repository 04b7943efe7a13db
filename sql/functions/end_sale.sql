-- Ends a sale that is running at this moment by the database's clock, and tells every API process. Answers 'ended',
-- 'sale_not_active' or 'sale_not_found'. Orders accepted before still settle.
-- Hazard: takes the row of the sale as update_sale does, so it waits for the batch being settled; then its intake, as
-- settling does, so that a batch of purchases was accepted before the end or finds the sale ended.
create or replace function flashsale.end_sale(p_flash_sale_id uuid) returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_sale flashsale.flash_sales;
    v_now  timestamptz;
begin
    select * into v_sale from flashsale.flash_sales s where s.flash_sale_id = p_flash_sale_id for no key update;
    if not found then
        return 'sale_not_found';
    end if;
    perform from flashsale.sale_intakes i where i.flash_sale_id = p_flash_sale_id for no key update;
    v_now := clock_timestamp();  -- after the locks were got
    if v_now < v_sale.start_date or v_now >= v_sale.end_date then
        return 'sale_not_active';
    end if;
    update flashsale.flash_sales s
    set end_date = greatest(v_now, s.start_date + interval '1 microsecond'), updated_at = v_now
    where s.flash_sale_id = p_flash_sale_id;
    perform pg_notify('flashsale_sales', p_flash_sale_id::text);
    return 'ended';
end
$$;
