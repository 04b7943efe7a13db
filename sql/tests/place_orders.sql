-- place_orders: every outcome, and that orders and messages come in pairs.
select plan(45);
select fixture.add_users('{1,2,3,4,5,6,7,8,9}');
select fixture.open_sale(1, 10);

select results_eq(
    $$select * from fixture.place(1, '{1,2}', '{1,2}')$$, array['in_progress 1', 'in_progress 2'],
    'requests become orders in progress'
);
select results_eq(
    $$select m.message ->> 'order_id' from pgmq.q_purchases m order by m.msg_id$$,
    $$select fixture.order_id(n)::text from unnest(array[1, 2]) n$$, 'with one message each, in the order of their ids'
);
select results_eq(
    $$select * from fixture.place(1, '{1,2}', '{1,2}')$$, array['in_progress 1', 'in_progress 2'],
    'the same call again answers the same'
);
select is(count(*), 2::bigint, 'and enqueues nothing') from pgmq.q_purchases;
select results_eq(
    $$select * from fixture.place(1, '{3,4,5}', '{1,3,2}')$$,
    array['in_progress 1', 'in_progress 4', 'in_progress 2'], 'a user who asks again is told the order in progress'
);
select results_eq(
    $$select * from fixture.place(1, '{6,7,8}', '{4,4,4}')$$,
    array['in_progress 6', 'in_progress 6', 'in_progress 6'], 'a user three times in one batch has one order, the first'
);
select results_eq(
    $$select * from fixture.place(1, '{20,21}', '{99,5}')$$, array['unknown_user -', 'in_progress 21'],
    'an unknown user gets no order and does not hold up the others'
);
update flashsale.users set disabled_at = now() where user_id = fixture.user_id(6);
select results_eq($$select * from fixture.place(1, '{22}', '{6}')$$, array['unknown_user -'], 'nor does a disabled one');
select results_eq(
    $$select * from fixture.place(9, '{23}', '{7}')$$, array['product_not_found -'], 'a product without a sale'
);
select is(
    (select array_agg((m.message ->> 'order_id')::uuid order by m.msg_id) from pgmq.q_purchases m),
    (select array_agg(o.order_id order by o.order_id) from flashsale.orders o),
    'orders in progress and messages are the same ones'
);
select is_empty($$select * from flashsale.place_orders(fixture.product_id(1), '{}', '{}', '{}', '{}')$$, 'an empty batch');

select row_eq(
    $$select o.product_id, o.flash_sale_id, o.reserved_token, o.idempotency_key, o.status, o.settled_at
      from flashsale.orders o where o.order_id = fixture.order_id(1)$$,
    row(fixture.product_id(1), fixture.sale_id(1), 'none'::text, null::text, 'in_progress'::text, null::timestamptz),
    'an order says what it was made of'
);
select ok(
    o.accepted_at between transaction_timestamp() - interval '1 minute' and clock_timestamp(), 'and when it was accepted'
) from flashsale.orders o where o.order_id = fixture.order_id(1);
select row_eq(
    $$select m.message from pgmq.q_purchases m order by m.msg_id limit 1$$,
    row(jsonb_build_object(
        'order_id', fixture.order_id(1), 'user_id', fixture.user_id(1),
        'product_id', fixture.product_id(1), 'flash_sale_id', fixture.sale_id(1)
    )),
    'so does its message'
);

-- 5 orders in progress (1, 2, 4, 6, 21) for 3 units: an administrator has lowered the quantity
select flashsale.update_sale(fixture.sale_id(1), null, null, null, 3, null, null);
select fixture.settle(100);
select results_eq(
    $$select * from fixture.place(1, '{30,31}', '{1,4}')$$, array['already_purchased 1', 'sold_out -'],
    'after success already_purchased; with nothing left sold_out'
);
select results_eq(
    $$select * from fixture.place(1, '{6}', '{4}')$$, array['in_progress 6'],
    'a call whose reply was lost and whose order has failed since answers as it did'
);
select is(count(*), 0::bigint, 'and none of these enqueues anything') from pgmq.q_purchases;
select flashsale.update_sale(fixture.sale_id(1), null, null, null, 4, null, null);
select results_eq(
    $$select * from fixture.place(1, '{32}', '{4}')$$, array['in_progress 32'], 'who failed may try again when stock returns'
);
select fixture.settle(100);
select results_eq($$select * from fixture.place(1, '{33}', '{4}')$$, array['already_purchased 32'], 'and succeeds');
select is(count(*), 2::bigint, 'both attempts are kept') from flashsale.orders where user_id = fixture.user_id(4);

-- idempotency keys
select fixture.open_sale(2, 3);
select results_eq(
    $$select * from fixture.place(2, '{40}', '{1}', '{key}')$$, array['in_progress 40'], 'one user may buy two products'
);
select fixture.settle(100);
select results_eq(
    $$select * from fixture.place(2, '{41,42}', '{1,2}', '{key,other}')$$, array['success 40', 'in_progress 42'],
    'the same idempotency key gets the same order, also after success'
);
select results_eq(
    $$select * from fixture.place(2, '{43}', '{1}', '{other}')$$, array['already_purchased 40'], 'another key does not'
);

-- windows, by the clock of the database
select fixture.open_sale(3, 1);
select flashsale.update_sale(fixture.sale_id(3), null, null, null, null, now() + interval '1 minute', null);
select results_eq($$select * from fixture.place(3, '{50}', '{8}')$$, array['sale_not_started -'], 'before the window');
select flashsale.update_sale(
    fixture.sale_id(3), null, null, null, null, now() - interval '2 hours', clock_timestamp()
);
select results_eq($$select * from fixture.place(3, '{50}', '{8}')$$, array['sale_ended -'], 'after the window');
select flashsale.create_sale(
    fixture.sale_id(4), fixture.product_id(3), null, null, null, 1, clock_timestamp(), now() + interval '1 hour'
);
select results_eq(
    $$select * from fixture.place(3, '{51}', '{8}')$$, array['in_progress 51'], 'in the window'
);
select is(o.flash_sale_id, fixture.sale_id(4), 'the order is of the sale that is open')
from flashsale.orders o where o.order_id = fixture.order_id(51);
select flashsale.update_sale(fixture.sale_id(4), null, null, null, null, null, clock_timestamp());
select results_eq(
    $$select * from fixture.place(3, '{51,52}', '{8,9}')$$, array['in_progress 51', 'sale_ended -'],
    'an order accepted in the window stays accepted after it'
);
select is(fixture.settle(100), '2 2 0 0 0', 'and is settled after it');
-- The clock is read when the function runs, not when its statement or transaction began.
select flashsale.create_sale(
    fixture.sale_id(5), fixture.product_id(3), null, null, null, 9, clock_timestamp(), now() + interval '1 hour'
);
create temp table answers (answer text);
do $$
begin
    perform flashsale.update_sale(fixture.sale_id(5), null, null, null, null, null, clock_timestamp());
    insert into answers select * from fixture.place(3, '{53}', '{9}');
end
$$;
select results_eq('select answer from answers', array['sale_ended -'], 'the window is judged by the time of the call');

-- Users are inserted in the order of their ids, messages are sent in the order of the orders.
select fixture.open_sale(6, 20);
select fixture.place(6, '{61,62,63,64,65,67,68,69}', '{1,2,3,4,5,7,8,9}');
select results_eq(
    $$select (m.message ->> 'order_id')::uuid from pgmq.q_purchases m order by m.msg_id$$,
    $$select o.order_id from flashsale.orders o where o.product_id = fixture.product_id(6) order by o.order_id$$,
    'the messages of a batch are in the order of their order ids'
);
select fixture.settle(100);
-- Admission: no more live orders than units. Who cannot have one takes up no place.
select fixture.open_sale(7, 2);
select results_eq(
    $$select * from fixture.place(7, '{71,72,73,74,75}', '{99,1,1,2,3}')$$,
    array['unknown_user -', 'in_progress 72', 'in_progress 72', 'in_progress 74', 'sold_out -'],
    'a batch larger than what is left is admitted as far as it goes, in its order'
);
select results_eq(
    $$select * from fixture.place(7, '{76,72}', '{4,1}')$$, array['sold_out -', 'in_progress 72'],
    'then newcomers are refused and those in progress are not'
);
select is(i.live, 2, 'two are live') from flashsale.sale_intakes i where i.flash_sale_id = fixture.sale_id(7);
select fixture.settle(100);
select is(i.live, 2, 'also after they succeeded') from flashsale.sale_intakes i where i.flash_sale_id = fixture.sale_id(7);
select flashsale.update_sale(fixture.sale_id(7), null, null, null, 4, null, null);
select results_eq(
    $$select * from fixture.place(7, '{76,77,78}', '{1,3,4}')$$,
    array['already_purchased 72', 'in_progress 77', 'in_progress 78'], 'nor does who has one already'
);
select flashsale.update_sale(fixture.sale_id(7), null, null, null, 3, null, null);
select is(fixture.settle(100), '2 1 1 0 0', 'a quantity lowered meanwhile fails an order');
select is(i.live, 3, 'which is live no longer') from flashsale.sale_intakes i where i.flash_sale_id = fixture.sale_id(7);
select flashsale.update_sale(fixture.sale_id(7), null, null, null, 4, null, null);
select results_eq(
    $$select * from fixture.place(7, '{78,79}', '{4,5}')$$, array['in_progress 78', 'in_progress 79'],
    'and whose place can be had, asking for it by its id takes none'
);
select fixture.settle(100);
select ok(b.balanced, 'the books balance') from ops.sale_books b where b.flash_sale_id = fixture.sale_id(7);
delete from flashsale.sale_intakes where flash_sale_id = fixture.sale_id(6);
select results_eq(
    $$select * from fixture.place(6, '{81}', '{1}') union all select * from fixture.place(6, '{82}', '{6}')$$,
    array['already_purchased 61', 'unknown_user -'], 'a sale without an intake admits all: settling alone decides'
);
-- Headers: for the messages of those orders whose requests are followed.
select fixture.open_sale(8, 5);
select outcome from flashsale.place_orders(
    fixture.product_id(8), array[fixture.order_id(91), fixture.order_id(92)], array[fixture.user_id(8), fixture.user_id(9)],
    '{none,none}', '{null,null}',
    jsonb_build_object(fixture.order_id(92), '{"request_id": "r-92", "traceparent": "00-1-2-01"}'::jsonb)
);
select results_eq(
    'select m.headers from pgmq.q_purchases m order by m.msg_id',
    $$values (null::jsonb), ('{"request_id": "r-92", "traceparent": "00-1-2-01"}')$$, 'a message has its own order''s headers'
);
select results_eq(
    'select s.followed from flashsale.settle_orders(100) s',
    $$select jsonb_build_array(jsonb_build_object(
        'order_id', fixture.order_id(92), 'outcome', 'success', 'request_id', 'r-92', 'traceparent', '00-1-2-01'
    ))$$, 'and who settles it is told them'
);
select is(s.followed, null, 'nobody is told of orders nobody follows') from flashsale.settle_orders(100) s;
select bag_eq(
    $$select message ->> 'order_id' from pgmq.q_purchases$$,
    $$select o.order_id::text from flashsale.orders o where o.status = 'in_progress'$$,
    'at the end nothing is in progress and nothing is queued'
);
select * from finish();
