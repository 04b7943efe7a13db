-- find_picture, put_picture and delete_picture: a product has one picture of its own or none.
select plan(14);
select fixture.open_sale(1, 1);
select fixture.open_sale(2, 1);
create function pg_temp.picture(n integer) returns setof text language sql as $$
    select coalesce(f.content_type || ' ' || convert_from(f.bytes, 'utf8'), 'none')
    from flashsale.find_picture(fixture.product_id(n)) f
$$;
create function pg_temp.put(n integer, kind text, body text) returns boolean language sql as $$
    select flashsale.put_picture(fixture.product_id(n), kind, convert_to(body, 'utf8'), sha256(convert_to(body, 'utf8')))
$$;

select is_empty('select pg_temp.picture(9)', 'no such product');
select results_eq('select pg_temp.picture(1)', array['none'], 'a product without one');
select is(pg_temp.put(1, 'image/png', 'one'), true, 'a picture');
select results_eq('select pg_temp.picture(1)', array['image/png one'], 'is found');
select is(pg_temp.put(1, 'image/webp', 'two'), true, 'another');
select results_eq('select pg_temp.picture(1)', array['image/webp two'], 'takes its place');
select results_eq('select pg_temp.picture(2)', array['none'], 'and no other product''s');
select is(pg_temp.put(9, 'image/png', 'one'), false, 'none for a product there is not');
select throws_ok($$select pg_temp.put(1, 'text/html', 'x')$$, '23514', null, 'pictures only');
select throws_ok($$select pg_temp.put(1, 'image/png', repeat('x', 1048577))$$, '23514', null, 'of at most 1 MiB');
select is(flashsale.delete_picture(fixture.product_id(1)), true, 'taken away');
select is(flashsale.delete_picture(fixture.product_id(9)), false, 'not from a product there is not');
select results_eq('select pg_temp.picture(1)', array['none'], 'it is gone');
select pg_temp.put(2, 'image/png', 'one');
delete from flashsale.flash_sales where product_id = fixture.product_id(2);
delete from flashsale.products where product_id = fixture.product_id(2);
select is(count(*), 0::bigint, 'and goes with its product') from flashsale.product_pictures;
select * from finish();
