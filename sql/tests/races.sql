-- Two sessions at once: what one holds the other waits for, skips or is told.
select plan(63);
select fixture.add_users('{1,2,3,4,5,6,7,8,9}');
select fixture.open_sale(1, 5);
select fixture.open_session('one');
select fixture.open_session('two');
select fixture.open_session('three');

-- One user, two API processes: the second waits for the first and is told of its order.
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', $$select * from fixture.place(1, '{1}', '{1}')$$);
select public.dblink_send_query('two', $$select * from fixture.place(1, '{2,3}', '{1,2}')$$);
select ok(fixture.waits_for_a_lock('%{2,3}%'), 'the same user at once waits');
select public.dblink_exec('one', 'commit');
select results_eq(
    $$select fixture.answer('two')$$, array['in_progress 1', 'in_progress 3'], 'and is told the order of the first'
);
-- The first is rolled back: the second takes its place.
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', $$select * from fixture.place(1, '{4}', '{3}')$$);
select public.dblink_send_query('two', $$select * from fixture.place(1, '{5}', '{3}')$$);
select ok(fixture.waits_for_a_lock('%{5}%'), 'waits');
select public.dblink_exec('one', 'rollback');
select results_eq($$select fixture.answer('two')$$, array['in_progress 5'], 'and gets an order when the first is rolled back');
-- The same users named in opposite orders do not deadlock: rows are inserted in one order.
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', $$select * from fixture.place(1, '{6,7}', '{4,5}')$$);
select public.dblink_send_query('two', $$select * from fixture.place(1, '{8,9}', '{5,4}')$$);
select ok(fixture.waits_for_a_lock('%{8,9}%'), 'waits');
select public.dblink_exec('one', 'commit');
select results_eq($$select fixture.answer('two')$$, array['in_progress 7', 'in_progress 6'], 'without a deadlock');

-- Two workers: the second skips what the first has taken, and does not decide before the first has.
select flashsale.update_sale(fixture.sale_id(1), null, null, null, 3, null, null);
select is(count(*), 5::bigint, '5 queued for 3 units') from pgmq.q_purchases;
select public.dblink_exec('one', 'begin');
select results_eq($$select fixture.in_session('one', 'select fixture.settle(2)')$$, array['2 2 0 0 0'], 'one settles two');
select public.dblink_send_query('two', 'select fixture.settle(100)');
select ok(fixture.waits_for_a_lock('%settle(100)%'), 'the other waits for the counter');
select public.dblink_exec('one', 'commit');
select results_eq($$select fixture.answer('two')$$, array['3 1 2 0 0'], 'and finds one unit left');
select results_eq(
    'select count(*) filter (where o.status = ''success''), max(s.sold)::bigint from flashsale.orders o, flashsale.flash_sales s',
    'values (3::bigint, 3::bigint)', 'three units, three orders'
);
-- The first dies: its messages come back, and only then are they decided.
select flashsale.update_sale(fixture.sale_id(1), null, null, null, 5, null, null);
select fixture.place(1, '{11,12}', '{6,7}');
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', 'select fixture.settle(1)');
select public.dblink_exec('one', 'rollback');
select is(fixture.settle(100), '2 2 0 0 0', 'a worker that dies gives its messages back');

-- One order, delivered to two workers.
select flashsale.update_sale(fixture.sale_id(1), null, null, null, 9, null, null);
select fixture.place(1, '{21}', '{8}');
select pgmq.send('purchases', jsonb_build_object('order_id', fixture.order_id(21)));
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', 'select fixture.settle(1)');
select public.dblink_send_query('two', 'select fixture.settle(1)');
select ok(fixture.waits_for_a_lock('%settle(1)%'), 'the second delivery waits');
select public.dblink_exec('one', 'commit');
select results_eq($$select fixture.answer('two')$$, array['1 0 0 1 0'], 'and is a duplicate');
select is(s.sold, 6, 'one unit is taken') from flashsale.flash_sales s;

-- Two sales in one batch, while another batch holds them in the other order.
select fixture.open_sale(2, 9);
select fixture.place(1, '{31}', '{9}');
select fixture.place(2, '{32}', '{9}');
select fixture.place(2, '{33}', '{1}');
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', 'select fixture.settle(2)');
select public.dblink_send_query('two', 'select fixture.settle(2)');
select ok(fixture.waits_for_a_lock('%settle(2)%'), 'batches of several sales wait for each other');
select public.dblink_exec('one', 'commit');
select results_eq($$select fixture.answer('two')$$, array['1 1 0 0 0'], 'and do not deadlock');
-- For they lock their sales in the order of their ids: who waits for one holds none that comes later.
select fixture.add_users('{91}');
select fixture.place(1, '{35}', '{91}');
select fixture.place(2, '{36}', '{91}');
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', $$select s.flash_sale_id::text from flashsale.flash_sales s
    where s.flash_sale_id = least(fixture.sale_id(1), fixture.sale_id(2)) for no key update$$);
select public.dblink_send_query('two', 'select fixture.settle(2)');
select ok(fixture.waits_for_a_lock('%settle(2)%'), 'a batch waits for the first of its sales');
select lives_ok(
    $$select from flashsale.flash_sales s
    where s.flash_sale_id = greatest(fixture.sale_id(1), fixture.sale_id(2)) for no key update nowait$$,
    'and does not hold the second'
);
select public.dblink_exec('one', 'commit');
select results_eq($$select fixture.answer('two')$$, array['2 2 0 0 0'], 'before it settles both');

-- A worker does not wait for the messages of another; only for the sale, when both have some of it.
select fixture.open_sale(3, 9);
select fixture.place(3, '{41}', '{2}');
select fixture.place(2, '{42}', '{3}');
select public.dblink_exec('two', 'set lock_timeout = ''5s''');
select public.dblink_exec('one', 'begin');
select results_eq($$select fixture.in_session('one', 'select fixture.settle(1)')$$, array['1 1 0 0 0'], 'one has a message');
select results_eq($$select fixture.in_session('two', 'select fixture.settle(1)')$$, array['1 1 0 0 0'], 'two takes the next');
select public.dblink_exec('one', 'commit');

-- The last unit: who comes second waits for the first, who may still be rolled back. Workers wait for neither.
select fixture.open_sale(4, 1);
select fixture.open_sale(5, 9);
select fixture.place(5, '{61}', '{6}');
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', $$select * from fixture.place(4, '{51}', '{1}')$$);
select public.dblink_send_query('two', $$select * from fixture.place(4, '{52}', '{2}')$$);
select ok(fixture.waits_for_a_lock('%{52}%'), 'the last unit is waited for');
set lock_timeout = '5s';
begin;
select is(fixture.settle(100), '1 1 0 0 0', 'a worker does not wait for who is placing');
rollback;
reset lock_timeout;
select public.dblink_exec('one', 'rollback');
select results_eq($$select fixture.answer('two')$$, array['in_progress 52'], 'and had after a rollback');
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', $$select * from flashsale.update_sale(fixture.sale_id(4), null, null, null, 2, null, null)$$);
select public.dblink_exec('one', 'commit');
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', $$select * from fixture.place(4, '{53}', '{3}')$$);
select public.dblink_send_query('two', $$select * from fixture.place(4, '{54}', '{4}')$$);
select ok(fixture.waits_for_a_lock('%{54}%'), 'waits');
select public.dblink_exec('one', 'commit');
select results_eq($$select fixture.answer('two')$$, array['sold_out -'], 'and gone after a commit');
select is(fixture.settle(100), '3 3 0 0 0', 'all that were admitted succeed');

-- Without an intake batches do not take turns: one order a user is then up to the unique index.
select fixture.open_sale(6, 9);
delete from flashsale.sale_intakes where flash_sale_id = fixture.sale_id(6);
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', $$select * from fixture.place(6, '{71}', '{1}')$$);
select public.dblink_send_query('two', $$select * from fixture.place(6, '{72,73}', '{1,2}')$$);
select ok(fixture.waits_for_a_lock('%{72,73}%'), 'the same user waits for the unique index');
select public.dblink_exec('one', 'commit');
select results_eq(
    $$select fixture.answer('two')$$, array['in_progress 71', 'in_progress 73'], 'and is told the order of the first'
);
select fixture.settle(100);

-- Settling gives units back to the intake that a batch of purchases holds: the worker waits, the batch never for it.
select fixture.open_sale(18, 4);
select fixture.place(18, '{181,182}', '{1,2}');
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', $$select * from fixture.place(18, '{183}', '{3}')$$);
select fixture.set_quantity(18, 1);
select public.dblink_send_query('two', 'select fixture.settle(100)');
select ok(fixture.waits_for_a_lock('%settle(100)%'), 'a worker whose orders fail waits for who is placing');
select public.dblink_exec('one', 'commit');
select results_eq($$select fixture.answer('two')$$, array['2 1 1 0 0'], 'without a deadlock');
select is(fixture.live(18), 2, 'one has its unit, one is placed');
select public.dblink_exec('one', 'begin');
select results_eq($$select fixture.in_session('one', 'select fixture.settle(100)')$$, array['1 0 1 0 0'], 'it fails');
select is(
    array_agg(p), '{sold_out -}', 'a sold-out sale is answered without waiting for the worker'
) from fixture.place(18, '{184}', '{4}') p;
select public.dblink_exec('one', 'commit');
select is(fixture.live(18), 1, 'and its place is free');

-- Settling singly: what one worker has in hand the other waits for, and the unit of a dead letter goes to who waits.
create function fixture.raise_defect() returns trigger language plpgsql as $$
begin
    if new.user_id = fixture.user_id(9) and new.failure_reason is null then
        raise exception 'a defect';
    end if;
    return new;
end
$$;
create trigger defect before update on flashsale.orders for each row execute function fixture.raise_defect();
select fixture.open_sale(19, 3);
select fixture.place(19, '{191,192}', '{9,2}');
select public.dblink_exec('one', 'begin');
select results_eq($$select fixture.in_session('one', 'select fixture.settle_singly(1)')$$, array['1 0 0 0 1'], 'set aside');
select public.dblink_send_query('two', 'select fixture.settle(1)');
select ok(fixture.waits_for_a_lock('%settle(1)%'), 'a worker waits for one that settles singly');
select public.dblink_send_query('three', $$select * from fixture.place(19, '{193,194}', '{3,4}')$$);
select ok(fixture.waits_for_a_lock('%{193,194}%'), 'so does who is placing, when there is a unit to be had');
select public.dblink_exec('one', 'commit');
select results_eq($$select fixture.answer('two')$$, array['1 1 0 0 0'], 'the next message is settled');
select results_eq(
    $$select fixture.answer('three')$$, array['in_progress 193', 'in_progress 194'], 'the unit of the dead letter is free'
);
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', 'select fixture.settle(1)');
select public.dblink_send_query('two', 'select fixture.settle_singly(100)');
select ok(fixture.waits_for_a_lock('%settle_singly(100)%'), 'and one that settles singly for a worker');
select public.dblink_exec('one', 'commit');
select results_eq($$select fixture.answer('two')$$, array['1 1 0 0 0'], 'without a deadlock');
drop trigger defect on flashsale.orders;

-- Idempotency keys: one claim of a key holds, whatever the order in which two batches name them, also beside prune.
create function fixture.claim(keys text[], request integer) returns setof text language sql as $$
    select c.state from flashsale.claim_idempotency_keys(
        array_fill('a'::text, array[cardinality(keys)]), keys, array_fill('\x01'::bytea, array[cardinality(keys)]),
        array_fill(fixture.order_id(request), array[cardinality(keys)]), interval '1 minute'
    ) c
$$;
create function fixture.finish(keys text[], request integer, status smallint) returns text language sql as $$
    select 'finished' from flashsale.finish_idempotency_keys(
        array_fill('a'::text, array[cardinality(keys)]), keys, array_fill(fixture.order_id(request), array[cardinality(keys)]),
        array_fill(status, array[cardinality(keys)]), array_fill('\x02'::bytea, array[cardinality(keys)])
    )
$$;
create function fixture.age(which text) returns void language sql as $$
    update flashsale.idempotency_keys set claimed_at = clock_timestamp() - interval '25 hours' where key = which
$$;
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', $$select fixture.claim('{k,l}', 1)$$);
select public.dblink_send_query('two', $$select fixture.claim('{l,k}', 2)$$);
select ok(fixture.waits_for_a_lock('%{l,k}%'), 'a key being claimed is waited for');
select public.dblink_exec('one', 'commit');
select results_eq($$select fixture.answer('two')$$, array['running', 'running'], 'and is running, without a deadlock');
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', $$select fixture.claim('{m}', 1)$$);
select public.dblink_send_query('two', $$select fixture.claim('{m}', 2)$$);
select ok(fixture.waits_for_a_lock('%{m}%'), 'waits');
select public.dblink_exec('one', 'rollback');
select results_eq($$select fixture.answer('two')$$, array['claimed'], 'and has it when the first is rolled back');
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', $$select fixture.finish('{l,k}', 1, 200::smallint)$$);
select public.dblink_send_query('two', $$select fixture.finish('{k,l}', 1, 500::smallint)$$);
select ok(fixture.waits_for_a_lock('%500::smallint%'), 'two answers to the same keys take turns');
select public.dblink_exec('one', 'commit');
select results_eq($$select fixture.answer('two')$$, array['finished'], 'without a deadlock');
select is(array_agg(distinct k.answer_status), '{200}', 'the first answer stays') from flashsale.idempotency_keys k
where k.key in ('k', 'l');
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', $$select fixture.finish('{m}', 2, null)$$);
select public.dblink_send_query('two', $$select fixture.claim('{m}', 3)$$);
select ok(fixture.waits_for_a_lock('%{m}%'), 'a claim waits for one that is given up');
select public.dblink_exec('one', 'commit');
select results_eq($$select fixture.answer('two')$$, array['claimed'], 'and has the key');
select fixture.age('k');
select public.dblink_exec('one', 'begin');
select results_eq($$select fixture.in_session('one', $q$select fixture.claim('{k}', 4)$q$)$$, array['claimed'], 'anew');
select flashsale.prune(100);
select public.dblink_exec('one', 'commit');
select is(array_agg(c), '{running}', 'prune does not wait for a claim, nor take its key') from fixture.claim('{k}', 5) c;
select fixture.age('l');
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', 'select flashsale.prune(100)::text');
select public.dblink_send_query('two', $$select fixture.claim('{l}', 6)$$);
select ok(fixture.waits_for_a_lock('%{l}%'), 'a claim waits for prune');
select public.dblink_exec('one', 'commit');
select results_eq($$select fixture.answer('two')$$, array['claimed'], 'and has the key that prune has deleted');

-- Two processes note what they counted at one time, the same rows named in opposite orders.
create function fixture.note(sales integer[], attempts bigint) returns text language sql as $$
    select 'noted' from flashsale.note_activity(
        (select array_agg(fixture.sale_id(n) order by at) from unnest(sales) with ordinality as u (n, at)),
        array_fill('sold_out'::text, array[cardinality(sales)]), array_fill(attempts, array[cardinality(sales)])
    )
$$;
select fixture.note('{11,12}', 1);
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', $$select fixture.note('{11,12}', 10)$$);
select public.dblink_send_query('two', $$select fixture.note('{12,11}', 100)$$);
select ok(fixture.waits_for_a_lock('%{12,11}%'), 'the second waits for the first');
select public.dblink_exec('one', 'commit');
select results_eq($$select fixture.answer('two')$$, array['noted'], 'without a deadlock');
select is(array_agg(t.attempts), '{111,111}', 'and nothing is lost') from flashsale.sale_attempt_totals t
where t.answer = 'sold_out';

-- One address, two users; one session, two logouts.
create function fixture.join(n integer, email text) returns text language sql as $$
    select 'joined' from flashsale.create_user(fixture.user_id(n), email, '$argon2id$none', false)
$$;
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', $$select fixture.join(21, 'one@example.org')$$);
select public.dblink_send_query('two', $$select fixture.join(22, 'one@example.org')$$);
select ok(fixture.waits_for_a_lock('%join(22%'), 'one address is waited for');
select public.dblink_exec('one', 'commit');
select is(
    fixture.error('two'), 'duplicate key value violates unique constraint "email_taken_once"', 'and taken once'
);
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', 'select flashsale.end_session(fixture.user_id(1), now() + interval ''1 hour'')::text');
select public.dblink_send_query('two', 'select flashsale.end_session(fixture.user_id(1), now() + interval ''1 hour'')::text');
select ok(fixture.waits_for_a_lock('%end_session%'), 'a session being ended is waited for');
select public.dblink_exec('one', 'commit');
select is(fixture.error('two'), 'none', 'and ending it twice is no error');
select * from finish();
