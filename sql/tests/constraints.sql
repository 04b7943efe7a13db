-- What must never happen is forbidden by a constraint, whatever the functions do: each is broken here by plain SQL.
select plan(31);
select fixture.add_users('{1,2}');
select fixture.open_sale(1, 5);

prepare an_order (integer, integer, text, text, timestamptz) as
insert into flashsale.orders
    (order_id, product_id, user_id, flash_sale_id, accepted_at, status, failure_reason, settled_at)
values (fixture.order_id($1), fixture.product_id(1), fixture.user_id($2), fixture.sale_id(1), now(), $3, $4, $5);

-- Runs a statement that must fail and compares the SQLSTATE and the name the API maps to its answers.
create function pg_temp.breaks(p_statement text, p_sqlstate text, p_constraint text) returns text language plpgsql as $$
declare
    v_sqlstate   text := 'no error';
    v_constraint text;
begin
    begin
        execute p_statement;
    exception when others then
        get stacked diagnostics v_sqlstate = returned_sqlstate, v_constraint = constraint_name;
    end;
    return is(concat_ws(' ', v_sqlstate, v_constraint), p_sqlstate || ' ' || p_constraint, p_constraint);
end
$$;

-- orders
execute an_order (1, 1, 'in_progress', null, null);
select pg_temp.breaks($$execute an_order (1, 2, 'in_progress', null, null)$$, '23505', 'orders_pkey');
select pg_temp.breaks($$execute an_order (2, 1, 'in_progress', null, null)$$, '23505', 'one_order_per_user_and_product');
select pg_temp.breaks($$execute an_order (2, 1, 'success', null, now())$$, '23505', 'one_order_per_user_and_product');
select lives_ok($$execute an_order (2, 1, 'failed', 'sold_out', now())$$, 'a failed order does not stand in the way of another');
select lives_ok($$execute an_order (3, 1, 'failed', 'sold_out', now())$$, 'nor of a second failed one');
select pg_temp.breaks($$execute an_order (4, 2, 'paid', null, now())$$, '23514', 'order_status_is_known');
select pg_temp.breaks($$execute an_order (4, 2, 'failed', null, now())$$, '23514', 'failed_orders_have_a_reason');
select pg_temp.breaks($$execute an_order (4, 2, 'success', 'sold_out', now())$$, '23514', 'failed_orders_have_a_reason');
select pg_temp.breaks($$execute an_order (4, 2, 'success', null, null)$$, '23514', 'settled_orders_have_a_time');
select pg_temp.breaks($$execute an_order (4, 2, 'in_progress', null, now())$$, '23514', 'settled_orders_have_a_time');

update flashsale.orders set status = 'success', settled_at = now() where order_id = fixture.order_id(1);
execute an_order (4, 2, 'failed', 'sold_out', now());
select pg_temp.breaks(
    $$update flashsale.orders set status = 'failed', failure_reason = 'x' where order_id = fixture.order_id(1)$$,
    '23001', 'settled_orders_never_change'
);
select pg_temp.breaks(
    $$update flashsale.orders set status = 'in_progress', failure_reason = null, settled_at = null
      where order_id = fixture.order_id(4)$$,
    '23001', 'settled_orders_never_change'
);

-- sales and products
select pg_temp.breaks(
    $$update flashsale.flash_sales set sold = 6 where flash_sale_id = fixture.sale_id(1)$$, '23514', 'no_oversell'
);
select pg_temp.breaks(
    $$update flashsale.flash_sales set sold = -1 where flash_sale_id = fixture.sale_id(1)$$, '23514', 'no_oversell'
);
select pg_temp.breaks(
    $$update flashsale.flash_sales set quantity = 10000001 where flash_sale_id = fixture.sale_id(1)$$,
    '23514', 'quantity_is_bounded'
);
select pg_temp.breaks(
    $$update flashsale.flash_sales set end_date = start_date where flash_sale_id = fixture.sale_id(1)$$,
    '23514', 'window_starts_before_it_ends'
);
select pg_temp.breaks(
    $$update flashsale.flash_sales set start_date = '1999-12-31'$$, '23514', 'window_is_bounded'
);
select pg_temp.breaks(
    $$update flashsale.flash_sales set end_date = 'infinity'$$, '23514', 'window_is_bounded'
);
select pg_temp.breaks(
    $$update flashsale.sale_intakes set live = -1$$, '23514', 'live_is_not_negative'
);
select pg_temp.breaks(
    $$insert into flashsale.sale_intakes (flash_sale_id) values (fixture.sale_id(9))$$, '23503', 'intake_is_of_a_sale'
);
select pg_temp.breaks(
    $$insert into flashsale.flash_sales (flash_sale_id, product_id, start_date, end_date, quantity)
      values (fixture.sale_id(2), fixture.product_id(1), now(), now() + interval '1 day', 1)$$,
    '23P01', 'no_overlapping_windows_of_one_product'
);
select pg_temp.breaks(
    $$insert into flashsale.flash_sales (flash_sale_id, product_id, start_date, end_date, quantity)
      values (fixture.sale_id(2), fixture.product_id(9), now(), now() + interval '1 day', 1)$$,
    '23503', 'flash_sale_is_of_a_product'
);
select pg_temp.breaks(
    $$update flashsale.products set price_in_cent = -1$$, '23514', 'price_is_not_negative'
);
select pg_temp.breaks(
    $$update flashsale.products set name = ''$$, '23514', 'product_name_is_bounded'
);
select pg_temp.breaks(
    $$update flashsale.products set quantity = -1$$, '23514', 'product_quantity_is_not_negative'
);

-- users
select pg_temp.breaks(
    $$select flashsale.create_user(fixture.user_id(3), 'user1@example.org', '$argon2id$none', false)$$,
    '23505', 'email_taken_once'
);
select pg_temp.breaks(
    $$select flashsale.create_user(fixture.user_id(3), 'User3@example.org', '$argon2id$none', false)$$,
    '23514', 'email_is_lower_case'
);
select pg_temp.breaks(
    $$select flashsale.create_user(fixture.user_id(3), 'u3', '$argon2id$none', false)$$, '23514', 'email_is_bounded'
);
select pg_temp.breaks(
    $$select flashsale.create_user(fixture.user_id(3), 'user3@example.org', 'secret', false)$$,
    '23514', 'password_is_an_argon2id_hash'
);

-- idempotency keys
select pg_temp.breaks(
    $$insert into flashsale.idempotency_keys (caller, key, fingerprint, claimed_by)
      values ('c', repeat('k', 256), 'f', gen_random_uuid())$$,
    '23514', 'idempotency_key_is_bounded'
);
select pg_temp.breaks(
    $$insert into flashsale.idempotency_keys (caller, key, fingerprint, claimed_by, answer_status)
      values ('c', 'k', 'f', gen_random_uuid(), 200)$$,
    '23514', 'answers_are_whole'
);
select * from finish();
