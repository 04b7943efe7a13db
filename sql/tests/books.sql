-- check_books and repair_books: what is found of sales that may have changed, what is put right, and while purchases run.
select plan(46);
select fixture.add_users(array(select generate_series(1, 40)));
select fixture.open_sale(1, 9);
select fixture.open_sale(2, 9);
create function pg_temp.found(within interval default '1 minute') returns setof text language sql as $$
    select concat_ws(
        ' ', case c.flash_sale_id when fixture.sale_id(1) then 1 when fixture.sale_id(2) then 2 else 3 end,
        c.sold, c.success_rows, c.live, c.in_progress_rows, c.queued, c.set_aside, c.repairable
    ) from flashsale.check_books(within) c order by 1
$$;
create function pg_temp.repair(n integer) returns text language sql as $$
    select concat_ws(' ', r.sold_before, r.sold_after, r.live_before, r.live_after, r.messages_sent)
    from flashsale.repair_books(fixture.sale_id(n)) r
$$;
create function pg_temp.balanced(n integer) returns boolean language sql as $$
    select b.balanced from ops.sale_books b where b.flash_sale_id = fixture.sale_id(n)
$$;

select is_empty('select pg_temp.found()', 'nothing sold');
select fixture.place(1, '{1,2,3,4}', '{1,2,3,4}');
select fixture.place(2, '{5,6}', '{1,2}');
select fixture.settle(2);
select is_empty('select pg_temp.found()', 'half way');
select is(pg_temp.repair(1), '2 2 4 4 0', 'nothing to repair, nothing changed');
select is_empty('select flashsale.repair_books(fixture.sale_id(99))', 'a sale there is not has no answer');

-- Counters, each too high and too low.
update flashsale.flash_sales set sold = 1 where flash_sale_id = fixture.sale_id(1);
select results_eq('select pg_temp.found()', array['1 1 2 4 2 2 0 t'], 'a counter of units that is too low');
select is(pg_temp.repair(1), '1 2 4 4 0', 'is put right');
update flashsale.flash_sales set sold = 9 where flash_sale_id = fixture.sale_id(1);
select is(pg_temp.repair(1), '9 2 4 4 0', 'and one that is too high');
update flashsale.sale_intakes set live = 9 where flash_sale_id = fixture.sale_id(1);
select results_eq('select pg_temp.found()', array['1 2 2 9 2 2 0 t'], 'an intake that is too high');
select is(pg_temp.repair(1), '2 2 9 4 0', 'is put right');
update flashsale.sale_intakes set live = 0 where flash_sale_id = fixture.sale_id(1);
select fixture.open_session('listener');
select public.dblink_exec('listener', 'listen flashsale_sales');
select is(pg_temp.repair(1), '2 2 0 4 0', 'and one that is too low');
select results_eq(
    $$select fixture.notifications('listener', 1)$$, $$select fixture.sale_id(1)::text$$, 'API processes are told'
);
select is_empty('select pg_temp.found()', 'the books balance again');

-- Messages: one lost, one sent twice, one of no order, one set aside.
delete from pgmq.q_purchases where message ->> 'order_id' = fixture.order_id(3)::text;
select results_eq('select pg_temp.found()', array['1 2 2 4 2 1 0 t'], 'an order that has lost its message');
select is(pg_temp.repair(1), '2 2 4 4 1', 'gets a new one');
select is_empty('select pg_temp.found()', 'and only that');
select results_eq(
    $$select m.message from pgmq.q_purchases m where m.message ->> 'order_id' = fixture.order_id(3)::text$$,
    $$select jsonb_build_object('order_id', fixture.order_id(3), 'user_id', fixture.user_id(3),
        'product_id', fixture.product_id(1), 'flash_sale_id', fixture.sale_id(1))$$, 'like the one it had'
);
update pgmq.q_purchases m
set message = jsonb_set(m.message, '{order_id}', to_jsonb(fixture.order_id(4)))
where m.message ->> 'order_id' = fixture.order_id(3)::text;
select results_eq('select pg_temp.found()', array['1 2 2 4 2 2 0 t'], 'one sent twice in place of another shows too');
select is(pg_temp.repair(1), '2 2 4 4 1', 'the other gets its own');
select results_eq('select pg_temp.found()', array['1 2 2 4 2 3 0 t'], 'one is still too many');
select is(fixture.settle(3), '3 3 0 0 0', 'until the workers');
select is(fixture.settle(9), '2 1 0 1 0', 'take it away');
select is_empty('select pg_temp.found()', 'the books balance');
begin;
select flashsale.place_orders(fixture.product_id(1), array[md5('letters')::uuid], array[fixture.user_id(5)], '{none}', '{null}');
select fixture.place(1, '{7}', '{6}');
update pgmq.q_purchases m set message = jsonb_set(m.message, '{order_id}', to_jsonb(upper(m.message ->> 'order_id')));
select is_empty('select pg_temp.found()', 'an id in capitals is the same order');
delete from pgmq.q_purchases m where m.message ->> 'order_id' = fixture.order_id(7)::text;
select is(pg_temp.repair(1), '4 4 6 6 1', 'and has its message');
rollback;
begin;
select fixture.place(1, '{7}', '{5}');
select pgmq.send('purchases_dead', jsonb_build_object('message', m.message)) from pgmq.q_purchases m;
delete from pgmq.q_purchases;
select results_eq('select pg_temp.found()', array['1 4 4 5 1 0 1 f'], 'an order whose message is a dead letter');
select is(pg_temp.repair(1), '4 4 5 5 0', 'is for a person');
select fixture.place(1, '{8}', '{6}');
delete from pgmq.q_purchases;
select results_eq('select pg_temp.found()', array['1 4 4 6 2 0 1 t'], 'and one that has lost its message beside it');
select is(pg_temp.repair(1), '4 4 6 6 1', 'is the only one that gets one');
rollback;

-- More orders than units, which only a hand can make: nothing more is sold.
begin;
update flashsale.flash_sales set quantity = 3, sold = 0 where flash_sale_id = fixture.sale_id(1);
select is(pg_temp.repair(1), '0 3 4 4 0', 'sold is never above quantity');
select results_eq('select pg_temp.found()', array['1 3 4 4 0 0 0 t'], 'and the books go on saying so');
rollback;

-- Which sales are looked at.
begin;
update flashsale.flash_sales
set start_date = now() - interval '3 hours', end_date = now() - interval '2 hours', updated_at = now() - interval '5 hours'
where flash_sale_id = fixture.sale_id(1);
update flashsale.sale_settlements set second = second - interval '5 hours';
update flashsale.flash_sales set sold = 3 where flash_sale_id = fixture.sale_id(1);
update flashsale.sale_intakes set live = 3 where flash_sale_id = fixture.sale_id(1);
select is_empty('select pg_temp.found()', 'a sale that ended long ago is not');
select results_eq('select pg_temp.found(null)', array['1 3 4 3 0 0 0 t'], 'unless all are');
select results_eq($$select pg_temp.found('3 hours')$$, array['1 3 4 3 0 0 0 t'], 'or it ended within the time');
update flashsale.sale_intakes set live = 4 where flash_sale_id = fixture.sale_id(1);
select results_eq('select pg_temp.found()', array['1 3 4 4 0 0 0 t'], 'or has orders in progress by its counters');
update flashsale.sale_intakes set live = 3 where flash_sale_id = fixture.sale_id(1);
update flashsale.flash_sales set updated_at = now() where flash_sale_id = fixture.sale_id(1);
select results_eq('select pg_temp.found()', array['1 3 4 3 0 0 0 t'], 'or was changed');
update flashsale.flash_sales set updated_at = now() - interval '2 hours' where flash_sale_id = fixture.sale_id(1);
update flashsale.sale_settlements set second = now() where flash_sale_id = fixture.sale_id(1);
select results_eq('select pg_temp.found()', array['1 3 4 3 0 0 0 t'], 'or settled something');
rollback;
select is_empty(
    $$select p.proname from pg_proc p
      where p.proname in ('check_books', 'count_queue', 'count_set_aside') and p.provolatile <> 's'$$,
    'all is read in the snapshot of one statement'
);

-- While purchases run: repairing waits for who settles or places, and they for it; afterwards the books balance.
create function fixture.repair(n integer) returns text language sql as $$
    select concat_ws(' ', r.sold_before, r.sold_after, r.live_before, r.live_after, r.messages_sent)
    from flashsale.repair_books(fixture.sale_id(n)) r
$$;
select fixture.open_session('one');
select fixture.open_session('two');
select fixture.place(1, '{21,22}', '{21,22}');
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', 'select fixture.settle(1)');
select public.dblink_send_query('two', 'select fixture.repair(1)');
select ok(fixture.waits_for_a_lock('%repair(1)%'), 'repairing waits for a batch that is being settled');
select public.dblink_exec('one', 'commit');
select results_eq($$select fixture.answer('two')$$, array['5 5 6 6 0'], 'and finds it counted, and no message lost');
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', $$select * from fixture.place(1, '{23,24}', '{23,24}')$$);
select public.dblink_send_query('two', 'select fixture.repair(1)');
select ok(fixture.waits_for_a_lock('%repair(1)%'), 'it waits for a batch that is being placed');
select public.dblink_exec('one', 'commit');
select results_eq($$select fixture.answer('two')$$, array['5 5 8 8 0'], 'and finds it counted, and no message lost');
update flashsale.sale_intakes set live = 1 where flash_sale_id = fixture.sale_id(1);
update flashsale.flash_sales set sold = 0 where flash_sale_id = fixture.sale_id(1);
select public.dblink_exec('one', 'begin');
select results_eq($$select fixture.in_session('one', 'select fixture.repair(1)')$$, array['0 5 1 8 0'], 'repaired');
select public.dblink_send_query('two', 'select fixture.settle(9)');
select ok(fixture.waits_for_a_lock('%settle(9)%'), 'a worker waits until the counters are right');
select public.dblink_exec('one', 'commit');
select results_eq($$select fixture.answer('two')$$, array['3 3 0 0 0'], 'and counts on');
select ok(pg_temp.balanced(1), 'the books balance');
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', $$select s.sold::text from flashsale.flash_sales s
    where s.flash_sale_id = fixture.sale_id(1) for no key update$$);
set statement_timeout = '10s';
select throws_ok('select pg_temp.repair(1)', '55P03', null, 'it does not queue for ever behind somebody else');
select public.dblink_exec('one', 'rollback');
select * from finish();
