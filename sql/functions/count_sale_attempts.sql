-- The attempts to buy in a sale by answer, over the whole sale.
create or replace function flashsale.count_sale_attempts(p_flash_sale_id uuid)
returns table (answer text, attempts bigint)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select t.answer, t.attempts from flashsale.sale_attempt_totals t where t.flash_sale_id = p_flash_sale_id
$$;
