-- What a PostgreSQL behind the router needs besides `flashsale migrate`: the home of the users and every shard alike. Run it
-- as the owner of the database, after migrate and again after every upgrade:
--   ROUTER_PASSWORD=… LISTENER_PASSWORD=… psql "$owner_url" --file=deploy/sharding/server.sql
-- The router calls these functions as flashsale_router; API processes listen for notifications as flashsale_listener, which
-- may do nothing else.
\set ON_ERROR_STOP on
\getenv router_password ROUTER_PASSWORD
\getenv listener_password LISTENER_PASSWORD
\if :{?router_password} \else
    do $$ begin raise exception 'ROUTER_PASSWORD is not set: choose the password of the login "flashsale_router"'; end $$;
\endif
\if :{?listener_password} \else
    do $$ begin raise exception 'LISTENER_PASSWORD is not set: choose the password of the login "flashsale_listener"'; end $$;
\endif

-- A password must not reach the server's log (see deploy/postgres/logins.sql).
select rolsuper as is_superuser from pg_catalog.pg_roles where rolname = current_user
\gset
\if :is_superuser
    set log_statement = none;
    set log_min_duration_statement = -1;
    set log_min_error_statement = panic;
\endif

set client_min_messages = warning;
begin;
select format('create role %I', login.name)
from (values ('flashsale_router'), ('flashsale_listener')) as login (name)
where not exists (select from pg_catalog.pg_roles r where r.rolname = login.name)
\gexec
alter role flashsale_router login password :'router_password';
alter role flashsale_listener login password :'listener_password';
grant flashsale_api, flashsale_worker to flashsale_router;

create schema if not exists sharding;

-- Whether this product or sale is in this database.
create or replace function sharding.holds(p_id uuid) returns boolean
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select exists (select from flashsale.products p where p.product_id = p_id)
        or exists (select from flashsale.flash_sales s where s.flash_sale_id = p_id)
$$;

-- At home: which of these users there are, and since when they are disabled.
create or replace function sharding.known_users(p_user_ids uuid[]) returns table (user_id uuid, disabled_at timestamptz)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select u.user_id, u.disabled_at from flashsale.users u where u.user_id = any (p_user_ids)
$$;

-- At home: the user with this e-mail address, if there is one.
create or replace function sharding.users_by_email(p_email text) returns setof uuid
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select u.user_id from flashsale.users u where u.email = lower(p_email)
$$;

-- At home: what only the owner of a database may do, for the owner of the router.
create or replace function sharding.set_user_disabled(p_email text, p_is_disabled boolean) returns boolean
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
    select flashsale.set_user_disabled(p_email, p_is_disabled)
$$;

create or replace function sharding.end_sessions_of_user(p_user_id uuid) returns void
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
    select flashsale.end_sessions_of_user(p_user_id)
$$;

-- On a shard: makes users of the home known here, or changes whether they are disabled. A copy has neither the e-mail address
-- nor the password: nobody signs in here, and a stolen copy of a shard holds neither. A user who was here before there was a
-- router keeps both.
-- Hazard: rows in the order of their ids, so that two routers copying the same users cannot deadlock.
create or replace function sharding.put_users(p_user_ids uuid[], p_disabled_at timestamptz[]) returns void
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
    insert into flashsale.users as u (user_id, email, password, disabled_at)
    select c.user_id, c.user_id || '@home.invalid', '$argon2id$kept at home', c.disabled_at
    from unnest(p_user_ids, p_disabled_at) as c (user_id, disabled_at)
    order by c.user_id
    on conflict (user_id) do update
    set disabled_at = excluded.disabled_at
    where (u.disabled_at is null) <> (excluded.disabled_at is null)
$$;

revoke execute on all routines in schema sharding from public;
grant usage on schema sharding to flashsale_router;
grant execute on all routines in schema sharding to flashsale_router;
commit;
