-- create_sale, update_sale, end_sale and list_sales: what an administrator does and shoppers see.
select plan(35);
create function pg_temp.create_sale(sale integer, product integer, name text, first_hour integer, last_hour integer)
returns void language sql as $$
    select flashsale.create_sale(
        fixture.sale_id(sale), fixture.product_id(product), name, null, 1999, 10,
        date_trunc('hour', now()) + make_interval(hours => first_hour),
        date_trunc('hour', now()) + make_interval(hours => last_hour)
    )
$$;

select lives_ok($$select pg_temp.create_sale(1, 1, 'shoe', 10, 12)$$, 'a sale of a new product');
select lives_ok($$select pg_temp.create_sale(1, 1, 'shoe', 10, 12)$$, 'the same call again');
select is(count(*), 1::bigint, 'is the same sale') from flashsale.flash_sales;
select row_eq(
    'select name, description, price_in_cent, quantity from flashsale.products',
    row('shoe'::text, ''::text, 1999, 10), 'of one product'
);
select lives_ok($$select pg_temp.create_sale(2, 1, null, 12, 13)$$, 'the next sale may begin when the first ends');
select throws_ok(
    $$select pg_temp.create_sale(3, 1, null, 11, 13)$$, '23P01', null, 'two sales of one product do not overlap'
);
select lives_ok($$select pg_temp.create_sale(3, 2, 'hat', 11, 13)$$, 'those of two products may');
select throws_ok($$select pg_temp.create_sale(4, 9, null, 11, 13)$$, '23503', null, 'an unknown product');
select throws_ok($$select pg_temp.create_sale(4, 1, 'shoe', 20, 21)$$, '23505', null, 'a product that is not new');
select throws_ok($$select pg_temp.create_sale(4, 3, 'x', 21, 20)$$, '23514', null, 'a window the wrong way round');
select is(p.quantity, 20, 'a product counts the units of its sales') from flashsale.products p
where p.product_id = fixture.product_id(1);

-- update_sale
select is(
    flashsale.update_sale(fixture.sale_id(1), null, null, null, null, null, null), true, 'nothing to change is no error'
);
select is(
    flashsale.update_sale(fixture.sale_id(9), null, null, null, 5, null, null), false, 'an unknown sale'
);
select ok(
    flashsale.update_sale(fixture.sale_id(1), 'boot', 'warm', 2999, 7, now() - interval '1 hour', now() + interval '1 hour'),
    'everything at once'
);
select results_eq(
    $$select s.quantity, s.start_date < now(), s.end_date > now(), p.name, p.description, p.price_in_cent, p.quantity
      from flashsale.flash_sales s join flashsale.products p using (product_id)
      where s.flash_sale_id = fixture.sale_id(1)$$,
    $$values (7, true, true, 'boot', 'warm', 2999, 17)$$, 'is changed, the units of the product with it'
);
select ok(s.updated_at > s.created_at, 'with the time') from flashsale.flash_sales s
where s.flash_sale_id = fixture.sale_id(1);
select throws_ok(
    $$select flashsale.update_sale(fixture.sale_id(1), null, null, null, null, null, now() + interval '2 days')$$,
    '23P01', null, 'not into another window of the product'
);
select fixture.add_users('{1,2,3}');
select fixture.place(1, '{1,2,3}', '{1,2,3}');
select fixture.settle(100);
select throws_ok(
    $$select flashsale.update_sale(fixture.sale_id(1), null, null, null, 2, null, null)$$, '23514', null,
    'not below what is sold'
);
select is(p.quantity, 17, 'and then the product keeps its units') from flashsale.products p
where p.product_id = fixture.product_id(1);
select ok(flashsale.update_sale(fixture.sale_id(1), null, null, null, 3, null, null), 'down to what is sold');

-- list_sales
select fixture.open_sale(4, 1);
select flashsale.update_sale(fixture.sale_id(4), null, null, null, null, now() - interval '3 hours', now() - interval '2 hours');
select fixture.open_sale(5, 1);
select flashsale.update_sale(fixture.sale_id(5), null, null, null, null, now() - interval '5 hours', now() - interval '4 hours');
select results_eq(
    'select l.flash_sale_id from flashsale.list_sales() l',
    $$select fixture.sale_id(n) from (values (1, 1), (2, 3), (3, 2), (4, 4), (5, 5)) v (at, n) order by v.at$$,
    'those that have not ended, the next to end first, then those that ended last'
);
select is(count(distinct l.now_at), 1::bigint, 'with one time') from flashsale.list_sales() l;
select results_eq(
    $$select l.name, l.description, l.price_in_cent, l.quantity, l.sold from flashsale.list_sales() l
      where l.flash_sale_id = fixture.sale_id(1)$$,
    $$values ('boot', 'warm', 2999, 3, 3)$$, 'and what shoppers see'
);
select results_eq(
    'select f.flash_sale_id, f.name, f.sold from flashsale.find_sale(fixture.sale_id(1)) f',
    $$values (fixture.sale_id(1), 'boot', 3)$$, 'one sale by its id'
);
select is_empty('select * from flashsale.find_sale(fixture.sale_id(99))', 'an unknown one');
insert into flashsale.flash_sales (flash_sale_id, product_id, start_date, end_date, quantity)
select md5('many ' || n)::uuid, fixture.product_id(2), now() + make_interval(days => n),
    now() + make_interval(days => n, hours => 1), 1
from generate_series(10, 520) n;
select is(count(*), 500::bigint, 'at most 500') from flashsale.list_sales();

-- every API process is told
select fixture.open_session('listener');
select public.dblink_exec('listener', 'listen flashsale_sales');
select flashsale.update_sale(fixture.sale_id(1), null, null, null, 4, null, null);
select fixture.open_sale(6, 1);
select flashsale.update_sale(fixture.sale_id(9), null, null, null, 5, null, null);
select results_eq(
    $$select n from fixture.notifications('listener', 2) n$$,
    $$select fixture.sale_id(n)::text from unnest(array[1, 6]) n$$, 'a sale that is new or changed is announced'
);

-- end_sale
select is(flashsale.end_sale(fixture.sale_id(99)), 'sale_not_found', 'no such sale');
select is(flashsale.end_sale(fixture.sale_id(2)), 'sale_not_active', 'a sale to come');
select is(flashsale.end_sale(fixture.sale_id(4)), 'sale_not_active', 'a sale that is over');
select fixture.place(6, '{61}', '{1}');
select is(flashsale.end_sale(fixture.sale_id(6)), 'ended', 'a running sale ends');
select ok(s.end_date <= clock_timestamp() and s.updated_at = s.end_date, 'now by the database''s clock')
from flashsale.flash_sales s where s.flash_sale_id = fixture.sale_id(6);
select is(flashsale.end_sale(fixture.sale_id(6)), 'sale_not_active', 'once');
select results_eq(
    $$select n from fixture.notifications('listener', 1) n$$,
    $$select fixture.sale_id(6)::text$$, 'which is announced'
);
select fixture.settle(100);
select is(o.status, 'success', 'and its order still settles') from flashsale.orders o where o.order_id = fixture.order_id(61);
select * from finish();
