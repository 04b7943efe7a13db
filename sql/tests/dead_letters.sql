-- replay_dead_letter and drop_dead_letter: what can be decided again, what can only be dropped, and that the books balance.
select plan(36);
select fixture.add_users('{1,2,3,4,5,6,7,8,9}');
select fixture.open_sale(1, 9);
create role letter_operator in role flashsale_operator;
create function pg_temp.letter(n integer) returns bigint language sql as $$
    select max(d.msg_id) from ops.dead_letters d where d.order_id = fixture.order_id(n)
$$;
create function pg_temp.books() returns text language sql as $$
    select concat_ws(' ', b.sold, b.live, b.queued, b.success_rows, b.in_progress_rows, b.set_aside, b.balanced)
    from ops.sale_books b where b.flash_sale_id = fixture.sale_id(1)
$$;
-- Stands for a defect that settling meets, and failing the order of user 2 too.
create function public.raise_defect() returns trigger language plpgsql as $$
begin
    if new.user_id = fixture.user_id(1) and new.status = 'success' or new.user_id in (fixture.user_id(2), fixture.user_id(3)) then
        raise exception 'a defect';
    end if;
    return new;
end
$$;
create trigger defect before update on flashsale.orders for each row execute function public.raise_defect();
select fixture.place(1, '{1,2,3,4}', '{1,2,3,4}');
select fixture.settle_singly(100);
select is(pg_temp.books(), '1 3 0 1 2 2 f', 'two orders could not even fail: they wait, and the books say so');
select is(count(*), 3::bigint, 'three dead letters') from ops.dead_letters;

-- Replay, before the defect is gone: the order comes back here, once.
select is(ops.replay_dead_letter(pg_temp.letter(2)), 'replayed', 'an order in progress can be replayed');
select is(pg_temp.books(), '1 3 1 1 2 1 f', 'it is queued again');
select results_eq(
    $$select message from pgmq.q_purchases$$,
    $$select flashsale.purchase_message(o) from flashsale.orders o where o.order_id = fixture.order_id(2)$$, 'as it was'
);
select is(fixture.settle_singly(100), '1 0 0 0 1', 'and with the defect it comes back');
select is(count(*), 3::bigint, 'once') from ops.dead_letters;
drop trigger defect on flashsale.orders;

-- An order delivered twice leaves two dead letters; it is queued once.
select pgmq.send('purchases_dead', d.message) from pgmq.q_purchases_dead d where d.msg_id = pg_temp.letter(2);
select is(count(*), 2::bigint, 'two dead letters of one order') from ops.dead_letters d where d.order_id = fixture.order_id(2);
select is(ops.replay_dead_letter(pg_temp.letter(2)), 'replayed', 'the first is replayed');
select is(ops.replay_dead_letter(pg_temp.letter(2)), 'already_queued', 'the second only put away');
select is(count(*), 1::bigint, 'one message') from pgmq.q_purchases;
select is(fixture.settle(100), '1 1 0 0 0', 'it is decided');
select is(pg_temp.books(), '2 3 0 2 1 1 f', 'and counted');

-- Drop: the order that nobody would decide any more fails, and its unit goes back.
create temporary table letters as select pg_temp.letter(3) as three, pg_temp.letter(1) as one;
select fixture.open_session('listener');
select public.dblink_exec('listener', 'listen flashsale_outcomes');
select throws_ok(
    format('select ops.drop_dead_letter(%s, %L)', three, '  '), '22023',
    'a dead letter is dropped with a reason of 1 to 500 characters, for whoever asks later', 'dropping needs a reason'
) from letters;
select is(ops.drop_dead_letter(three, ' a defect '), 'dropped_and_order_failed', 'an order in progress fails') from letters;
select is(pg_temp.books(), '2 2 0 2 0 0 t', 'and the books balance') from letters;
select results_eq(
    $$select fixture.notifications('listener', 1)::jsonb -> 'outcomes' -> 0 ->> 2$$, array['dead_lettered'], 'its user is told'
);
select is(sum(t.failed), 2::bigint, 'the failure is counted') from flashsale.sale_settlements t;
select throws_ok(
    format('select ops.replay_dead_letter(%s)', one), '55000',
    format('order %s of dead letter %s is settled (dead_lettered) and settled orders never change', fixture.order_id(1), one),
    'an order that has failed is not decided again'
) from letters;
select is(
    array_agg(p), '{in_progress 11}', 'its user buys again'
) from fixture.place(1, '{11}', '{1}') p;
select is(ops.drop_dead_letter(one, 'told the user'), 'dropped', 'its message is dropped') from letters;
select is(fixture.settle(100), '1 1 0 0 0', 'and the new order is another matter');

-- Messages of no order.
select pgmq.send('purchases', '{"order_id": "x"}');
select pgmq.send('purchases', jsonb_build_object('order_id', fixture.order_id(99)));
select fixture.settle(100);
select throws_ok(
    format('select ops.replay_dead_letter(%s)', d.msg_id), '55000',
    format('dead letter %s names no order (malformed_message)', d.msg_id), 'a malformed message is not replayed'
) from ops.dead_letters d where d.reason = 'malformed_message';
select throws_ok(
    format('select ops.replay_dead_letter(%s)', d.msg_id), '55000',
    format('dead letter %s names order %s, which does not exist', d.msg_id, fixture.order_id(99)), 'nor one of no order'
) from ops.dead_letters d where d.reason = 'unknown_order';
select throws_ok('select ops.replay_dead_letter(12345)', 'P0002', 'there is no dead letter 12345', 'nor one there is not');
select min(d.msg_id) as malformed, max(d.msg_id) as unknown from ops.dead_letters d \gset
set session authorization letter_operator;
select is(ops.drop_dead_letter(:malformed, 'by hand'), 'dropped', 'an operator drops one');
select is(ops.drop_dead_letter(:unknown, 'by hand'), 'dropped', 'and the other');
select throws_ok('select * from ops.dead_letters', '42501', null, 'but reads only as flashsale_dba');
reset session authorization;
select is(count(*), 0::bigint, 'all are handled') from ops.dead_letters;
select is(pg_temp.books(), '3 3 0 3 0 0 t', 'the books balance');

begin;
select fixture.place(1, '{12}', '{8}');
select pgmq.send('purchases_dead', jsonb_build_object('message', m.message)) from pgmq.q_purchases m;
select is(ops.drop_dead_letter(d.msg_id, 'sent twice'), 'dropped', 'an order that is still queued does not fail')
from ops.dead_letters d;
select is(pg_temp.books(), '3 4 1 3 1 0 t', 'its message is enough');
rollback;

-- The trail.
select results_eq(
    $$select reason, handled, handled_by, why from ops.handled_dead_letters order by handled_at, msg_id$$,
    $$values ('settle_failed', 'replayed', 'postgres', null), ('settle_failed', 'replayed', 'postgres', null),
        ('settle_failed', 'replayed', 'postgres', null),
        ('settle_failed', 'dropped', 'postgres', 'a defect'), ('settle_failed', 'dropped', 'postgres', 'told the user'),
        ('malformed_message', 'dropped', 'letter_operator', 'by hand'), ('unknown_order', 'dropped', 'letter_operator', 'by hand')$$,
    'who did what, and why'
);
select throws_ok(
    format('select ops.drop_dead_letter(%s, %L)', :malformed, 'again'), 'P0002',
    format('dead letter %s was dropped by letter_operator already', :malformed), 'whoever comes later is told'
);

-- Two people at once.
select pgmq.send('purchases', '{"order_id": "y"}');
select fixture.settle(100);
select format('select ops.drop_dead_letter(%s, %L)', d.msg_id, 'bad') as drop_it, d.msg_id as last from ops.dead_letters d \gset
select fixture.open_session('one');
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', :'drop_it');
select public.dblink_send_query('listener', :'drop_it');
select ok(fixture.waits_for_a_lock('%drop_dead_letter%'), 'the second waits for the first');
select public.dblink_exec('one', 'commit');
select is(
    fixture.error('listener'), format('dead letter %s was dropped by postgres already', :last), 'and is told who was first'
);
select * from finish();
