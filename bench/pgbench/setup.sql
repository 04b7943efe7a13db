-- Prepares a database for the scripts of this folder (and for the HTTP bench): :users users, one open sale of 10,000,000
-- units, and an empty queue `bench` for what only sends. Run it again for a new round: a new product and sale, so that every user is fresh again;
-- users are only added, and orders of earlier rounds stay, as in production.
--
--     psql "$DATABASE_URL" -v users=1000000 -f bench/pgbench/setup.sql        (users: default 100000)
--     psql "$DATABASE_URL" -v intake=off -f bench/pgbench/setup.sql           (for what sells past place_orders)
--
-- With intake=off the sale has no row in sale_intakes: whoever inserts orders without place_orders (naive_row_lock.sql,
-- insert_select.sql) keeps no count of live orders, and with a count of 0 the books would not balance.
-- Afterwards user number i, 1 <= i <= users, has user_id = md5(i::text)::uuid and the e-mail bench<i>@bench.invalid
-- (nobody can sign in as one: the hash is of no password). bench.sale is one row: product_id, flash_sale_id, users.
-- The sequence bench.user_number hands out the users and ends in an error after the last one.
-- Remove it all: drop schema bench cascade; select pgmq.drop_queue('bench') (the users and orders stay).
\set ON_ERROR_STOP on
\if :{?users}
\else
    \set users 100000
\endif
set client_min_messages = warning;

create schema if not exists bench;
create table if not exists bench.sale (
    product_id    uuid    not null,
    flash_sale_id uuid    not null,
    users         integer not null
);
create unique index if not exists sale_is_one_row on bench.sale ((true));

insert into flashsale.users (user_id, email, password)
select md5(i::text)::uuid, 'bench' || i || '@bench.invalid', '$argon2id$v=19$m=8,t=1,p=1$YmVuY2hiZW5jaA$none'
from generate_series(coalesce((select s.users from bench.sale s), 0) + 1, :users) i
on conflict do nothing;

with round as (
    select gen_random_uuid() as product_id, gen_random_uuid() as flash_sale_id
), opened as (
    select r.*, flashsale.create_sale(
        r.flash_sale_id, r.product_id, 'bench', 'a round of the bench', 100,
        10000000, clock_timestamp() - interval '1 hour', clock_timestamp() + interval '30 days'
    )::text
    from round r
)
insert into bench.sale (product_id, flash_sale_id, users)
select o.product_id, o.flash_sale_id, :users from opened o
on conflict ((true)) do update
set
    product_id = excluded.product_id, flash_sale_id = excluded.flash_sale_id,
    users = greatest(bench.sale.users, excluded.users);

\if :{?intake}
    delete from flashsale.sale_intakes i using bench.sale s where i.flash_sale_id = s.flash_sale_id;
\endif

drop sequence if exists bench.user_number;
select format('create sequence bench.user_number as integer maxvalue %s no cycle', s.users) from bench.sale s \gexec

-- An order id as the API makes them (UUID version 7: milliseconds first). Plain SQL, so that the planner inlines it.
create or replace function bench.order_id(p_number integer) returns uuid language sql volatile as $$
    select (
        lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0')
        || '7' || lpad(to_hex(p_number & 4095), 3, '0') || '8' || substr(md5(p_number::text), 1, 15)
    )::uuid
$$;

select pgmq.create('bench') where not exists (select from pgmq.meta where queue_name = 'bench');
select pgmq.purge_queue('bench') as purged \gset

-- The statistics of a table that was just filled; production gets there by autovacuum.
analyze flashsale.users, bench.sale;
select s.product_id, s.flash_sale_id, s.users from bench.sale s;
