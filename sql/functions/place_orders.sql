-- Accepts a batch of purchase requests of one product: an in-progress order and its queue message for each, in one
-- transaction with the caller's COMMIT. Calling it again with the same order ids changes nothing and answers the same,
-- which is how a COMMIT whose reply was lost is resolved.
-- No more orders are live than there are units: an order in progress has its unit, unless the quantity is lowered later.
-- Hazards: batches of one sale take turns on its intake, held until their COMMIT; so what is live is exact, and batches
-- naming the same users cannot deadlock. The planner is held to one index look-up a row (lateral … offset 0), because a
-- plan made while orders was empty would otherwise outlive its truth and read every order of the sale for each batch. So
-- one plan serves all batches; planning each small one anew would cost more than placing it.
create or replace function flashsale.place_orders(
    p_product_id uuid,
    p_order_ids uuid[],
    p_user_ids uuid[],
    p_reserved_tokens text[],
    p_idempotency_keys text[],
    p_headers jsonb default null
) returns table (ordinal integer, outcome text, order_id uuid)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    v_now      constant timestamptz := clock_timestamp();
    v_sale     flashsale.flash_sales;
    v_refusal  text;
    v_messages jsonb[];
    v_headers  jsonb[];
    v_free     integer;
    v_suffices boolean;
begin
    select * into v_sale
    from flashsale.flash_sales s
    where s.product_id = p_product_id and s.start_date <= v_now and v_now < s.end_date;

    if not found then
        v_refusal := flashsale.refusal_outside_window(p_product_id, v_now);
    else
        v_free := flashsale.free_units(v_sale.flash_sale_id);
        -- Who had the intake before us may have ended the sale: then whoever comes later is too late, whenever they came.
        if not exists (
            select from flashsale.flash_sales s
            where s.flash_sale_id = v_sale.flash_sale_id and s.start_date <= v_now
                and case when s.end_date = v_sale.end_date then v_now else clock_timestamp() end < s.end_date
        ) then
            v_refusal := 'sale_ended';
        elsif v_free <= 0 then
            v_refusal := 'sold_out';
        end if;
    end if;

    if v_refusal is null then
        -- With units for all there is no need to look who has an order already: the insert steps aside for those.
        v_suffices := coalesce(v_free >= cardinality(p_order_ids), true);
        with requested as (
            select distinct on (r.user_id) r.order_id, r.user_id, r.reserved_token, r.idempotency_key, r.ordinal
            from unnest(p_order_ids, p_user_ids, p_reserved_tokens, p_idempotency_keys) with ordinality
                as r (order_id, user_id, reserved_token, idempotency_key, ordinal)
            order by r.user_id, r.ordinal
        ),
        admitted as (
            select r.*
            from requested r
            cross join lateral (
                select from flashsale.users u where u.user_id = r.user_id and u.disabled_at is null offset 0
            ) u
            where v_suffices or not exists (
                select from flashsale.orders o
                where o.product_id = p_product_id and o.user_id = r.user_id and o.failure_reason is null offset 0
            ) and not exists (select from flashsale.orders o where o.order_id = r.order_id offset 0)
            order by r.ordinal
            limit v_free
        ),
        placed as (
            insert into flashsale.orders
                (order_id, product_id, user_id, flash_sale_id, accepted_at, reserved_token, idempotency_key)
            select a.order_id, p_product_id, a.user_id, v_sale.flash_sale_id, v_now, a.reserved_token, a.idempotency_key
            from admitted a
            order by a.user_id
            on conflict do nothing
            returning order_id, user_id
        )
        select array_agg(jsonb_build_object(
            'order_id', p.order_id, 'user_id', p.user_id,
            'product_id', p_product_id, 'flash_sale_id', v_sale.flash_sale_id
        ) order by p.order_id), array_agg(p_headers -> p.order_id::text order by p.order_id)
        into v_messages, v_headers
        from placed p;

        if v_messages is not null then
            perform pgmq.send_batch('purchases', v_messages, v_headers, v_now);
            update flashsale.sale_intakes i
            set live = i.live + cardinality(v_messages)
            where i.flash_sale_id = v_sale.flash_sale_id;
        end if;
        if cardinality(v_messages) = cardinality(p_order_ids) then  -- the usual batch: every request became an order
            return query
            select r.ordinal::integer, 'in_progress', r.order_id
            from unnest(p_order_ids) with ordinality as r (order_id, ordinal);
            return;
        end if;
    end if;

    -- Orders of earlier calls are answered below. One whose COMMIT did not wait for its standby to the end (its server was
    -- restarted, somebody cancelled the wait) can be seen and is not safe yet. With a record of ours behind it in the log, our
    -- COMMIT waits for both.
    if current_setting('synchronous_standby_names') <> '' then
        perform pg_logical_emit_message(true, 'flashsale', '');
    end if;

    -- A new statement, so a new snapshot: it sees the orders that made the insert above step aside.
    return query
    select
        r.ordinal::integer,
        case
            when live.status = 'in_progress' then 'in_progress'
            when live.idempotency_key = r.idempotency_key then 'success'
            when live.status = 'success' then 'already_purchased'
            when mine.order_id is not null then 'in_progress'  -- accepted by a call whose reply was lost, failed since
            when v_refusal is not null then v_refusal
            when exists (
                select from flashsale.users u where u.user_id = r.user_id and u.disabled_at is null
            ) then 'sold_out'  -- the units did not suffice for the whole batch
            else 'unknown_user'
        end,
        coalesce(live.order_id, mine.order_id)
    from unnest(p_order_ids, p_user_ids, p_idempotency_keys) with ordinality
        as r (order_id, user_id, idempotency_key, ordinal)
    left join lateral (
        select o.order_id, o.status, o.idempotency_key
        from flashsale.orders o
        where o.product_id = p_product_id and o.user_id = r.user_id and o.failure_reason is null
        offset 0
    ) live on true
    left join lateral (
        select o.order_id from flashsale.orders o where o.order_id = r.order_id offset 0
    ) mine on true
    order by r.ordinal;
end
$$;

comment on function flashsale.place_orders is
    'outcome is in_progress, success, already_purchased, sold_out, sale_not_started, sale_ended, product_not_found '
    'or unknown_user; order_id is the live order of that user, null with a refusal. p_headers holds the headers of the '
    'message of an order by the order''s id: {order_id: {request_id, traceparent}}';
