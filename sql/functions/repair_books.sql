-- Makes the books of a sale balance again: its counters are set to what the rows say, and an order in progress that has
-- lost its message gets a new one (resend_messages). Answers the counters before and after, equal when they were right,
-- and how many messages were sent; no row for a sale there is not. sold never exceeds quantity: were there more
-- successful orders than units, sold is quantity and nothing more is sold.
-- Hazards: the row of the sale, then its intake, as end_sale takes them; counted in new statements, so after the locks were
-- got. Nothing of the sale settles or is accepted meanwhile, a second for a million orders: call it when check_books has
-- found something repairable, not before. Gives up (lock_not_available) rather than queue behind a long settlement.
create or replace function flashsale.repair_books(p_flash_sale_id uuid)
returns table (
    sold_before integer, sold_after integer, live_before integer, live_after integer, messages_sent integer
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
declare
    v_sale           flashsale.flash_sales;
    v_success        integer;
    v_in_progress    integer;
    v_messages_match boolean;
begin
    select * into v_sale from flashsale.flash_sales s where s.flash_sale_id = p_flash_sale_id for no key update;
    if not found then
        return;
    end if;
    select i.live into live_before
    from flashsale.sale_intakes i where i.flash_sale_id = p_flash_sale_id
    for no key update;
    select b.success_rows::integer, b.in_progress_rows::integer, b.messages_match
    into v_success, v_in_progress, v_messages_match
    from ops.sale_books b where b.flash_sale_id = p_flash_sale_id;

    sold_before := v_sale.sold;
    sold_after := least(v_success, v_sale.quantity);
    live_after := case when live_before is not null then v_success + v_in_progress end;
    if sold_after <> sold_before then
        update flashsale.flash_sales s set sold = sold_after where s.flash_sale_id = p_flash_sale_id;
    end if;
    if live_after <> live_before then
        update flashsale.sale_intakes i set live = live_after where i.flash_sale_id = p_flash_sale_id;
    end if;
    messages_sent := case when v_messages_match then 0
        else flashsale.resend_messages(v_sale.product_id, p_flash_sale_id) end;
    if sold_after <> sold_before or live_after <> live_before then
        perform pg_notify('flashsale_sales', p_flash_sale_id::text);
    end if;
    return next;
end
$$;
