-- Two sessions at once: what one holds the other waits for, skips or is told.
select plan(27);
select fixture.add_users('{1,2,3,4,5,6,7,8,9}');
select fixture.open_sale(1, 5);
select fixture.open_session('one');
select fixture.open_session('two');
create function pg_temp.in_session(session text, call text) returns setof text language sql as $$
    select t.line from public.dblink(session, call) as t (line text)
$$;
-- The answer to a call sent with dblink_send_query; the second get_result ends it.
create function pg_temp.answer(session text) returns setof text language plpgsql as $$
begin
    return query select t.line from public.dblink_get_result(session) as t (line text);
    perform from public.dblink_get_result(session) as t (line text);
end
$$;

-- One user, two API processes: the second waits for the first and is told of its order.
select public.dblink_exec('one', 'begin');
select pg_temp.in_session('one', $$select * from fixture.place(1, '{1}', '{1}')$$);
select public.dblink_send_query('two', $$select * from fixture.place(1, '{2,3}', '{1,2}')$$);
select ok(fixture.waits_for_a_lock('%{2,3}%'), 'the same user at once waits');
select public.dblink_exec('one', 'commit');
select results_eq(
    $$select pg_temp.answer('two')$$, array['in_progress 1', 'in_progress 3'], 'and is told the order of the first'
);
-- The first is rolled back: the second takes its place.
select public.dblink_exec('one', 'begin');
select pg_temp.in_session('one', $$select * from fixture.place(1, '{4}', '{3}')$$);
select public.dblink_send_query('two', $$select * from fixture.place(1, '{5}', '{3}')$$);
select ok(fixture.waits_for_a_lock('%{5}%'), 'waits');
select public.dblink_exec('one', 'rollback');
select results_eq($$select pg_temp.answer('two')$$, array['in_progress 5'], 'and gets an order when the first is rolled back');
-- The same users named in opposite orders do not deadlock: rows are inserted in one order.
select public.dblink_exec('one', 'begin');
select pg_temp.in_session('one', $$select * from fixture.place(1, '{6,7}', '{4,5}')$$);
select public.dblink_send_query('two', $$select * from fixture.place(1, '{8,9}', '{5,4}')$$);
select ok(fixture.waits_for_a_lock('%{8,9}%'), 'waits');
select public.dblink_exec('one', 'commit');
select results_eq($$select pg_temp.answer('two')$$, array['in_progress 7', 'in_progress 6'], 'without a deadlock');

-- Two workers: the second skips what the first has taken, and does not decide before the first has.
select flashsale.update_sale(fixture.sale_id(1), null, null, null, 3, null, null);
select is(count(*), 5::bigint, '5 queued for 3 units') from pgmq.q_purchases;
select public.dblink_exec('one', 'begin');
select results_eq($$select pg_temp.in_session('one', 'select fixture.settle(2)')$$, array['2 2 0 0 0'], 'one settles two');
select public.dblink_send_query('two', 'select fixture.settle(100)');
select ok(fixture.waits_for_a_lock('%settle(100)%'), 'the other waits for the counter');
select public.dblink_exec('one', 'commit');
select results_eq($$select pg_temp.answer('two')$$, array['3 1 2 0 0'], 'and finds one unit left');
select results_eq(
    'select count(*) filter (where o.status = ''success''), max(s.sold)::bigint from flashsale.orders o, flashsale.flash_sales s',
    'values (3::bigint, 3::bigint)', 'three units, three orders'
);
-- The first dies: its messages come back, and only then are they decided.
select flashsale.update_sale(fixture.sale_id(1), null, null, null, 5, null, null);
select fixture.place(1, '{11,12}', '{6,7}');
select public.dblink_exec('one', 'begin');
select pg_temp.in_session('one', 'select fixture.settle(1)');
select public.dblink_exec('one', 'rollback');
select is(fixture.settle(100), '2 2 0 0 0', 'a worker that dies gives its messages back');

-- One order, delivered to two workers.
select flashsale.update_sale(fixture.sale_id(1), null, null, null, 9, null, null);
select fixture.place(1, '{21}', '{8}');
select pgmq.send('purchases', jsonb_build_object('order_id', fixture.order_id(21)));
select public.dblink_exec('one', 'begin');
select pg_temp.in_session('one', 'select fixture.settle(1)');
select public.dblink_send_query('two', 'select fixture.settle(1)');
select ok(fixture.waits_for_a_lock('%settle(1)%'), 'the second delivery waits');
select public.dblink_exec('one', 'commit');
select results_eq($$select pg_temp.answer('two')$$, array['1 0 0 1 0'], 'and is a duplicate');
select is(s.sold, 6, 'one unit is taken') from flashsale.flash_sales s;

-- Two sales in one batch, while another batch holds them in the other order.
select fixture.open_sale(2, 9);
select fixture.place(1, '{31}', '{9}');
select fixture.place(2, '{32}', '{9}');
select fixture.place(2, '{33}', '{1}');
select public.dblink_exec('one', 'begin');
select pg_temp.in_session('one', 'select fixture.settle(2)');
select public.dblink_send_query('two', 'select fixture.settle(2)');
select ok(fixture.waits_for_a_lock('%settle(2)%'), 'batches of several sales wait for each other');
select public.dblink_exec('one', 'commit');
select results_eq($$select pg_temp.answer('two')$$, array['1 1 0 0 0'], 'and do not deadlock');

-- A worker does not wait for the messages of another; only for the sale, when both have some of it.
select fixture.open_sale(3, 9);
select fixture.place(3, '{41}', '{2}');
select fixture.place(2, '{42}', '{3}');
select public.dblink_exec('two', 'set lock_timeout = ''5s''');
select public.dblink_exec('one', 'begin');
select results_eq($$select pg_temp.in_session('one', 'select fixture.settle(1)')$$, array['1 1 0 0 0'], 'one has a message');
select results_eq($$select pg_temp.in_session('two', 'select fixture.settle(1)')$$, array['1 1 0 0 0'], 'two takes the next');
select public.dblink_exec('one', 'commit');

-- The last unit: who comes second waits for the first, who may still be rolled back. Workers wait for neither.
select fixture.open_sale(4, 1);
select fixture.open_sale(5, 9);
select fixture.place(5, '{61}', '{6}');
select public.dblink_exec('one', 'begin');
select pg_temp.in_session('one', $$select * from fixture.place(4, '{51}', '{1}')$$);
select public.dblink_send_query('two', $$select * from fixture.place(4, '{52}', '{2}')$$);
select ok(fixture.waits_for_a_lock('%{52}%'), 'the last unit is waited for');
set lock_timeout = '5s';
begin;
select is(fixture.settle(100), '1 1 0 0 0', 'a worker does not wait for who is placing');
rollback;
reset lock_timeout;
select public.dblink_exec('one', 'rollback');
select results_eq($$select pg_temp.answer('two')$$, array['in_progress 52'], 'and had after a rollback');
select public.dblink_exec('one', 'begin');
select pg_temp.in_session('one', $$select * from flashsale.update_sale(fixture.sale_id(4), null, null, null, 2, null, null)$$);
select public.dblink_exec('one', 'commit');
select public.dblink_exec('one', 'begin');
select pg_temp.in_session('one', $$select * from fixture.place(4, '{53}', '{3}')$$);
select public.dblink_send_query('two', $$select * from fixture.place(4, '{54}', '{4}')$$);
select ok(fixture.waits_for_a_lock('%{54}%'), 'waits');
select public.dblink_exec('one', 'commit');
select results_eq($$select pg_temp.answer('two')$$, array['sold_out -'], 'and gone after a commit');
select is(fixture.settle(100), '3 3 0 0 0', 'all that were admitted succeed');

-- Without an intake batches do not take turns: one order a user is then up to the unique index.
select fixture.open_sale(6, 9);
delete from flashsale.sale_intakes where flash_sale_id = fixture.sale_id(6);
select public.dblink_exec('one', 'begin');
select pg_temp.in_session('one', $$select * from fixture.place(6, '{71}', '{1}')$$);
select public.dblink_send_query('two', $$select * from fixture.place(6, '{72,73}', '{1,2}')$$);
select ok(fixture.waits_for_a_lock('%{72,73}%'), 'the same user waits for the unique index');
select public.dblink_exec('one', 'commit');
select results_eq(
    $$select pg_temp.answer('two')$$, array['in_progress 71', 'in_progress 73'], 'and is told the order of the first'
);
select * from finish();
