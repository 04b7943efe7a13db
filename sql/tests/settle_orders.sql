-- settle_orders: decides first come first served up to the quantity, once; sets aside what is no order; tells everybody.
select plan(41);
select fixture.add_users(array(select generate_series(1, 200)));
select fixture.open_sale(1, 5);
select fixture.open_sale(2, 2);

select is(fixture.settle(10), '0 0 0 0 0', 'nothing queued');
select is(count(*), 0::bigint, 'is no batch') from flashsale.settled_batches;

-- 5 orders for 3 units, and 2 for the 1 unit of another sale, taken together: both quantities were lowered meanwhile
select fixture.place(1, '{1,2,3,4,5}', '{1,2,3,4,5}');
select fixture.place(2, '{6,7}', '{1,2}');
select flashsale.update_sale(fixture.sale_id(1), null, null, null, 3, null, null);
select flashsale.update_sale(fixture.sale_id(2), null, null, null, 1, null, null);
select is(fixture.settle(100), '7 4 3 0 0', 'more orders than units');
select results_eq(
    'select * from fixture.statuses()',
    array[
        '1 success', '2 success', '3 success', '4 failed sold_out', '5 failed sold_out', '6 success', '7 failed sold_out'
    ],
    'who came first wins, each sale by itself'
);
select results_eq(
    'select s.sold from flashsale.flash_sales s order by s.quantity desc', array[3, 1], 'the counters count the winners'
);
select is(count(*), 0::bigint, 'the messages are gone') from pgmq.q_purchases;
select row_eq(
    'select messages, succeeded, failed, duplicates, dead_lettered from flashsale.settled_batches',
    row(7, 4, 3, 0, 0), 'the batch is on record'
);
select ok(bool_and(o.settled_at >= o.accepted_at), 'and every order has the time') from flashsale.orders o;

-- a batch is bounded, and takes the oldest
select flashsale.update_sale(fixture.sale_id(1), null, null, null, 10, null, null);
select fixture.place(1, '{11,12,13}', '{11,12,13}');
select is(fixture.settle(2), '2 2 0 0 0', 'at most so many at a time');
select results_eq(
    $$select message ->> 'order_id' from pgmq.q_purchases$$, array[fixture.order_id(13)::text], 'the oldest first'
);
select is(fixture.settle(2), '1 1 0 0 0', 'then the rest');
select throws_ok('select fixture.settle(-1)', '2201W', null, 'a negative number is refused');

-- the units that are left go to the first, the next are told sold_out
select flashsale.update_sale(fixture.sale_id(1), null, null, null, 11, null, null);
select fixture.place(1, '{21,22,23,24,25}', '{21,22,23,24,25}');
select flashsale.update_sale(fixture.sale_id(1), null, null, null, 10, null, null);
select is(fixture.settle(3), '3 3 0 0 0', 'before the last unit');
select is(fixture.settle(3), '2 1 1 0 0', 'the last unit');
select is(s.sold, s.quantity, 'all are sold, none twice') from flashsale.flash_sales s
where s.flash_sale_id = fixture.sale_id(1);

-- a rollback gives everything back
select flashsale.update_sale(fixture.sale_id(1), null, null, null, 100, null, null);
select fixture.place(1, '{31,32}', '{31,32}');
begin;
select is(fixture.settle(100), '2 2 0 0 0', 'settled');
rollback;
select is(count(*), 2::bigint, 'a rollback gives the messages back') from pgmq.q_purchases;
select is(count(*), 2::bigint, 'and the orders') from flashsale.orders where status = 'in_progress';
select is(s.sold, 10, 'and the units') from flashsale.flash_sales s where s.flash_sale_id = fixture.sale_id(1);

-- messages delivered twice, in one batch and in two
select pgmq.send('purchases', jsonb_build_object('order_id', fixture.order_id(31)));
select pgmq.send('purchases', jsonb_build_object('order_id', upper(fixture.order_id(32)::text)));
select is(fixture.settle(3), '3 2 0 1 0', 'an order twice in a batch is settled once');
select is(fixture.settle(3), '1 0 0 1 0', 'and not again in the next');
select pgmq.send('purchases', jsonb_build_object('order_id', fixture.order_id(4)));
select is(fixture.settle(3), '1 0 0 1 0', 'a failed order stays failed');
select is(s.sold, 12, 'units are counted once') from flashsale.flash_sales s where s.flash_sale_id = fixture.sale_id(1);

-- poison
select fixture.place(1, '{41}', '{41}');
select pgmq.send('purchases', m::jsonb) from unnest(array[
    '{}', '"x"', 'null', null, '[1]', '7', '{"order_id": null}', '{"order_id": "x"}', '{"order_id": 7}',
    '{"order_id": {"order_id": "01900000-0000-7000-8000-000000000041"}}', '{"order_id": "01900000-0000-7000-8000-000000000999"}'
]) m;
select fixture.place(1, '{42}', '{42}');
select is(fixture.settle(100), '13 2 0 0 11', 'poison is set aside and does not hold up its batch');
select results_eq(
    'select reason, count(*) from ops.dead_letters group by 1 order by 1',
    $$values ('malformed_message', 10::bigint), ('unknown_order', 1)$$, 'with the reason'
);
select is(
    (select message from ops.dead_letters where reason = 'unknown_order'),
    '{"order_id": "01900000-0000-7000-8000-000000000999"}'::jsonb, 'and the message as it was'
);
select is(count(*), 0::bigint, 'and off the queue') from pgmq.q_purchases;
select is(fixture.settle(100), '0 0 0 0 0', 'for good');

-- an order whose sale was deleted by hand
select fixture.open_sale(9, 5);
select fixture.place(9, '{43,44}', '{43,44}');
select fixture.place(1, '{45}', '{45}');
delete from flashsale.flash_sales where flash_sale_id = fixture.sale_id(9);
select is(fixture.settle(100), '3 1 0 0 2', 'orders of a sale that is gone are set aside');
select results_eq(
    $$select reason, order_status from ops.dead_letters where order_id = fixture.order_id(43)$$,
    $$values ('unknown_sale', 'failed')$$, 'and fail'
);
select is(count(*), 0::bigint, 'nobody waits for ever') from flashsale.orders where status = 'in_progress';

-- what pgmq.read has hidden is left alone until it reappears
select fixture.place(1, '{51,52}', '{51,52}');
select is(count(*), 1::bigint, 'one message hidden') from pgmq.read('purchases', 600, 1);
select is(fixture.settle(100), '1 1 0 0 0', 'a hidden message is not taken');
select pgmq.set_vt('purchases', msg_id, 0) from pgmq.q_purchases;
select is(fixture.settle(100), '1 1 0 0 0', 'until it can be seen again');
-- A clock that steps back must not hide what nobody has read.
select fixture.place(1, '{53}', '{53}');
update pgmq.q_purchases set vt = clock_timestamp() + interval '1 hour';
select is(fixture.settle(100), '1 1 0 0 0', 'a message never read is taken whatever its time');

-- what settling costs: only new versions on the same page, no index entries
select flashsale.update_sale(fixture.sale_id(1), null, null, null, 1000, null, null);
select is(count(*) filter (where p like 'in_progress %'), 120::bigint, '120 orders placed') from fixture.place(
    1, array(select generate_series(61, 180)), array(select generate_series(61, 180))
) p;
select
    pg_stat_get_xact_tuples_updated('flashsale.orders'::regclass) as updated_before,
    pg_stat_get_xact_tuples_hot_updated('flashsale.orders'::regclass) as hot_before \gset
select fixture.settle(1000);
select is(
    pg_stat_get_xact_tuples_updated('flashsale.orders'::regclass) - :updated_before, 120::bigint, 'each is written once'
);
select cmp_ok(
    pg_stat_get_xact_tuples_hot_updated('flashsale.orders'::regclass) - :hot_before, '>=', 114::bigint,
    'and at least 95 % of them on their page, without touching an index (HOT)'
);

-- the outcomes are published with the commit, at most 60 orders a notification
select fixture.open_session('listener');
select public.dblink_exec('listener', 'listen flashsale_outcomes');
select fixture.place(1, '{181,182}', '{181,182}');
select flashsale.update_sale(s.flash_sale_id, null, null, null, s.sold + 1, null, null)
from flashsale.flash_sales s where s.flash_sale_id = fixture.sale_id(1);
select fixture.settle(100);
select results_eq(
    $$select n::jsonb from fixture.notifications('listener', 1) n$$,
    $$select jsonb_build_object(
        'flash_sale_id', fixture.sale_id(1), 'quantity', s.quantity, 'sold', s.sold, 'outcomes', jsonb_build_array(
            jsonb_build_array(fixture.order_id(181), fixture.user_id(181), 'success'),
            jsonb_build_array(fixture.order_id(182), fixture.user_id(182), 'sold_out')
        )
    ) from flashsale.flash_sales s where s.flash_sale_id = fixture.sale_id(1)$$,
    'one notification with the counter and every outcome'
);
select fixture.open_sale(3, 500);
select is(count(*), 121::bigint, '121 orders placed') from fixture.place(
    3, array(select generate_series(201, 321)), array(select generate_series(1, 121))
);
select fixture.settle(500);
select results_eq(
    $$select jsonb_array_length(n::jsonb -> 'outcomes') from fixture.notifications('listener', 3) n order by 1$$,
    array[1, 60, 60], 'a large batch in payloads of 60'
);
select * from finish();
