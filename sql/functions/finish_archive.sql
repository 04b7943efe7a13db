-- The last step of ops.archive_sale: counts what was moved against the books the sale had, and says that it is done.
-- Raises data_corrupted when something is missing; then nothing may be dropped.
create or replace function ops.finish_archive(p_flash_sale_id uuid) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
declare
    v_sale    flashsale.archived_sales;
    v_success bigint;
    v_failed  bigint;
begin
    select * into v_sale from flashsale.archived_sales a where a.flash_sale_id = p_flash_sale_id for update;
    if not found or v_sale.finished_at is not null then
        return;
    end if;
    select count(*) filter (where o.status = 'success'), count(*) filter (where o.status = 'failed')
    into v_success, v_failed
    from flashsale.archived_orders o where o.flash_sale_id = p_flash_sale_id;
    if v_success <> v_sale.sold or v_failed <> v_sale.failed then
        raise exception 'the archive of sale % holds % successful and % failed orders, its books said % and %',
            p_flash_sale_id, v_success, v_failed, v_sale.sold, v_sale.failed
            using errcode = 'data_corrupted', hint = 'Call ops.archive_sale again; if that does not help, keep everything.';
    end if;
    update flashsale.archived_sales a set finished_at = clock_timestamp() where a.flash_sale_id = p_flash_sale_id;
end
$$;
