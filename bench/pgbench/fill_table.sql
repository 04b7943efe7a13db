-- Fills a fresh database (`flashsale migrate`, nothing else) with :orders settled orders: sales of the past, 50 of them,
-- sold out, whose books balance. What settle_orders.sql is then measured on: does it cost more among many older orders?
--
--     psql "$DATABASE_URL" -v orders=10000000 -f bench/pgbench/fill_table.sql -c 'vacuum (freeze, analyze)'
--
-- Two minutes and 5 GB for 10 million; :orders is a multiple of 50. Order ids ascend as the API's do (UUID version 7),
-- users are in no order. Indexes are built after the rows, which is many times faster and leaves the same tree; checks
-- and not-null constraints stay on.
set synchronous_commit = off;
set maintenance_work_mem = '1GB';

insert into flashsale.products (product_id, name, price_in_cent, quantity)
select md5('past product ' || p)::uuid, 'past product ' || p, 100, :orders / 50
from generate_series(1, 50) p;

insert into flashsale.flash_sales (flash_sale_id, product_id, start_date, end_date, quantity, sold)
select md5('past sale ' || p)::uuid, md5('past product ' || p)::uuid,
    clock_timestamp() - interval '2 days', clock_timestamp() - interval '1 day', :orders / 50, :orders / 50
from generate_series(1, 50) p;

create temporary table index_definitions as
select i.indexrelid::regclass::text as index_name, pg_get_indexdef(i.indexrelid) as definition,
    c.conname as constraint_name, pg_get_constraintdef(c.oid) as constraint_definition
from pg_catalog.pg_index i
left join pg_catalog.pg_constraint c on c.conindid = i.indexrelid
where i.indrelid = 'flashsale.orders'::regclass;

do $$
declare
    v_index record;
begin
    for v_index in select * from index_definitions loop
        if v_index.constraint_name is not null then
            execute format('alter table flashsale.orders drop constraint %I', v_index.constraint_name);
        else
            execute format('drop index %s', v_index.index_name);
        end if;
    end loop;
end
$$;

insert into flashsale.orders
    (order_id, product_id, user_id, flash_sale_id, accepted_at, settled_at, status, reserved_token)
select
    (lpad(to_hex(1700000000000 + n / 10), 12, '0') || '7' || lpad(to_hex(n % 10), 3, '0')
        || '8' || substr(md5(n::text), 1, 15))::uuid,
    s.product_id, md5(n::text)::uuid, s.flash_sale_id, s.accepted_at, s.accepted_at, 'success', 'none'
from (
    select product_id, flash_sale_id, start_date as accepted_at, row_number() over (order by flash_sale_id) - 1 as past
    from flashsale.flash_sales
) s
cross join lateral generate_series(s.past * (:orders / 50), (s.past + 1) * (:orders / 50) - 1) n;

do $$
declare
    v_index record;
begin
    for v_index in select * from index_definitions loop
        if v_index.constraint_name is not null then
            execute format('alter table flashsale.orders add constraint %I %s',
                v_index.constraint_name, v_index.constraint_definition);
        else
            execute v_index.definition;
        end if;
    end loop;
end
$$;

reset synchronous_commit;
reset maintenance_work_mem;
