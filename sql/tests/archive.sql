-- Archiving and dropping an old sale: what refuses, what is moved, going on after a cut, and that no rule is lost with it.
select plan(51);
select fixture.add_users(array(select generate_series(1, 60)));
create role archive_operator in role flashsale_operator;
grant flashsale_dba to archive_operator;
create function pg_temp.begin_archive(n integer, after interval default '30 days') returns text language sql as $$
    select format('select ops.begin_archive(%L, %L)', fixture.sale_id(n), after)
$$;
create function pg_temp.refusal(n integer, why text) returns text language sql as $$
    select format('sale %s is not archived: %s', fixture.sale_id(n), why)
$$;
-- Moves a sale so many days into the past.
create function pg_temp.age(n integer, days integer) returns void language sql as $$
    update flashsale.flash_sales s
    set start_date = s.start_date - make_interval(days => days), end_date = s.end_date - make_interval(days => days),
        updated_at = s.updated_at - make_interval(days => days)
    where s.flash_sale_id = fixture.sale_id(n)
$$;

-- Sale 1: 20 successful, 10 failed orders, one user both failed and successful. Sale 2 of the same product came later.
select fixture.open_sale(1, 30);
select fixture.place(1, array(select generate_series(1, 30)), array(select generate_series(1, 30)));
select fixture.set_quantity(1, 20);
select fixture.settle(100);
select fixture.set_quantity(1, 21);
select fixture.place(1, '{31}', '{21}');
select flashsale.note_activity(array[fixture.sale_id(1)], '{accepted}', '{31}');

select throws_ok(
    pg_temp.begin_archive(1), '55000', null, 'a running sale is not archived'
);
select pg_temp.age(1, 20);
select throws_matching(pg_temp.begin_archive(1), 'it ended at .* which is not 30 days ago', 'nor one that ended lately');
select throws_ok(
    pg_temp.begin_archive(1, '23 hours'), '22023',
    'a sale is archived a day after its end at the earliest, not after 23:00:00', 'a day is the least'
);
select throws_ok(pg_temp.begin_archive(1, null), '22023', null, 'and nothing is not a time');
select throws_ok(pg_temp.begin_archive(9), 'P0002', 'there is no sale ' || fixture.sale_id(9), 'a sale there is not');
select throws_ok(
    pg_temp.begin_archive(1, '10 days'), '55000',
    pg_temp.refusal(1, '1 orders are in progress and 1 messages queued: wait for the workers'), 'orders in progress'
);
select fixture.settle(100);
select pgmq.send('purchases', jsonb_build_object('order_id', 'x', 'flash_sale_id', fixture.sale_id(1)));
select throws_ok(
    pg_temp.begin_archive(1, '10 days'), '55000',
    pg_temp.refusal(1, '0 orders are in progress and 1 messages queued: wait for the workers'), 'a message of the sale'
);
select fixture.settle(100);
select throws_ok(
    pg_temp.begin_archive(1, '10 days'), '55000',
    pg_temp.refusal(1, 'there are dead letters of it: replay or drop them (ops.dead_letters)'), 'a dead letter of the sale'
);
select ops.drop_dead_letter(d.msg_id, 'made by a test') from ops.dead_letters d;
begin;
update flashsale.flash_sales set sold = 20 where flash_sale_id = fixture.sale_id(1);
select throws_ok(
    pg_temp.begin_archive(1, '10 days'), '55000',
    pg_temp.refusal(1, 'its books do not balance: see ops.sale_books'), 'books that do not balance'
);
rollback;
begin;
select flashsale.create_sale(
    fixture.sale_id(2), fixture.product_id(1), null, null, null, 5, now() + interval '1 hour', now() + interval '2 hours'
);
select throws_ok(
    pg_temp.begin_archive(1, '10 days'), '55000',
    pg_temp.refusal(1, 'its product is on sale, or will be: whoever bought it in this sale could buy it again'),
    'a product that will be sold again'
);
rollback;
-- A sale of the product that is running is not locked by a refusal.
begin;
select flashsale.create_sale(
    fixture.sale_id(2), fixture.product_id(1), null, null, null, 5, now() - interval '1 hour', now() + interval '2 hours'
);
commit;
select fixture.place(1, '{41,42}', '{41,42}');
select fixture.open_session('one');
select fixture.open_session('two');
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', 'select fixture.settle(100)');
select throws_matching(pg_temp.begin_archive(1, '10 days'), 'on sale', 'nor does it wait for one');
select public.dblink_exec('one', 'commit');
select pg_temp.age(2, 2);

-- By its steps, cut off in the middle.
select fixture.sale_id(1) as one, pg_temp.begin_archive(1, '10 days') as begin_one \gset
set session authorization archive_operator;
select throws_ok('select * from flashsale.orders', '42501', null, 'an operator cannot read orders');
select lives_ok(:'begin_one', 'but begin');
reset session authorization;
select is_empty('select from flashsale.flash_sales where flash_sale_id = fixture.sale_id(1)', 'the sale is gone at once');
select is_empty('select from flashsale.sale_intakes where flash_sale_id = fixture.sale_id(1)', 'and its intake');
select is_empty('select from ops.sale_books b where not b.balanced', 'no books are out of balance');
select row_eq(
    $$select name, quantity, sold, failed, attempts, begun_by, finished_at from ops.archived_sales$$,
    row('product 1'::text, 21, 21, 10, '{"accepted": 31}'::jsonb, 'archive_operator'::text, null::timestamptz), 'its books stay'
);
select lives_ok(pg_temp.begin_archive(1), 'beginning again changes nothing');
set session authorization archive_operator;
select is(b.moved, 10::bigint, 'a batch is of so many users') from ops.archive_batch(:'one', null, 10) b;
select is(b.moved, 10::bigint, 'another') from ops.archive_batch(:'one', null, 10) b;
select throws_ok(
    format('select ops.finish_archive(%L)', :'one'), 'XX001', null, 'half an archive is not finished'
);
select throws_matching(
    format('select ops.drop_archived_sale(%L)', :'one'), 'has not finished', 'nor dropped'
);
reset session authorization;
select is(count(*), 31::bigint, 'no order is lost or there twice')
from (
    select o.order_id from flashsale.orders o where o.flash_sale_id = fixture.sale_id(1)
    union
    select a.order_id from ops.archived_orders a
) o;
-- Going on, as an operator, with COMMITs of its own.
set session authorization archive_operator;
select format('call ops.archive_sale(%L, p_orders_max => 7, p_pause => %L)', :'one', '0 s') \gexec
reset session authorization;
select is(count(*), 31::bigint, 'every order was moved') from ops.archived_orders;
select is(count(*), 2::bigint, 'orders of another sale of the product were not') from flashsale.orders;
select is(count(*), 1::bigint, 'a user with a failed and a successful order has both')
from (
    select from ops.archived_orders a where a.user_id = fixture.user_id(21)
    group by a.user_id having array_agg(a.status order by a.status) = '{failed,success}'
) u;
select isnt(a.finished_at, null, 'the archive is finished') from ops.archived_sales a;
select cmp_ok(a.bytes, '>', 0::bigint, 'and takes room') from ops.archived_sales a;
select is_empty('select from ops.sale_books b where not b.balanced', 'the books balance');
select is(b.success_rows, 2::bigint, 'those of the other sale are as they were') from ops.sale_books b;
select format('call ops.archive_sale(%L, p_pause => %L)', :'one', '0 s') \gexec
select is(count(*), 31::bigint, 'archiving again changes nothing') from ops.archived_orders;
select is(b.moved, 0::bigint, 'nor does a batch') from ops.archive_batch(fixture.sale_id(1), null, 10) b;
select is(b.moved, 0::bigint, 'nor one of a sale that is not archived') from ops.archive_batch(fixture.sale_id(2), null, 10) b;
select lives_ok(format('select ops.finish_archive(%L)', fixture.sale_id(1)), 'nor finishing');

-- One unit a user and product stays true: the product is not sold again.
select throws_ok(
    $$select flashsale.create_sale(
        fixture.sale_id(3), fixture.product_id(1), null, null, null, 5, now() + interval '1 hour', now() + interval '2 hours'
    )$$, '23514',
    format('product %s has an archived sale and is not sold again: sell it as a new product', fixture.product_id(1)),
    'its product is not sold again'
);
select throws_ok(
    $$select flashsale.update_sale(fixture.sale_id(2), null, null, null, null, null, now() + interval '2 hours')$$, '23514',
    null, 'no sale of it is opened again'
);
select lives_ok(
    $$select flashsale.update_sale(fixture.sale_id(2), 'a better name', null, null, 6, null, null)$$, 'others can be corrected'
);
select fixture.open_sale(4, 5);
select is(array_agg(p), '{in_progress 51}', 'other products go on') from fixture.place(4, '{51}', '{1}') p;
select is(fixture.settle(100), '1 1 0 0 0', 'and are settled');

-- Somebody creates a sale of the product while it is being archived.
select fixture.open_sale(5, 5);
select fixture.place(5, '{52}', '{2}');
select fixture.settle(100);
select pg_temp.age(5, 40);
create function fixture.sell_again(product integer, sale integer) returns text language sql as $$
    select 'created' from flashsale.create_sale(
        fixture.sale_id(sale), fixture.product_id(product), null, null, null, 5, now() + interval '1 hour', now() + interval '2 hours'
    )
$$;
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', format('select ops.begin_archive(%L, %L)::text', fixture.sale_id(5), '30 days'));
select public.dblink_send_query('two', 'select fixture.sell_again(5, 6)');
select ok(fixture.waits_for_a_lock('%sell_again(5, 6)%'), 'it waits');
select public.dblink_exec('one', 'commit');
select matches(fixture.error('two'), 'has an archived sale', 'and is refused');
select format('call ops.archive_sale(%L)', fixture.sale_id(5)) \gexec
select fixture.open_sale(7, 5);
select pg_temp.age(7, 40);
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', 'select fixture.sell_again(7, 8)');
select public.dblink_send_query('two', format('select ops.begin_archive(%L, %L)::text', fixture.sale_id(7), '30 days'));
select ok(fixture.waits_for_a_lock('%begin_archive%'), 'archiving waits for a sale that is being created');
select public.dblink_exec('one', 'commit');
select matches(fixture.error('two'), 'its product is on sale', 'and is refused');

-- Dropping.
select throws_ok(
    format('select ops.drop_archived_sale(%L)', fixture.sale_id(4)), 'P0002',
    format('sale %s was not archived', fixture.sale_id(4)), 'a sale that was not archived is not dropped'
);
set session authorization archive_operator;
select is(ops.drop_archived_sale(:'one'), 31::bigint, 'an operator drops the orders of one that was');
reset session authorization;
select is(count(*), 1::bigint, 'and no others') from ops.archived_orders;
select is(ops.drop_archived_sale(fixture.sale_id(1)), null, 'once');
select row_eq(
    format('select sold, failed, dropped_by, bytes from ops.archived_sales where flash_sale_id = %L', fixture.sale_id(1)),
    row(21, 10, 'archive_operator'::text, 0::bigint), 'its books stay for good'
);
select throws_ok(
    $$select flashsale.create_sale(
        fixture.sale_id(3), fixture.product_id(1), null, null, null, 5, now() + interval '1 hour', now() + interval '2 hours'
    )$$, '23514', null, 'and its product is not sold again'
);
select throws_ok('call ops.archive_sale(null, p_orders_max => 0)', '22023', null, 'a batch is bounded');
select throws_matching('call ops.archive_sale(fixture.sale_id(99))', 'there is no sale|invalid transaction', 'an unknown sale');
select * from finish();
