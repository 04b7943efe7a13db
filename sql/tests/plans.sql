-- That a batch costs what is in it, not what is around it, whatever the statistics say: counted in rows fetched while the
-- queue is 4,000 deep and the sale has 4,000 orders, with plans and statistics from when both were empty.
select plan(9);
analyze flashsale.orders, flashsale.users, flashsale.flash_sales, pgmq.q_purchases;
select fixture.add_users(array(select generate_series(1, 4200)));
select fixture.open_sale(1, 4500);
-- The session's cached plans are from small tables.
select count(*) from generate_series(1, 10) n, fixture.place(1, array[n], array[n]);
select count(*) from generate_series(1, 10) n, fixture.place(1, array[n], array[n]);
select count(*) from generate_series(1, 8) n, fixture.settle(n / n);
select count(*)
from fixture.place(1, array(select generate_series(11, 4010)), array(select generate_series(11, 4010)));
-- What a drained queue leaves behind: pages, and hardly a row.
update pg_class set reltuples = 1, relpages = 3300 where oid = 'pgmq.q_purchases'::regclass;

-- Rows fetched so far in this session from a table, by index and by scan.
create function pg_temp.fetched(relation regclass) returns bigint language sql as $$
    select pg_stat_get_xact_tuples_fetched(relation) + pg_stat_get_xact_tuples_returned(relation)
        + coalesce(sum(pg_stat_get_xact_tuples_fetched(i.indexrelid) + pg_stat_get_xact_tuples_returned(i.indexrelid)), 0)
    from pg_index i where i.indrelid = relation
$$;
-- Runs a call and shows how many rows of a table it fetched.
create function pg_temp.cost(call text, relation regclass) returns bigint language plpgsql as $$
declare
    v_before constant bigint := pg_temp.fetched(relation);
begin
    execute call;
    return pg_temp.fetched(relation) - v_before;
end
$$;

select is(count(*), 4002::bigint, 'the queue is deep') from pgmq.q_purchases;
begin;
select cmp_ok(
    pg_temp.cost('select fixture.settle(50)', 'pgmq.q_purchases'), '<=', 300::bigint, 'settle_orders reads 50 messages'
);
select cmp_ok(
    pg_temp.cost('select fixture.settle(50)', 'flashsale.orders'), '<=', 600::bigint, 'and 50 orders'
);
select cmp_ok(
    pg_temp.cost('select fixture.settle_singly(50)', 'pgmq.q_purchases'), '<=', 400::bigint,
    'settle_orders_singly 50 messages'
);
select cmp_ok(
    pg_temp.cost('select fixture.settle_singly(50)', 'flashsale.orders'), '<=', 600::bigint, 'and 50 orders'
);
select cmp_ok(
    pg_temp.cost(
        'select fixture.place(1, array(select generate_series(5001, 5050)), array(select generate_series(4011, 4060)))',
        'flashsale.users'
    ), '<=', 300::bigint, 'place_orders reads 50 users'
);
select cmp_ok(
    pg_temp.cost(
        'select fixture.place(1, array(select generate_series(6001, 6050)), array(select generate_series(4061, 4110)))',
        'flashsale.orders'
    ), '<=', 600::bigint, 'and no order but its own'
);
select cmp_ok(
    pg_temp.cost(
        'select fixture.place(1, array(select generate_series(7001, 7050)), array(select generate_series(101, 150)))',
        'flashsale.orders'
    ), '<=', 900::bigint, 'also when all of them have asked before'
);
select cmp_ok(
    pg_temp.cost(
        'select * from flashsale.find_orders(
            array(select fixture.user_id(n) from generate_series(1, 50) n), array_fill(fixture.product_id(1), array[50])
        )', 'flashsale.orders'
    ), '<=', 200::bigint, 'find_orders reads 50 orders'
);
commit;
select * from finish();
