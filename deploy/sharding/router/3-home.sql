-- What lives at home: users, sessions, idempotency keys. Each is passed on as it is.
create or replace function flashsale.claim_idempotency_keys(
    p_callers text[], p_keys text[], p_fingerprints bytea[], p_claimants uuid[], p_lease interval
) returns table (ordinal integer, state text, answer_status smallint, answer_body bytea)
language plproxy security definer as $$ cluster 'home'; run on 0; $$;

create or replace function flashsale.finish_idempotency_keys(
    p_callers text[], p_keys text[], p_claimants uuid[], p_statuses smallint[], p_bodies bytea[]
) returns void
language plproxy security definer as $$ cluster 'home'; run on 0; $$;

create or replace function flashsale.end_session(p_session_id uuid, p_expires_at timestamptz) returns void
language plproxy security definer as $$ cluster 'home'; run on 0; $$;

create or replace function flashsale.find_session(p_user_id uuid) returns table (email text, is_administrator boolean)
language plproxy security definer as $$ cluster 'home'; run on 0; $$;

create or replace function flashsale.find_user_by_email(p_email text)
returns table (user_id uuid, password text, is_administrator boolean)
language plproxy security definer as $$ cluster 'home'; run on 0; $$;

create or replace function flashsale.is_administrator(p_user_id uuid) returns boolean
language plproxy security definer as $$ cluster 'home'; run on 0; $$;

create or replace function flashsale.list_ended_sessions() returns table (session_id uuid, expires_at timestamptz)
language plproxy security definer as $$ cluster 'home'; run on 0; $$;

create or replace function flashsale.list_ended_users() returns table (user_id uuid, ended_at timestamptz)
language plproxy security definer as $$ cluster 'home'; run on 0; $$;

-- For the owner of the router, as set_user_disabled below.
create or replace function flashsale.end_sessions_of_user(p_user_id uuid) returns void
language plproxy as $$
    cluster 'home';
    run on 0;
    target sharding.end_sessions_of_user;
$$;

create or replace function sharding.create_user(
    p_user_id uuid, p_email text, p_password text, p_is_administrator boolean
) returns void
language plproxy as $$
    cluster 'home';
    run on 0;
    target flashsale.create_user;
$$;

create or replace function flashsale.create_user(
    p_user_id uuid, p_email text, p_password text, p_is_administrator boolean
) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform sharding.create_user(p_user_id, p_email, p_password, p_is_administrator);
exception when integrity_constraint_violation then
    perform sharding.refuse(sqlstate, sqlerrm);
end
$$;

create or replace function sharding.known_users(p_user_ids uuid[]) returns table (user_id uuid, disabled_at timestamptz)
language plproxy as $$ cluster 'home'; run on 0; $$;

create or replace function sharding.put_users(p_shard integer, p_user_ids uuid[], p_disabled_at timestamptz[])
returns void
language plproxy as $$
    cluster 'shards';
    run on p_shard;
    select sharding.put_users(p_user_ids, p_disabled_at);
$$;

-- Makes users known to a shard, as the home has them now.
create or replace function sharding.copy_users(p_shard integer, p_user_ids uuid[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_ids    uuid[];
    v_disabled_at timestamptz[];
begin
    select array_agg(k.user_id), array_agg(k.disabled_at) into v_user_ids, v_disabled_at
    from sharding.known_users(p_user_ids) k;
    if v_user_ids is not null then
        perform sharding.put_users(p_shard, v_user_ids, v_disabled_at);
    end if;
end
$$;

create or replace function sharding.set_user_disabled(p_email text, p_is_disabled boolean) returns boolean
language plproxy as $$
    cluster 'home';
    run on 0;
$$;

create or replace function sharding.users_by_email(p_email text) returns setof uuid
language plproxy as $$
    cluster 'home';
    run on 0;
    select sharding.users_by_email(p_email);
$$;

-- At home first, which ends the sessions, then on every shard that has a copy. Raises when a shard cannot be reached: call it
-- again when it can.
create or replace function flashsale.set_user_disabled(p_email text, p_is_disabled boolean) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_shard integer;
    v_away  text[] := '{}';
begin
    if not sharding.set_user_disabled(p_email, p_is_disabled) then
        return false;
    end if;
    for v_shard in select s.shard from sharding.shards s order by s.shard loop
        begin
            perform sharding.copy_users(v_shard, array(select u from sharding.users_by_email(p_email) u));
        exception when internal_error or operator_intervention or insufficient_resources then
            v_away := v_away || format('shard %s: %s', v_shard, sqlerrm);
        end;
    end loop;
    if v_away <> '{}' then
        raise exception 'done at home, but not everywhere: %', array_to_string(v_away, '; ')
            using errcode = 'sqlclient_unable_to_establish_sqlconnection', hint = 'Call it again when it can be reached.';
    end if;
    return true;
end
$$;
