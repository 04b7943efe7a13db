-- Two sessions at once, one of them an administrator: what one holds the other waits for, skips or is told.
select plan(48);
select fixture.add_users('{1,2,3,4,5,6,7,8,9}');
select fixture.open_session('one');
select fixture.open_session('two');
select fixture.open_session('three');

-- Settling and the administrator take turns on the row of the sale, whoever comes first.
select fixture.settle(100);
select fixture.open_sale(11, 5);
select fixture.place(11, '{111,112,113}', '{1,2,3}');
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', 'select fixture.settle(2)');
select public.dblink_send_query('two', 'select fixture.set_quantity(11, 1)');
select ok(fixture.waits_for_a_lock('%set_quantity(11, 1)%'), 'a quantity is not lowered below a batch being settled');
select public.dblink_exec('one', 'commit');
select is(
    fixture.error('two'),
    'new row for relation "flash_sales" violates check constraint "no_oversell"', 'and refused when the units are sold'
);
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', 'select fixture.set_quantity(11, 2)');
select public.dblink_send_query('two', 'select fixture.settle(100)');
select ok(fixture.waits_for_a_lock('%settle(100)%'), 'a worker waits for a quantity being changed');
select public.dblink_exec('one', 'commit');
select results_eq($$select fixture.answer('two')$$, array['1 0 1 0 0'], 'and decides by the new one');
select fixture.open_sale(12, 5);
select fixture.place(12, '{121,122}', '{1,2}');
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', 'select fixture.settle(1)');
select public.dblink_send_query('two', 'select flashsale.end_sale(fixture.sale_id(12))');
select ok(fixture.waits_for_a_lock('%end_sale%'), 'ending a sale waits for the batch being settled');
select public.dblink_exec('one', 'rollback');
select results_eq($$select fixture.answer('two')$$, array['ended'], 'and ends it');
select fixture.open_sale(13, 5);
select fixture.place(13, '{131}', '{1}');
select public.dblink_exec('one', 'begin');
select results_eq(
    $$select fixture.in_session('one', 'select flashsale.end_sale(fixture.sale_id(13))')$$, array['ended'], 'being ended'
);
select public.dblink_send_query('two', 'select fixture.settle(100)');
select ok(fixture.waits_for_a_lock('%settle(100)%'), 'a worker waits for the end of a sale');
select public.dblink_exec('one', 'commit');
select results_eq($$select fixture.answer('two')$$, array['3 3 0 0 0'], 'and what was accepted before still succeeds');

-- Two administrators: who comes second sees what the first has done.
select fixture.open_sale(14, 5);
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', 'select fixture.set_quantity(14, 7)');
select public.dblink_send_query('two', 'select fixture.set_quantity(14, 9)');
select ok(fixture.waits_for_a_lock('%set_quantity(14, 9)%'), 'two changes take turns');
select public.dblink_exec('one', 'commit');
select results_eq($$select fixture.answer('two')$$, array['t'], 'and both are done');
select is(p.quantity, 9, 'the product has the units of its sale') from flashsale.products p
where p.product_id = fixture.product_id(14);
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', 'select flashsale.end_sale(fixture.sale_id(14))');
select public.dblink_send_query('two', 'select flashsale.end_sale(fixture.sale_id(14))');
select ok(fixture.waits_for_a_lock('%end_sale%'), 'two ends take turns');
select public.dblink_exec('one', 'commit');
select results_eq($$select fixture.answer('two')$$, array['sale_not_active'], 'and one of them ends it');
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', 'select fixture.set_quantity(14, 3)');
select public.dblink_send_query('two', 'select flashsale.end_sale(fixture.sale_id(14))');
select ok(fixture.waits_for_a_lock('%end_sale%'), 'an end waits for a change');
select public.dblink_exec('one', 'commit');
select results_eq($$select fixture.answer('two')$$, array['sale_not_active'], 'and is answered');

-- Placing and the administrator: neither waits for the other. Who waits for the intake has the quantity of afterwards.
select fixture.open_sale(15, 5);
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', $$select * from fixture.place(15, '{151,152}', '{1,2}')$$);
select public.dblink_send_query('two', $$select * from fixture.place(15, '{153,154}', '{3,4}')$$);
select ok(fixture.waits_for_a_lock('%{153,154}%'), 'waits');
set lock_timeout = '5s';
select ok(fixture.set_quantity(15, 3), 'a quantity is lowered without waiting for who is placing');
select public.dblink_exec('one', 'commit');
select results_eq($$select fixture.answer('two')$$, array['in_progress 153', 'sold_out -'], 'and one unit is left of two');
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', 'select fixture.set_quantity(15, 2)');
select public.dblink_exec('two', 'begin');
select results_eq(
    $$select fixture.in_session('two', $q$select * from fixture.place(15, '{155}', '{5}')$q$)$$,
    array['sold_out -'], 'a batch does not wait for a quantity being changed'
);
select public.dblink_exec('two', 'commit');
select public.dblink_exec('one', 'commit');
select is(fixture.settle(100), '3 2 1 0 0', 'orders admitted before the quantity was lowered may fail');
select fixture.open_sale(16, 5);
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', $$select * from fixture.place(16, '{161}', '{1}')$$);
select public.dblink_send_query('two', 'select flashsale.end_sale(fixture.sale_id(16))');
select ok(fixture.waits_for_a_lock('%end_sale%'), 'an end waits for who is placing');
select public.dblink_exec('one', 'commit');
select results_eq($$select fixture.answer('two')$$, array['ended'], 'and comes after them');
select ok(bool_and(o.accepted_at < s.end_date), 'so that they were in time')
from flashsale.orders o join flashsale.flash_sales s on s.flash_sale_id = o.flash_sale_id
where o.flash_sale_id = fixture.sale_id(16);
select is(array_agg(p), '{sale_ended -}', 'the next are not') from fixture.place(16, '{163}', '{3}') p;
select fixture.open_sale(17, 5);
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', 'select flashsale.end_sale(fixture.sale_id(17))');
select public.dblink_send_query('two', $$select * from fixture.place(17, '{171}', '{1}')$$);
select ok(fixture.waits_for_a_lock('%{171}%'), 'a batch waits for an end');
select public.dblink_exec('one', 'commit');
select results_eq($$select fixture.answer('two')$$, array['sale_ended -'], 'and is too late');
select fixture.open_sale(47, 5);
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', 'select flashsale.end_sale(fixture.sale_id(47))');
select public.dblink_send_query('two', $$select * from fixture.place(47, '{471}', '{1}')$$);
select ok(fixture.waits_for_a_lock('%{471}%'), 'waits');
select public.dblink_exec('one', 'rollback');
select results_eq($$select fixture.answer('two')$$, array['in_progress 471'], 'or not, when the end is rolled back');
select is(fixture.settle(100), '2 2 0 0 0', 'and what was accepted succeeds');

-- A batch that began before the end and comes to the intake after it is too late, too: its administrator has been told.
select fixture.open_sale(48, 5);
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', $$select * from fixture.place(48, '{481}', '{1}')$$);
select public.dblink_send_query('two', 'select flashsale.end_sale(fixture.sale_id(48))');
select ok(fixture.waits_for_a_lock('%end_sale%'), 'an end waits');
select public.dblink_send_query('three', $$select * from fixture.place(48, '{482}', '{2}')$$);
select ok(fixture.waits_for_a_lock('%{482}%'), 'a batch waits behind it');
select public.dblink_exec('one', 'commit');
select results_eq($$select fixture.answer('two')$$, array['ended'], 'the end comes first');
select results_eq($$select fixture.answer('three')$$, array['sale_ended -'], 'and the batch is told');
select is(fixture.settle(100), '1 1 0 0 0', 'what was accepted before succeeds');

-- A sale that is being made is not there yet. Two of one product at one time: the second waits, and is refused.
create function fixture.open_later(n integer, of_product integer) returns text language sql
return (select 'done' from flashsale.create_sale(
    fixture.sale_id(n), fixture.product_id(of_product), null, null, null, 5,
    clock_timestamp() + interval '1 day', clock_timestamp() + interval '2 days'
));
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', 'select fixture.open_sale(21, 5)::text');
select is(array_agg(p), '{product_not_found -}', 'not made yet') from fixture.place(21, '{211}', '{1}') p;
select public.dblink_exec('one', 'commit');
select is(array_agg(p), '{in_progress 211}', 'made') from fixture.place(21, '{211}', '{1}') p;
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', 'select fixture.open_sale(26, 5)::text');
select public.dblink_send_query('two', 'select fixture.open_sale(26, 5)::text');
select ok(fixture.waits_for_a_lock('%open_sale(26%'), 'a call repeated before the first has ended waits for it');
select public.dblink_exec('one', 'commit');
select is(fixture.error('two'), 'none', 'and changes nothing');
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', 'select fixture.open_later(22, 21)');
select public.dblink_send_query('two', 'select fixture.open_later(23, 21)');
select ok(fixture.waits_for_a_lock('%open_later(23, 21)%'), 'two sales of one product take turns');
select public.dblink_exec('one', 'commit');
select is(
    fixture.error('two'),
    'conflicting key value violates exclusion constraint "no_overlapping_windows_of_one_product"', 'and one is refused'
);
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', 'select fixture.set_quantity(21, 7)');
select public.dblink_exec('two', 'begin');
select public.dblink_send_query('two', 'select fixture.open_later(24, 15)');
select results_eq($$select fixture.answer('two')$$, array['done'], 'a sale of another product does not wait');
select public.dblink_exec('two', 'rollback');
select public.dblink_exec('one', 'commit');

-- A sale deleted by hand waits for who is placing and who is settling; what was placed is set aside, nobody waits for ever.
select fixture.settle(100);
select fixture.open_sale(25, 5);
select public.dblink_exec('one', 'begin');
select fixture.in_session('one', $$select * from fixture.place(25, '{251}', '{1}')$$);
select public.dblink_send_query(
    'two', 'with d as (delete from flashsale.flash_sales where flash_sale_id = fixture.sale_id(25) returning 1) select * from d'
);
select ok(fixture.waits_for_a_lock('with d as%'), 'deleting a sale waits for who is placing');
select public.dblink_send_query('three', $$select * from fixture.place(25, '{252}', '{2}')$$);
select ok(fixture.waits_for_a_lock('%{252}%'), 'a second batch too');
select public.dblink_exec('one', 'commit');
select results_eq($$select fixture.answer('two')$$, array['1'], 'then it is deleted');
select isnt_empty($$select fixture.answer('three')$$, 'who waited is answered');
select matches(fixture.settle(100), '^([12]) 0 0 0 \1$', 'what was placed is set aside');
select is_empty($$select from flashsale.orders where status = 'in_progress'$$, 'nobody waits for ever');

select * from finish();
