-- Drops the archived orders of a sale, for good: copy them out first (docs/DBA.md). The row of the sale stays in
-- ops.archived_sales. Answers how many orders were dropped; null when that has happened before. Raises no_data_found and
-- object_not_in_prerequisite_state.
-- Hazard: dropping a partition locks archived_orders as a whole, which nothing but people and backups read; it gives up
-- (lock_not_available) rather than queue behind a backup.
create or replace function ops.drop_archived_sale(p_flash_sale_id uuid) returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '5s'
as $$
declare
    v_sale flashsale.archived_sales;
begin
    select * into v_sale from flashsale.archived_sales a where a.flash_sale_id = p_flash_sale_id for update;
    if not found then
        raise exception 'sale % was not archived', p_flash_sale_id
            using errcode = 'no_data_found', hint = format('call ops.archive_sale(%L);', p_flash_sale_id);
    elsif v_sale.finished_at is null then
        raise exception 'archiving sale % began at % and has not finished', p_flash_sale_id, v_sale.begun_at
            using errcode = 'object_not_in_prerequisite_state',
            hint = format('call ops.archive_sale(%L);', p_flash_sale_id);
    elsif v_sale.dropped_at is not null then
        return null;
    end if;
    execute format('drop table flashsale.%I', flashsale.archive_name(p_flash_sale_id));
    update flashsale.archived_sales a
    set dropped_at = clock_timestamp(), dropped_by = session_user
    where a.flash_sale_id = p_flash_sale_id;
    return v_sale.sold::bigint + v_sale.failed;
end
$$;
