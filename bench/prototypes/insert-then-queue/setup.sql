-- The other way round: only the message is written when a request is accepted, and the worker inserts the order.
-- An index on an expression of the queue answers "has this user a request in progress?". Everything that is not the
-- question is kept as in sql/functions: joins by index look-ups, take by ctid, the intake, one counter update, one notification.
set client_min_messages = warning;
create schema if not exists later;
select pgmq.create('later');
create index if not exists q_later_by_user
on pgmq.q_later (((message ->> 'product_id')::uuid), ((message ->> 'user_id')::uuid));

-- The table and indexes of flashsale.orders, but full pages: a row is written once, in its last state.
create table if not exists later.orders (like flashsale.orders including constraints);
alter table later.orders set (fillfactor = 100);
create unique index if not exists orders_pkey on later.orders (order_id);
create unique index if not exists one_order_per_user_and_product on later.orders (product_id, user_id)
where failure_reason is null;
create index if not exists failed_orders_of_a_user on later.orders (product_id, user_id) where failure_reason is not null;

drop type if exists later.answer cascade;
create type later.answer as (ordinal integer, outcome text, order_id uuid);

create or replace function later.place_orders(
    p_product_id uuid, p_order_ids uuid[], p_user_ids uuid[], p_reserved_tokens text[], p_idempotency_keys text[]
) returns table (ordinal integer, outcome text, order_id uuid)
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_now      constant timestamptz := clock_timestamp();
    v_sale     flashsale.flash_sales;
    v_answers  later.answer[];
    v_messages jsonb[];
begin
    select * into v_sale
    from flashsale.flash_sales s
    where s.product_id = p_product_id and s.start_date <= v_now and v_now < s.end_date;

    -- Batches of a sale take turns on its intake, as in flashsale.place_orders. Were it not for that, nothing would lock a
    -- user here: two processes that ask at once for the same user would both find nothing and both send.
    if flashsale.free_units(v_sale.flash_sale_id) <= 0 then
        raise exception 'sold out';
    end if;
    select
        array_agg(row(
            r.ordinal, coalesce(bought.outcome, queued.outcome, case when u.user_id is null then 'unknown_user' end),
            coalesce(bought.order_id, queued.order_id, r.order_id)
        )::later.answer order by r.ordinal),
        array_agg(jsonb_build_object(
            'order_id', r.order_id, 'user_id', r.user_id, 'product_id', p_product_id,
            'flash_sale_id', v_sale.flash_sale_id, 'accepted_at', v_now,
            'reserved_token', r.reserved_token, 'idempotency_key', r.idempotency_key
        ) order by r.order_id) filter (
            where u.user_id is not null and bought.order_id is null and queued.order_id is null and r.is_first
        )
    into v_answers, v_messages
    from (
        select a.*, row_number() over (partition by a.user_id order by a.ordinal) = 1 as is_first
        from unnest(p_order_ids, p_user_ids, p_reserved_tokens, p_idempotency_keys) with ordinality
            as a (order_id, user_id, reserved_token, idempotency_key, ordinal)
    ) r
    left join lateral (
        select u.user_id from flashsale.users u where u.user_id = r.user_id and u.disabled_at is null offset 0
    ) u on true
    left join lateral (
        select o.order_id, 'already_purchased' as outcome
        from later.orders o
        where o.product_id = p_product_id and o.user_id = r.user_id and o.failure_reason is null
        offset 0
    ) bought on true
    left join lateral (
        select (q.message ->> 'order_id')::uuid as order_id, 'in_progress' as outcome
        from pgmq.q_later q
        where (q.message ->> 'product_id')::uuid = p_product_id and (q.message ->> 'user_id')::uuid = r.user_id
        limit 1
    ) queued on true;

    if v_messages is not null then
        perform pgmq.send_batch('later', v_messages);
        update flashsale.sale_intakes i
        set live = i.live + cardinality(v_messages)
        where i.flash_sale_id = v_sale.flash_sale_id;
    end if;
    return query select a.ordinal, coalesce(a.outcome, 'in_progress'), a.order_id from unnest(v_answers) a;
end
$$;

create or replace function later.settle_orders(p_batch_max integer)
returns table (messages integer, succeeded integer, failed integer, duplicates integer)
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_messages pgmq.message_record[];
    v_sale_ids uuid[];
    v_settled  flashsale.orders[];
begin
    with found as materialized (
        select q.ctid as at from pgmq.q_later q
        where q.vt <= clock_timestamp() order by q.msg_id limit p_batch_max for update skip locked
    ),
    taken as (
        delete from pgmq.q_later q using found f where q.ctid = f.at
        returning q.msg_id, q.read_ct, q.enqueued_at, q.last_read_at, q.vt, q.message, q.headers
    )
    select
        array_agg(row(t.*)::pgmq.message_record order by t.msg_id),
        array_agg(distinct (t.message ->> 'flash_sale_id')::uuid)
    into v_messages, v_sale_ids
    from taken t;
    if v_messages is null then
        return query select 0, 0, 0, 0;
        return;
    end if;

    perform from flashsale.flash_sales s
    where s.flash_sale_id = any (v_sale_ids) order by s.flash_sale_id for no key update;

    with delivered as (
        select distinct on (d.product_id, d.user_id) d.*
        from (
            select
                m.msg_id, (m.message ->> 'order_id')::uuid as order_id, (m.message ->> 'user_id')::uuid as user_id,
                (m.message ->> 'product_id')::uuid as product_id, (m.message ->> 'flash_sale_id')::uuid as flash_sale_id,
                (m.message ->> 'accepted_at')::timestamptz as accepted_at,
                m.message ->> 'reserved_token' as reserved_token, m.message ->> 'idempotency_key' as idempotency_key
            from unnest(v_messages) m
            offset 0
        ) d
        order by d.product_id, d.user_id, d.msg_id
    ),
    waiting as (
        select d.*, row_number() over (partition by d.flash_sale_id order by d.msg_id) <= s.quantity - s.sold as wins
        from delivered d
        join flashsale.flash_sales s on s.flash_sale_id = d.flash_sale_id
        where not exists (
            select from later.orders o
            where o.product_id = d.product_id and o.user_id = d.user_id and o.failure_reason is null offset 0
        )
    ),
    settled as (
        insert into later.orders (
            order_id, product_id, user_id, flash_sale_id, accepted_at, settled_at, status, failure_reason,
            reserved_token, idempotency_key
        )
        select
            w.order_id, w.product_id, w.user_id, w.flash_sale_id, w.accepted_at, clock_timestamp(),
            case when w.wins then 'success' else 'failed' end, case when not w.wins then 'sold_out' end,
            w.reserved_token, w.idempotency_key
        from waiting w
        order by w.user_id
        on conflict do nothing
        returning *
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
    )
    select
        (select array_agg(row(t.*)::flashsale.orders) from settled t),
        (select coalesce(sum(c.units), 0)::integer from counted c)
    into v_settled, succeeded;

    perform flashsale.notify_outcomes(v_settled);
    messages := cardinality(v_messages);
    failed := coalesce(cardinality(v_settled), 0) - succeeded;
    duplicates := messages - succeeded - failed;
    insert into flashsale.settled_batches (messages, succeeded, failed, duplicates, dead_lettered)
    values (messages, succeeded, failed, duplicates, 0);
    return next;
end
$$;
