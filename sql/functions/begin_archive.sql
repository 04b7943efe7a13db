-- The first step of ops.archive_sale: takes a sale that is over for good out of flash_sales, in one transaction, so that
-- the books never show half a sale. From then on its orders belong to nobody's books and are moved at leisure
-- (ops.archive_batch). Changes nothing when that has happened already. Raises object_not_in_prerequisite_state, saying
-- what is in the way, and no_data_found.
-- Hazards: looks before it locks anything, so that a refusal disturbs no sale of the product that is running; then locks
-- the sales of the product, the product (create_sale waits and then finds it archived) and the intake, and looks again.
create or replace function ops.begin_archive(p_flash_sale_id uuid, p_ended_for interval) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
declare
    v_product_id uuid;
    v_failed     integer;
begin
    if exists (select from flashsale.archived_sales a where a.flash_sale_id = p_flash_sale_id) then
        return;
    end if;
    if p_ended_for is null or p_ended_for < interval '1 day' then
        raise exception 'a sale is archived a day after its end at the earliest, not after %', p_ended_for
            using errcode = 'invalid_parameter_value', hint = 'Answers to idempotency keys are kept for 24 hours.';
    end if;
    select s.product_id into v_product_id from flashsale.flash_sales s where s.flash_sale_id = p_flash_sale_id;
    if not found then
        raise exception 'there is no sale %', p_flash_sale_id
            using errcode = 'no_data_found', hint = 'ops.sale_books lists the sales, ops.archived_sales the archived ones.';
    end if;
    perform flashsale.refuse_archiving(p_flash_sale_id, p_ended_for);
    perform from flashsale.flash_sales s where s.product_id = v_product_id order by s.flash_sale_id for update;
    perform from flashsale.products p where p.product_id = v_product_id for update;
    perform from flashsale.sale_intakes i where i.flash_sale_id = p_flash_sale_id for update;
    perform flashsale.refuse_archiving(p_flash_sale_id, p_ended_for);

    select count(*)::integer into v_failed
    from flashsale.orders o
    where o.product_id = v_product_id and o.flash_sale_id = p_flash_sale_id and o.failure_reason is not null;
    insert into flashsale.archived_sales (
        flash_sale_id, product_id, name, price_in_cent, quantity, sold, failed, start_date, end_date, attempts, begun_by
    )
    select
        s.flash_sale_id, s.product_id, p.name, p.price_in_cent, s.quantity, s.sold, v_failed, s.start_date, s.end_date,
        coalesce((
            select jsonb_object_agg(t.answer, t.attempts)
            from flashsale.sale_attempt_totals t where t.flash_sale_id = s.flash_sale_id
        ), '{}'),
        session_user
    from flashsale.flash_sales s
    join flashsale.products p on p.product_id = s.product_id
    where s.flash_sale_id = p_flash_sale_id
    on conflict (flash_sale_id) do nothing;  -- somebody else was first while we waited
    delete from flashsale.sale_attempt_totals t where t.flash_sale_id = p_flash_sale_id;
    delete from flashsale.flash_sales s where s.flash_sale_id = p_flash_sale_id;
    execute format(
        'create table if not exists flashsale.%I partition of flashsale.archived_orders for values in (%L)',
        flashsale.archive_name(p_flash_sale_id), p_flash_sale_id
    );
    perform pg_notify('flashsale_sales', p_flash_sale_id::text);
end
$$;
