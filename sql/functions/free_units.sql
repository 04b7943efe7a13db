-- How many orders a sale can still admit. When there are any, its intake is locked until the caller's COMMIT, so that the
-- answer stays true; a sold-out sale is answered without waiting for anybody. Null, which is no limit, for a sale that was
-- not made by create_sale and has no intake: then settling alone decides.
create or replace function flashsale.free_units(p_flash_sale_id uuid) returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_free integer;
    v_live integer;
begin
    select s.quantity - i.live into v_free
    from flashsale.flash_sales s
    join flashsale.sale_intakes i on i.flash_sale_id = s.flash_sale_id
    where s.flash_sale_id = p_flash_sale_id;
    if v_free <= 0 then
        return 0;
    end if;
    select i.live into v_live from flashsale.sale_intakes i where i.flash_sale_id = p_flash_sale_id for no key update;
    -- Read after the lock was got: the quantity may have changed while waiting.
    select s.quantity - v_live into v_free from flashsale.flash_sales s where s.flash_sale_id = p_flash_sale_id;
    return v_free;
end
$$;
