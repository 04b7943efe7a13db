-- Orders: placed and looked for where their product lives.
create or replace function sharding.place_orders(
    p_shard integer, p_product_id uuid, p_order_ids uuid[], p_user_ids uuid[], p_reserved_tokens text[],
    p_idempotency_keys text[], p_headers jsonb
) returns table (ordinal integer, outcome text, order_id uuid)
language plproxy as $$
    cluster 'shards';
    run on p_shard;
    select r.ordinal, r.outcome, r.order_id
    from flashsale.place_orders(
        p_product_id, p_order_ids, p_user_ids, p_reserved_tokens, p_idempotency_keys, p_headers
    ) r;
$$;

-- The part of a batch whose users the shard did not know: they are copied there, which happens with the first purchase of a
-- user on a shard, and their purchases are placed.
-- Hazard: the rest of the batch is placed already, so an error here says that nobody knows what happened, not that nothing did.
create or replace function sharding.place_orders_of_new_users(
    p_shard integer, p_ordinals integer[], p_product_id uuid, p_order_ids uuid[], p_user_ids uuid[],
    p_reserved_tokens text[], p_idempotency_keys text[], p_headers jsonb
) returns table (ordinal integer, outcome text, order_id uuid)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform sharding.copy_users(p_shard, array(select p_user_ids[o] from unnest(p_ordinals) o));
    return query
    select p_ordinals[n.ordinal], n.outcome, n.order_id
    from sharding.place_orders(
        p_shard, p_product_id,
        array(select p_order_ids[o] from unnest(p_ordinals) with ordinality as u (o, n) order by n),
        array(select p_user_ids[o] from unnest(p_ordinals) with ordinality as u (o, n) order by n),
        array(select p_reserved_tokens[o] from unnest(p_ordinals) with ordinality as u (o, n) order by n),
        array(select p_idempotency_keys[o] from unnest(p_ordinals) with ordinality as u (o, n) order by n),
        p_headers
    ) n;
exception when others or query_canceled then
    raise exception 'part of the batch was placed, the rest may be: %', sqlerrm
        using errcode = 'transaction_resolution_unknown';
end
$$;

-- A statement given up here may have done its work on the shard already: then nobody knows, and the same batch is to be
-- placed again.
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
as $$
declare
    v_shard    constant integer := sharding.shard_of(p_product_id);
    v_ordinals integer[];
    v_outcomes text[];
    v_placed   uuid[];
    v_unknown  integer[];
begin
    select array_agg(a.ordinal), array_agg(a.outcome), array_agg(a.order_id) into v_ordinals, v_outcomes, v_placed
    from sharding.place_orders(
        v_shard, p_product_id, p_order_ids, p_user_ids, p_reserved_tokens, p_idempotency_keys, p_headers
    ) a;
    if 'unknown_user' = any (v_outcomes) then
        v_unknown := array(
            select a.ordinal from unnest(v_ordinals, v_outcomes) as a (ordinal, outcome)
            where a.outcome = 'unknown_user' order by a.ordinal
        );
        return query select n.ordinal, n.outcome, n.order_id from sharding.place_orders_of_new_users(
            v_shard, v_unknown, p_product_id, p_order_ids, p_user_ids, p_reserved_tokens, p_idempotency_keys, p_headers
        ) n;
    end if;
    return query
    select a.ordinal, a.outcome, a.order_id
    from unnest(v_ordinals, v_outcomes, v_placed) as a (ordinal, outcome, order_id)
    where v_unknown is null or not a.ordinal = any (v_unknown);
exception when query_canceled then
    raise exception 'the batch may have been placed: %', sqlerrm using errcode = 'transaction_resolution_unknown';
end
$$;

create or replace function sharding.find_orders(p_user_ids uuid[], p_product_ids uuid[])
returns table (ordinal integer, order_id uuid, product_id uuid, status text, failure_reason text)
language plproxy as $$
    cluster 'shards';
    run on sharding.shards_of_all(p_product_ids);
    target flashsale.find_orders;
$$;

-- Each shard that has one of the products is asked about all of them, and answers for those it has. For an ask about any
-- product each shard has its newest; the newest of these has the greatest id, which API processes make by time (UUIDv7).
-- Fails while one of the shards cannot be reached: an answer that may be wrong is none.
create or replace function flashsale.find_orders(p_user_ids uuid[], p_product_ids uuid[])
returns table (ordinal integer, order_id uuid, product_id uuid, status text, failure_reason text)
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
    select distinct on (f.ordinal) f.ordinal, f.order_id, f.product_id, f.status, f.failure_reason
    from sharding.find_orders(p_user_ids, p_product_ids) f
    order by f.ordinal, f.order_id desc
$$;

create or replace function sharding.list_order_history(p_user_id uuid, p_orders_max integer)
returns table (
    order_id uuid, product_id uuid, flash_sale_id uuid, name text, price_in_cent integer,
    status text, failure_reason text, accepted_at timestamptz, settled_at timestamptz
)
language plproxy as $$
    cluster 'shards';
    run on all;
    target flashsale.list_order_history;
$$;

create or replace function flashsale.list_order_history(p_user_id uuid, p_orders_max integer)
returns table (
    order_id uuid, product_id uuid, flash_sale_id uuid, name text, price_in_cent integer,
    status text, failure_reason text, accepted_at timestamptz, settled_at timestamptz
)
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
    select h.order_id, h.product_id, h.flash_sale_id, h.name, h.price_in_cent, h.status, h.failure_reason, h.accepted_at,
        h.settled_at
    from sharding.list_order_history(p_user_id, p_orders_max) h
    order by h.accepted_at desc, h.order_id desc
    limit p_orders_max
$$;

create or replace function sharding.find_outcomes(p_shard integer, p_order_ids uuid[])
returns table (order_id uuid, user_id uuid, flash_sale_id uuid, outcome text)
language plproxy as $$
    cluster 'shards';
    run on p_shard;
    select r.order_id, r.user_id, r.flash_sale_id, r.outcome from flashsale.find_outcomes(p_order_ids) r;
$$;

-- What the shards that can be reached say; an order that is on none of these is not settled yet, as far as anybody knows.
create or replace function flashsale.find_outcomes(p_order_ids uuid[])
returns table (order_id uuid, user_id uuid, flash_sale_id uuid, outcome text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_shard integer;
begin
    for v_shard in select * from sharding.shards_to_ask() loop
        begin
            return query select * from sharding.find_outcomes(v_shard, p_order_ids);
        exception when internal_error or operator_intervention or insufficient_resources then
            perform sharding.note_away(v_shard, sqlerrm);
        end;
    end loop;
end
$$;

create or replace function flashsale.live_orders(p_product_id uuid, p_flash_sale_id uuid)
returns table (user_id uuid, order_id uuid)
language plproxy security definer as $$
    cluster 'shards_patient';
    run on sharding.shards_of(p_product_id);
$$;

-- Workers settle at the shards, each at its own. One that is connected here prunes the home and keeps Redis equal to the
-- shards; for settling it finds nothing to do.
create or replace function flashsale.settle_orders(p_batch_max integer)
returns table (
    messages integer, succeeded integer, failed integer, duplicates integer, dead_lettered integer, followed jsonb
)
language sql immutable security definer
set search_path = pg_catalog, pg_temp
as $$
    select 0, 0, 0, 0, 0, null::jsonb
$$;

create or replace function flashsale.settle_orders_singly(p_batch_max integer)
returns table (
    messages integer, succeeded integer, failed integer, duplicates integer, dead_lettered integer, followed jsonb
)
language sql immutable security definer
set search_path = pg_catalog, pg_temp
as $$
    select 0, 0, 0, 0, 0, null::jsonb
$$;
