-- The views for people: that the books say when they do not balance, each way they can fail to.
select plan(31);
select fixture.add_users('{1,2,3,4,5}');
select fixture.open_sale(1, 4);
select fixture.open_sale(2, 3);
create function pg_temp.books(n integer) returns text language sql as $$
    select concat_ws(' ', b.quantity, b.sold, b.queued, b.remaining, b.success_rows, b.in_progress_rows, b.balanced)
    from ops.sale_books b where b.flash_sale_id = fixture.sale_id(n)
$$;

select is(pg_temp.books(1), '4 0 0 4 0 0 t', 'nothing sold');
select fixture.place(1, '{1,2,3,4}', '{1,2,3,4}');
select flashsale.update_sale(fixture.sale_id(1), null, null, null, 3, null, null);
select is(pg_temp.books(1), '3 0 4 3 0 4 t', 'queued');
select is(pg_temp.books(2), '3 0 0 3 0 0 t', 'the other sale has nothing queued');
select fixture.settle(2);
select is(pg_temp.books(1), '3 2 2 1 2 2 t', 'half way');
select fixture.settle(2);
select is(pg_temp.books(1), '3 3 0 0 3 0 t', 'sold out');
select is(b.status, 'active', 'status') from ops.sale_books b where b.flash_sale_id = fixture.sale_id(1);
select flashsale.create_sale(
    fixture.sale_id(n), fixture.product_id(n), 'x', null, 1, 1,
    now() + make_interval(hours => hours), now() + make_interval(hours => hours + 1)
)
from (values (3, 1), (4, -2)) v (n, hours);
select is(b.status, 'upcoming', 'status of a sale to come') from ops.sale_books b where b.flash_sale_id = fixture.sale_id(3);
select is(b.status, 'ended', 'status of one that is over') from ops.sale_books b where b.flash_sale_id = fixture.sale_id(4);
select is(count(*), 4::bigint, 'one row a sale') from ops.sale_books;

-- Out of balance; each case in a transaction of its own that is rolled back.
begin;
update flashsale.flash_sales set sold = 2 where flash_sale_id = fixture.sale_id(1);
select is(pg_temp.books(1), '3 2 0 1 3 0 f', 'a counter that is too low');
select is(pg_temp.books(2), '3 0 0 3 0 0 t', 'is that sale''s alone');
rollback;
begin;
update flashsale.flash_sales set quantity = 4, sold = 4 where flash_sale_id = fixture.sale_id(1);
select is(pg_temp.books(1), '4 4 0 0 3 0 f', 'a counter that is too high');
rollback;
begin;
alter table flashsale.flash_sales drop constraint no_oversell;
update flashsale.flash_sales set quantity = 2 where flash_sale_id = fixture.sale_id(1);
select is(pg_temp.books(1), '2 3 0 -1 3 0 f', 'more sold than there is');
rollback;
begin;
update flashsale.sale_intakes set live = live + 1 where flash_sale_id = fixture.sale_id(1);
select is(pg_temp.books(1), '3 3 0 0 3 0 f', 'an intake that counts an order too many');
rollback;
begin;
select fixture.place(2, '{11,12}', '{1,2}');
delete from pgmq.q_purchases where message ->> 'order_id' = fixture.order_id(11)::text;
select is(pg_temp.books(2), '3 0 1 3 0 2 f', 'an order without a message');
rollback;
begin;
select fixture.place(2, '{11,12}', '{1,2}');
delete from flashsale.orders where order_id = fixture.order_id(11);
select is(pg_temp.books(2), '3 0 2 3 0 1 f', 'a message without an order');
rollback;
begin;
select fixture.place(2, '{11,12}', '{1,2}');
update pgmq.q_purchases set message = jsonb_set(message, '{order_id}', to_jsonb(fixture.order_id(12)));
select is(pg_temp.books(2), '3 0 2 3 0 2 f', 'one order''s message twice, another''s missing');
rollback;
begin;
select pgmq.send('purchases', jsonb_build_object('order_id', 'x', 'flash_sale_id', fixture.sale_id(2)));
select is(pg_temp.books(2), '3 0 1 3 0 0 f', 'poison');
rollback;
begin;
select pgmq.send('purchases', jsonb_build_object('flash_sale_id', fixture.sale_id(2)));
select is(pg_temp.books(2), '3 0 1 3 0 0 f', 'a message that names no order');
rollback;

-- queue_health
select fixture.place(2, '{21,22}', '{1,2}');
select row_eq('select depth, dead_letters from ops.queue_health', row(2::bigint, 0::bigint), 'depth');
update pgmq.q_purchases set enqueued_at = clock_timestamp() - interval '100 s'
where message ->> 'order_id' = fixture.order_id(22)::text;
select ok(h.oldest_age_s between 100 and 110, 'age of the oldest message') from ops.queue_health h;
select pgmq.send('purchases', '{}');
select fixture.settle(100);
select row_eq(
    'select depth, oldest_age_s, dead_letters from ops.queue_health', row(0::bigint, 0::numeric, 1::bigint), 'drained'
);
select is(h.drain_rate_per_s, round(7 / 60.0, 1), 'drain rate of the last minute') from ops.queue_health h;
update flashsale.settled_batches set settled_at = settled_at - interval '2 minutes';
select is(h.drain_rate_per_s, 0.0, 'a batch of two minutes ago does not count') from ops.queue_health h;
select is(h.oldest_xmin_age_s, 0::numeric, 'no other transaction is open') from ops.queue_health h;
select fixture.open_session('other');
select public.dblink_exec('other', 'begin isolation level repeatable read');
select t.x from public.dblink('other', 'select 1') as t (x integer);
select pg_sleep(0.01);
select cmp_ok(h.oldest_xmin_age_s, '>=', 0.01, 'an open snapshot shows') from ops.queue_health h;
select public.dblink_exec('other', 'rollback');
select public.dblink_exec('other', 'begin');
select public.dblink_exec('other', $$insert into flashsale.ended_sessions values (md5('x')::uuid, now())$$);
select pg_sleep(0.01);
select cmp_ok(h.oldest_xmin_age_s, '>=', 0.01, 'and so does an open transaction that has written') from ops.queue_health h;
select public.dblink_exec('other', 'rollback');
select is(h.dead_tuples, s.n_dead_tup, 'dead tuples') from ops.queue_health h, pg_stat_all_tables s
where s.relid = 'pgmq.q_purchases'::regclass;

-- dead_letters, recent_outcomes
select results_eq(
    'select reason, message, order_id, order_status from ops.dead_letters',
    $$values ('malformed_message', '{}'::jsonb, null::uuid, null::text)$$, 'a dead letter'
);
select results_eq(
    $$select r.order_id, r.status, r.failure_reason, r.took > interval '0' from ops.recent_outcomes r limit 3$$,
    $$select fixture.order_id(n), s, f, true
      from (values (22, 'success', null), (21, 'success', null), (4, 'failed', 'sold_out')) v (n, s, f)$$,
    'the newest orders first'
);
insert into flashsale.orders (order_id, product_id, user_id, flash_sale_id, accepted_at)
select fixture.order_id(n), fixture.product_id(2), fixture.user_id(n), fixture.sale_id(2), now()
from generate_series(1000, 1300) n;
select is(count(*), 200::bigint, 'at most 200') from ops.recent_outcomes;
select * from finish();
