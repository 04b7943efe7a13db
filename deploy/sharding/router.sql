-- The router: a database without tables of its own but for what it has learnt, in which every function that the processes call
-- has its name and signature and runs where its product lives (PL/Proxy). Run it as a superuser or as an owner who may create
-- the extension; again after every upgrade of the servers behind it. All of it is one transaction.
--   psql "$router_owner_url" --file=deploy/sharding/router.sql
-- Then tell it where the others are: see README.md. A database that holds orders is refused.
\set ON_ERROR_STOP on
set client_min_messages = warning;
begin;
do $$
begin
    if to_regclass('flashsale.orders') is not null then
        raise exception 'database % has a table flashsale.orders: a router is a database of its own', current_database();
    end if;
end
$$;
drop schema if exists flashsale cascade;
create schema flashsale;
\ir router/1-servers.sql
\ir router/2-placement.sql
\ir router/3-home.sql
\ir router/4-purchases.sql
\ir router/5-sales.sql
\ir router/6-watching.sql
\ir router/7-rights.sql
commit;
