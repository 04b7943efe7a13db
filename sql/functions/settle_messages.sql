-- Decides the orders that a batch of messages is about, and says so on the channel flashsale_outcomes.
-- Hazards: the rows of the sales are locked first and in the order of their ids; only then are the orders read, so two
-- workers holding two deliveries of one order decide it once. A message that names no order, or one of a sale that was
-- deleted, is set aside in purchases_dead within the same transaction and does not hold up its batch. As in place_orders
-- the planner is held to one look-up a row: by index (lateral … offset 0), and for the update by ctid, which also leaves
-- alone an order that somebody else has changed since it was read.
create or replace function flashsale.settle_messages(p_messages pgmq.message_record[])
returns table (messages integer, succeeded integer, failed integer, duplicates integer, dead_lettered integer)
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    v_msg_ids   bigint[];
    v_order_ids uuid[];
    v_sale_ids  uuid[];
    v_known     integer;
    v_locked    integer;
    v_settled   flashsale.orders[];
    v_succeeded integer;
    v_now       timestamptz;
begin
    -- The case guards the cast: SQL promises no order between a where clause and a select list.
    select array_agg(d.msg_id order by d.msg_id), array_agg(d.order_id order by d.msg_id)
    into v_msg_ids, v_order_ids
    from (
        select m.msg_id, case when flashsale.is_uuid(m.message ->> 'order_id')
            then (m.message ->> 'order_id')::uuid end as order_id
        from unnest(p_messages) m
        offset 0  -- or the condition below would match each text twice
    ) d
    where d.order_id is not null;

    select array_agg(distinct o.flash_sale_id), count(*)::integer into v_sale_ids, v_known
    from unnest(v_order_ids) d (order_id)
    cross join lateral (select o.flash_sale_id from flashsale.orders o where o.order_id = d.order_id offset 0) o;

    perform from flashsale.flash_sales s
    where s.flash_sale_id = any (v_sale_ids)
    order by s.flash_sale_id
    for no key update;
    get diagnostics v_locked = row_count;
    v_now := clock_timestamp();  -- one time for the batch: it is decided at once, and none of it overtakes another

    with delivered as (
        select d.order_id, min(d.msg_id) as msg_id
        from unnest(v_order_ids, v_msg_ids) as d (order_id, msg_id)
        group by d.order_id
    ),
    waiting as (
        select
            o.at,
            row_number() over (partition by o.flash_sale_id order by d.msg_id) <= s.quantity - s.sold as wins
        from delivered d
        cross join lateral (
            select o.ctid as at, o.flash_sale_id
            from flashsale.orders o
            where o.order_id = d.order_id and o.status = 'in_progress'
            offset 0
        ) o
        join flashsale.flash_sales s on s.flash_sale_id = o.flash_sale_id
    ),
    settled as (
        update flashsale.orders o
        set
            status = case when w.wins then 'success' else 'failed' end,
            failure_reason = case when not w.wins then 'sold_out' end,
            settled_at = v_now
        from waiting w
        where o.ctid = w.at
        returning o.*
    ),
    counted as (
        update flashsale.flash_sales s
        set sold = s.sold + n.units
        from (
            select t.flash_sale_id, count(*)::integer as units
            from settled t where t.status = 'success' group by t.flash_sale_id
        ) n
        where s.flash_sale_id = n.flash_sale_id
        returning n.units
    ),
    noted as (
        insert into flashsale.sale_settlements as n (flash_sale_id, second, succeeded, failed)
        select
            t.flash_sale_id, date_trunc('second', v_now),
            count(*) filter (where t.status = 'success'), count(*) filter (where t.status = 'failed')
        from settled t
        group by t.flash_sale_id
        order by t.flash_sale_id
        on conflict (flash_sale_id, second) do update
        set succeeded = n.succeeded + excluded.succeeded, failed = n.failed + excluded.failed
    )
    select
        (select array_agg(t::flashsale.orders) from settled t),
        (select coalesce(sum(c.units), 0)::integer from counted c)
    into v_settled, v_succeeded;

    messages := cardinality(p_messages);
    dead_lettered := case when v_known = messages and v_locked = cardinality(v_sale_ids) then 0
        else flashsale.dead_letter_unknown_orders(p_messages) end;
    perform flashsale.notify_outcomes(v_settled);

    succeeded := v_succeeded;
    failed := coalesce(cardinality(v_settled), 0) - v_succeeded;
    if failed > 0 then
        perform flashsale.note_failed(v_settled);
    end if;
    duplicates := messages - succeeded - failed - dead_lettered;
    insert into flashsale.settled_batches (messages, succeeded, failed, duplicates, dead_lettered)
    values (messages, succeeded, failed, duplicates, dead_lettered);
    return next;
end
$$;
