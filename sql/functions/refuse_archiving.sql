-- Raises object_not_in_prerequisite_state with what is in the way of archiving a sale and what to do about it, if anything.
create or replace function flashsale.refuse_archiving(p_flash_sale_id uuid, p_ended_for interval) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_problem text;
begin
    select case
        when s.end_date > clock_timestamp() - p_ended_for
            then format('it ended at %s, which is not %s ago: wait, or give a shorter time', s.end_date, p_ended_for)
        when exists (
            select from flashsale.flash_sales n
            where n.product_id = s.product_id and n.end_date > clock_timestamp()
        ) then 'its product is on sale, or will be: whoever bought it in this sale could buy it again'
        when exists (
            select from pgmq.q_purchases_dead d
            where lower(d.message -> 'message' ->> 'flash_sale_id' collate "C") = s.flash_sale_id::text
        ) then 'there are dead letters of it: replay or drop them (ops.dead_letters)'
        when b.in_progress_rows > 0 or b.queued > 0
            then format('%s orders are in progress and %s messages queued: wait for the workers', b.in_progress_rows, b.queued)
        when not b.balanced then 'its books do not balance: see ops.sale_books'
    end into v_problem
    from flashsale.flash_sales s
    join ops.sale_books b on b.flash_sale_id = s.flash_sale_id
    where s.flash_sale_id = p_flash_sale_id;
    if v_problem is not null then
        raise exception 'sale % is not archived: %', p_flash_sale_id, v_problem
            using errcode = 'object_not_in_prerequisite_state';
    end if;
end
$$;
