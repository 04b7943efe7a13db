-- What the API and the reconciler look up: find_orders, find_outcomes, live_orders and list_order_history.
select plan(15);
select fixture.add_users('{1,2,3}');
select fixture.open_sale(1, 2);
select fixture.open_sale(2, 5);

create function pg_temp.find(usr integer, product integer) returns setof text language sql as $$
    select concat_ws(' ', ltrim(right(f.order_id::text, 12), '0'), f.status, f.failure_reason)
    from flashsale.find_orders(array[fixture.user_id(usr)], array[fixture.product_id(product)]) f
$$;

select is_empty('select pg_temp.find(1, null)', 'who never tried has no order');
select fixture.place(1, '{1,2}', '{1,2}');
select results_eq('select pg_temp.find(2, 1)', array['2 in_progress'], 'in progress');
select is_empty(
    'select * from flashsale.find_outcomes(array[fixture.order_id(1), fixture.order_id(2)])', 'no outcome yet'
);
select pgmq.send('purchases', m) from (
    select message as m from pgmq.q_purchases union all select '{}' union all select '{"flash_sale_id":"x","order_id":"y"}'
) again;
select flashsale.update_sale(fixture.sale_id(1), null, null, null, 1, null, null);
select fixture.settle(100);
select results_eq('select pg_temp.find(2, 1)', array['2 failed sold_out'], 'failed, with the reason');
select results_eq(
    $$select fixture.order_id(1) = o.order_id, o.outcome
      from flashsale.find_outcomes(array[fixture.order_id(1), fixture.order_id(2), fixture.order_id(99)]) o
      order by o.order_id$$,
    $$values (true, 'success'), (false, 'sold_out')$$, 'the outcomes of those there are'
);
select flashsale.update_sale(fixture.sale_id(1), null, null, null, 2, null, null);
select fixture.place(1, '{3}', '{2}');
select results_eq('select pg_temp.find(2, 1)', array['3 in_progress'], 'the newest attempt counts');
select fixture.place(2, '{4}', '{2}');
select results_eq('select pg_temp.find(2, null)', array['4 in_progress'], 'the newest of all products');
select results_eq('select pg_temp.find(2, 1)', array['3 in_progress'], 'or of the one asked for');
select set_eq(
    $$select concat_ws(' ', f.ordinal, ltrim(right(f.order_id::text, 12), '0'))
      from flashsale.find_orders(
          array[fixture.user_id(2), fixture.user_id(3), fixture.user_id(1), fixture.user_id(2), fixture.user_id(2)],
          array[fixture.product_id(2), fixture.product_id(1), fixture.product_id(1), null, fixture.product_id(1)]
      ) f$$,
    array['1 4', '3 1', '4 4', '5 3'], 'each ask is answered by its position, whoever else asks'
);
select set_eq(
    'select order_id from flashsale.live_orders(fixture.product_id(1), fixture.sale_id(1))',
    'select fixture.order_id(n) from unnest(array[1, 3]) n', 'live are those that hold a unit or wait for one'
);
select is_empty(
    'select * from flashsale.live_orders(fixture.product_id(1), fixture.sale_id(2))', 'of that sale only'
);
select is_empty('select pg_temp.find(3, null)', 'nobody sees the orders of others');
-- list_order_history
create function pg_temp.history(usr integer, orders_max integer) returns setof text language sql as $$
    select concat_ws(' ', ltrim(right(h.order_id::text, 12), '0'), h.name, h.status, h.failure_reason, h.settled_at is null)
    from flashsale.list_order_history(fixture.user_id(usr), orders_max) h
$$;
select results_eq(
    'select pg_temp.history(2, 200)',
    array['4 product 2 in_progress t', '3 product 1 in_progress t', '2 product 1 failed sold_out f'], 'every order, newest first'
);
select results_eq('select pg_temp.history(2, 1)', array['4 product 2 in_progress t'], 'as many as asked for');
select is_empty('select pg_temp.history(3, 200)', 'nobody''s but one''s own');
select * from finish();
