-- What is counted around a sale: note_activity, sample_queue, settlements, and what watching and the report read of it.
select plan(34);
select fixture.add_users('{1,2,3,4,5,6}');
select fixture.open_sale(1, 4);
select fixture.open_sale(2, 4);

-- Attempts and totals of a sale as 'answer attempts'.
create function pg_temp.attempts(n integer) returns setof text language sql as $$
    select a.answer || ' ' || sum(a.attempts) from flashsale.sale_attempts a
    where a.flash_sale_id = fixture.sale_id(n) group by a.answer order by a.answer
$$;
create function pg_temp.totals(n integer) returns setof text language sql as $$
    select c.answer || ' ' || c.attempts from flashsale.count_sale_attempts(fixture.sale_id(n)) c order by c.answer
$$;
create function pg_temp.note(sales integer[], answers text[], attempts bigint[]) returns void language sql as $$
    select flashsale.note_activity(
        (select array_agg(fixture.sale_id(n) order by at) from unnest(sales) with ordinality as u (n, at)), answers, attempts
    )
$$;

select pg_temp.note('{1,2,1}', '{accepted,sold_out,sold_out}', '{3,7,5}');
select results_eq('select pg_temp.attempts(1)', array['accepted 3', 'sold_out 5'], 'attempts by answer');
select pg_temp.note('{1,1}', '{sold_out,sold_out}', '{1,1}');
select results_eq('select pg_temp.attempts(1)', array['accepted 3', 'sold_out 7'], 'add up');
select results_eq('select pg_temp.totals(1)', array['accepted 3', 'sold_out 7'], 'over the whole sale too');
select results_eq('select pg_temp.totals(2)', array['sold_out 7'], 'by sale');
select ok(a.second = date_trunc('second', a.second) and a.second between now() - interval '10 s' and now(), 'of a whole second')
from flashsale.sale_attempts a limit 1;
select lives_ok($$select pg_temp.note('{}', '{}', '{}')$$, 'nothing counted');
select throws_ok($$select pg_temp.note('{1}', '{joy}', '{1}')$$, '23514', null, 'no answers but those there are');

-- the queue
select ok(count(*) between 1 and 3, 'sampled while a sale runs, at most once a second') from flashsale.queue_samples q;
select is(max(q.depth), 0::bigint, 'of an empty queue') from flashsale.queue_samples q;
select fixture.place(1, '{1,2,3}', '{1,2,3}');
update pgmq.q_purchases set enqueued_at = clock_timestamp() - interval '5 s'
where msg_id = (select min(msg_id) from pgmq.q_purchases);
select flashsale.sample_queue('2030-01-01T00:00:00Z');
select flashsale.sample_queue('2030-01-01T00:00:00Z');
select row_eq(
    $$select q.depth, q.oldest_age_ms between 5000 and 9000
      from flashsale.queue_samples q where q.second = '2030-01-01T00:00:00Z'$$,
    row(3::bigint, true), 'depth and age of the oldest message'
);
select row_eq(
    'select s.depth, s.oldest_age_s between 5 and 9, s.drain_rate_per_s, s.dead_letters from flashsale.find_queue_state() s',
    row(3::bigint, true, 0::double precision, 0::bigint), 'and now'
);

-- settlements
select fixture.settle(2);
select fixture.settle(100);
select is(sum(t.succeeded), 3::bigint, 'settled') from flashsale.sale_settlements t where t.flash_sale_id = fixture.sale_id(1);
select ok(o.settled_at >= t.second and o.settled_at < t.second + interval '1 s', 'in the second of its orders')
from flashsale.orders o join flashsale.sale_settlements t on t.second = date_trunc('second', o.settled_at) limit 1;
select is(count(distinct o.settled_at), 2::bigint, 'a batch has one time') from flashsale.orders o;
select fixture.place(1, '{4}', '{4}');
select fixture.place(2, '{5}', '{4}');
select flashsale.update_sale(fixture.sale_id(1), null, null, null, 3, null, null);
select fixture.settle(100);
select is(sum(t.failed), 1::bigint, 'failed') from flashsale.sale_settlements t where t.flash_sale_id = fixture.sale_id(1);
select is(sum(t.succeeded), 1::bigint, 'of each sale its own') from flashsale.sale_settlements t
where t.flash_sale_id = fixture.sale_id(2);
select fixture.place(2, '{6}', '{5}');
select flashsale.dead_letter_failed(m, '22012', 'says the test') from unnest(flashsale.take_messages(1)) m;
select is(sum(t.failed), 1::bigint, 'set aside is failed') from flashsale.sale_settlements t
where t.flash_sale_id = fixture.sale_id(2);
select is(s.dead_letters, 1::bigint, 'a dead letter') from flashsale.find_queue_state() s;
select is(s.drain_rate_per_s, 0.5::double precision, '5 messages in 10 s') from flashsale.find_queue_state() s;

-- list_sale_seconds
select pg_sleep(1.3);
create temporary table seconds as select * from flashsale.list_sale_seconds(fixture.sale_id(1), 180);
select is(count(*), 180::bigint, 'as many seconds as asked for') from seconds;
select is(max(s.second) - min(s.second), interval '179 s', 'none left out') from seconds s;
select row_eq(
    'select sum(attempts)::bigint, sum(accepted)::bigint, sum(succeeded)::bigint, sum(failed)::bigint from seconds',
    row(10::bigint, 3::bigint, 3::bigint, 1::bigint), 'what happened in them'
);
select results_eq(
    '(select remaining_stock from seconds order by second limit 1)
     union all (select remaining_stock from seconds order by second desc limit 1)',
    array[3, 0]::bigint[], 'what was left at the end of each'
);
select is_empty('select * from flashsale.list_sale_seconds(fixture.sale_id(99), 10)', 'an unknown sale');
select row_eq(
    'select sum(attempts)::bigint, sum(accepted)::bigint, sum(succeeded)::bigint, sum(failed)::bigint
     from flashsale.list_sale_minutes(fixture.sale_id(1), 100)',
    row(10::bigint, 3::bigint, 3::bigint, 1::bigint), 'the minutes hold the same'
);

-- find_sale_report: sale 3 of orders made by hand, as (accepted, settled, status) in seconds.
select flashsale.create_sale(
    fixture.sale_id(3), fixture.product_id(3), 'x', null, 1, 2, '2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'
);
select row_eq(
    'select balanced, sold, settled, waited_p50_ms, overtaken, sold_out_after_ms
     from flashsale.find_sale_report(fixture.sale_id(3))',
    row(true, 0::bigint, 0::bigint, null::double precision, 0::bigint, null::bigint), 'nothing happened'
);
insert into flashsale.orders (order_id, product_id, user_id, flash_sale_id, accepted_at, settled_at, status, failure_reason)
select
    fixture.order_id(100 + n), fixture.product_id(3), fixture.user_id(n), fixture.sale_id(3),
    '2026-01-01T00:00:00Z'::timestamptz + make_interval(secs => accepted),
    '2026-01-01T00:00:00Z'::timestamptz + make_interval(secs => settled),
    case when reason is null then 'success' else 'failed' end, reason
from (values
    (1, 1, 2, null),        -- in turn
    (2, 2, 9, 'sold_out'),  -- overtaken by the next, which got a unit
    (3, 3, 4, null),
    (4, 3, 8, 'sold_out'),  -- accepted with the one before: not overtaken by it, but by the next
    (5, 5, 6, 'sold_out')   -- the last
) v (n, accepted, settled, reason);
update flashsale.flash_sales set sold = 2 where flash_sale_id = fixture.sale_id(3);
update flashsale.sale_intakes set live = 2 where flash_sale_id = fixture.sale_id(3);
select row_eq(
    'select balanced, sold, in_progress, failed, sold_out_after_ms from flashsale.find_sale_report(fixture.sale_id(3))',
    row(true, 2::bigint, 0::bigint, 3::bigint, 4000::bigint), 'the books of one sale'
);
select row_eq(
    'select settled, waited_p50_ms, waited_max_ms, overtaken, failed_before_later_success
     from flashsale.find_sale_report(fixture.sale_id(3))',
    row(5::bigint, 1000::double precision, 7000::double precision, 2::bigint, 1::bigint), 'and its fairness'
);
update flashsale.sale_intakes set live = 1 where flash_sale_id = fixture.sale_id(3);
select is(r.balanced, false, 'out of balance') from flashsale.find_sale_report(fixture.sale_id(3)) r;
select is_empty('select * from flashsale.find_sale_report(fixture.sale_id(99))', 'no such sale');

-- prune
update flashsale.sale_attempts set second = second - interval '91 days' where answer = 'accepted';
update flashsale.sale_settlements set second = second - interval '89 days' where flash_sale_id = fixture.sale_id(1);
update flashsale.sale_settlements set second = second - interval '91 days' where flash_sale_id = fixture.sale_id(2);
insert into flashsale.queue_samples (second, depth, oldest_age_ms)
values (now() - interval '8 days', 1, 1), (now() - interval '6 days', 1, 1);
select flashsale.prune(100);
select results_eq('select pg_temp.attempts(1)', array['sold_out 7'], 'attempts older than 90 days');
select results_eq(
    'select distinct flash_sale_id from flashsale.sale_settlements', 'select fixture.sale_id(1)', 'settlements too'
);
select is(count(*), 1::bigint, 'samples older than 7 days') from flashsale.queue_samples q
where q.second < now() - interval '1 day';
select results_eq('select pg_temp.totals(1)', array['accepted 3', 'sold_out 7'], 'totals stay');
select * from finish();
