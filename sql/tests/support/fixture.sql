-- What the tests share, in the schema `fixture`: ids derived from small numbers, one running sale, shorthands for
-- calls with many arrays, and a second session. Loaded once into the database that every test is a copy of.

create extension pgtap;
create extension dblink;
create schema fixture;

create function fixture.user_id(n integer) returns uuid language sql immutable
return md5('user ' || n)::uuid;
create function fixture.order_id(n integer) returns uuid language sql immutable
return ('01900000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid;
create function fixture.product_id(n integer) returns uuid language sql immutable
return md5('product ' || n)::uuid;
create function fixture.sale_id(n integer) returns uuid language sql immutable
return md5('sale ' || n)::uuid;

create function fixture.add_users(numbers integer[]) returns void language sql
begin atomic
    select flashsale.create_user(fixture.user_id(n), 'user' || n || '@example.org', '$argon2id$none', false)
    from unnest(numbers) n;
end;

-- Opens sale n of the new product n, an hour ago for two hours.
create function fixture.open_sale(n integer, units integer) returns void language sql
begin atomic
    select flashsale.create_sale(
        fixture.sale_id(n), fixture.product_id(n), 'product ' || n, null, 100,
        units, clock_timestamp() - interval '1 hour', clock_timestamp() + interval '1 hour'
    );
end;

-- Places orders of product n; answers 'outcome order' a request, where order is its number, '-' for none.
create function fixture.place(
    n integer, orders integer[], users integer[], keys text[] default null
) returns setof text language sql
begin atomic
    select p.outcome || ' ' || coalesce(ltrim(right(p.order_id::text, 12), '0'), '-')
    from flashsale.place_orders(
        fixture.product_id(n),
        (select array_agg(fixture.order_id(i) order by at) from unnest(orders) with ordinality as u (i, at)),
        (select array_agg(fixture.user_id(i) order by at) from unnest(users) with ordinality as u (i, at)),
        array_fill('none'::text, array[cardinality(orders)]),
        coalesce(keys, array_fill(null::text, array[cardinality(orders)]))
    ) p
    order by p.ordinal;
end;

-- What became of orders: 'number status reason' in the order of the numbers.
create function fixture.statuses() returns setof text language sql stable
begin atomic
    select concat_ws(' ', ltrim(right(o.order_id::text, 12), '0'), o.status, o.failure_reason)
    from flashsale.orders o order by o.order_id;
end;

-- A settle function's answer in one line: messages succeeded failed duplicates dead_lettered.
create function fixture.settle(batch_max integer) returns text language sql
begin atomic
    select concat_ws(' ', messages, succeeded, failed, duplicates, dead_lettered) from flashsale.settle_orders(batch_max);
end;
create function fixture.settle_singly(batch_max integer) returns text language sql
begin atomic
    select concat_ws(' ', messages, succeeded, failed, duplicates, dead_lettered)
    from flashsale.settle_orders_singly(batch_max);
end;

-- Opens a second session on this database for dblink.
create function fixture.open_session(session text) returns void language sql
begin atomic
    select public.dblink_connect(session, format(
        'host=%s port=%s dbname=%s user=%s',
        current_setting('unix_socket_directories'), current_setting('port'), current_database(), current_user
    ));
end;

-- Waits until a session that was sent a query waits for a lock; false after 10 s.
create function fixture.waits_for_a_lock(query_like text) returns boolean language plpgsql as $$
declare
    v_until constant timestamptz := clock_timestamp() + interval '10 s';
begin
    while clock_timestamp() < v_until loop
        perform pg_stat_clear_snapshot();
        if exists (
            select from pg_stat_activity a
            where a.datname = current_database() and a.wait_event_type = 'Lock' and a.query like query_like
        ) then
            return true;
        end if;
        perform pg_sleep(0.01);
    end loop;
    return false;
end
$$;

-- The payloads a listening session has received: waits until there are that many (10 s), then says all there are.
create function fixture.notifications(session text, expected integer) returns setof text language plpgsql as $$
declare
    v_until    constant timestamptz := clock_timestamp() + interval '10 s';
    v_payloads text[] := '{}';
begin
    while clock_timestamp() < v_until loop
        v_payloads := v_payloads || array(select n.extra from public.dblink_get_notify(session) n);
        exit when cardinality(v_payloads) >= expected;
        perform pg_sleep(0.01);
    end loop;
    return query select unnest(v_payloads);
end
$$;

-- Calls in sessions of their own, for tests of two at once.
create function fixture.in_session(session text, call text) returns setof text language sql as $$
    select t.line from public.dblink(session, call) as t (line text)
$$;
-- The answer to a call sent with dblink_send_query; the second get_result ends it.
create function fixture.answer(session text) returns setof text language plpgsql as $$
begin
    return query select t.line from public.dblink_get_result(session) as t (line text);
    perform from public.dblink_get_result(session) as t (line text);
end
$$;
create function fixture.error(session text) returns text language plpgsql as $$
declare
    v_error text := 'none';
begin
    begin
        perform from public.dblink_get_result(session) as t (line text);
    exception when others then
        v_error := sqlerrm;
    end;
    perform from public.dblink_get_result(session) as t (line text);
    return v_error;
end
$$;
create function fixture.set_quantity(n integer, units integer) returns boolean language sql as $$
    select flashsale.update_sale(fixture.sale_id(n), null, null, null, units, null, null)
$$;
create function fixture.live(n integer) returns integer language sql
return (select i.live from flashsale.sale_intakes i where i.flash_sale_id = fixture.sale_id(n));
