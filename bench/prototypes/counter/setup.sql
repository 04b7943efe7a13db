-- A sale as a counter, and as one row a unit. Nothing else: no users, no queue; every unit taken is written to
-- counter.orders with the number of its transaction, as a stand-in for the order.
set client_min_messages = warning;
create schema if not exists counter;
drop table if exists counter.sale, counter.tokens, counter.orders;
create table counter.sale (sale_id integer primary key, quantity integer not null, sold integer not null check (sold <= quantity))
with (fillfactor = 20);
create table counter.tokens (token_id integer primary key, taken_by bigint) with (fillfactor = 50);
create index free_tokens on counter.tokens (token_id) where taken_by is null;
create table counter.orders (order_id bigint generated always as identity primary key, token_id integer);
insert into counter.sale values (1, 2000000000, 0);
insert into counter.tokens select i, null from generate_series(1, :tokens) i;
vacuum analyze counter.tokens;
