-- Which servers there are. PL/Proxy knows them by three names: home (users, sessions, idempotency keys), shards (everything
-- about a product; calls that somebody waits for) and shards_patient (the same servers; calls that read millions of rows).
-- Shards are numbered from 0 in the order in which they were added, and none is ever taken out.
create extension if not exists plproxy;
create schema if not exists sharding;

create table if not exists sharding.shards (
    shard              integer not null,
    takes_new_products boolean not null default true,
    constraint shards_pkey primary key (shard)
);

-- Adds a partition to a cluster of PL/Proxy, or makes the cluster of its first one.
create or replace function sharding.add_partition(
    p_cluster name, p_number integer, p_connection text, p_password text, p_options text
) returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
declare
    -- A server that is gone without a word is noticed within a second or two, before the time of a statement is up.
    v_connection constant text := p_connection || ' connect_timeout=2 tcp_user_timeout=1000 ' || p_options;
begin
    if exists (select from pg_foreign_server s where s.srvname = p_cluster) then
        execute format('alter server %I options (%s %I %L)', p_cluster,
            case when exists (
                select from pg_foreign_server s, pg_options_to_table(s.srvoptions) o
                where s.srvname = p_cluster and o.option_name = 'p' || p_number
            ) then 'set' else 'add' end, 'p' || p_number, v_connection);
    else
        execute format(
            'create server %I foreign data wrapper plproxy options (modular_mapping ''1'', %I %L)',
            p_cluster, 'p' || p_number, v_connection
        );
    end if;
    execute format('drop user mapping if exists for current_user server %I', p_cluster);
    execute format(
        'create user mapping for current_user server %I options (user ''flashsale_router'', password %L)',
        p_cluster, p_password
    );
end
$$;

-- Where users live. p_connection is of libpq: 'host=10.0.0.1 port=5432 dbname=flashsale'; user and password are kept apart,
-- where only the owner of the router reads them. Calling it again changes it.
create or replace function sharding.set_home(p_connection text, p_password text) returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
    select sharding.add_partition('home', 0, p_connection, p_password,
        'options=''-c statement_timeout=2000 -c client_connection_check_interval=250''')
$$;

-- Where a shard is: a new one with the next number, or one that has moved. The time-outs are those that API processes put on
-- their statements: a server that nobody waits for any more must give up too. One password for all of them.
create or replace function sharding.set_shard(p_shard integer, p_connection text, p_password text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_shard <> (select count(*) from sharding.shards)
        and not exists (select from sharding.shards s where s.shard = p_shard)
    then
        raise exception 'there is no shard %: the next one is %', p_shard, (select count(*) from sharding.shards)
            using errcode = 'invalid_parameter_value';
    end if;
    perform sharding.add_partition('shards', p_shard, p_connection, p_password,
        'options=''-c statement_timeout=2000 -c client_connection_check_interval=250''');
    perform sharding.add_partition('shards_patient', p_shard, p_connection, p_password,
        'options=''-c statement_timeout=60000 -c client_connection_check_interval=250''');
    insert into sharding.shards (shard) values (p_shard) on conflict do nothing;
end
$$;

-- The shards that may be asked now: one that could not be reached is left alone by this session for some seconds, so that
-- what asks all of them does not wait for it again and again.
create or replace function sharding.shards_to_ask() returns setof integer
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    select s.shard
    from sharding.shards s
    where coalesce(nullif(current_setting('sharding.away_' || s.shard, true), ''), '0')::numeric
        < extract(epoch from clock_timestamp())
    order by s.shard
$$;

-- Notes that a shard could not be reached, and says so in the log of this server.
create or replace function sharding.note_away(p_shard integer, p_error text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    raise warning 'shard % cannot be reached, going on without it: %', p_shard, p_error;
    perform set_config('sharding.away_' || p_shard, (extract(epoch from clock_timestamp()) + 3)::text, false);
end
$$;

-- Says again what a server behind said, with the name of the constraint, which PL/Proxy does not pass on.
create or replace function sharding.refuse(p_sqlstate text, p_error text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception '%', p_error using errcode = p_sqlstate, constraint = coalesce(
        substring(p_error from 'constraint "([^"]+)"'),
        case when p_error like '%has an archived sale%' then 'archived_products_are_not_sold_again' end,
        ''
    );
end
$$;
