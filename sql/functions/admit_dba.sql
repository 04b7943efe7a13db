-- Makes p_login somebody who may read the ops views (flashsale_dba) and, with p_operator, handle dead letters and archive
-- sales (flashsale_operator). Creates the login when there is none, without a password: \password in psql sets one that
-- no log sees. Running it again puts the time-outs back.
-- A setting of a group role is not inherited by its members, so each login gets its own, for this database only: a
-- forgotten transaction holds back vacuum, and every claim on the queue then walks over its dead messages.
-- They are defaults that a session may change (so may an operator for a long archive), a guard against forgetting, not
-- against malice. ops.logins shows who lacks them.
-- Not security definer: whoever calls it must be allowed to create roles.
create or replace function ops.admit_dba(p_login name, p_operator boolean default false) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_setting text;
begin
    if p_login ~ '^(pg_|flashsale_)' or exists (select from pg_roles r where r.rolname = p_login and r.rolsuper) then
        raise exception '% cannot be a person who reads: it is a superuser or a name that is taken', p_login
            using errcode = 'invalid_parameter_value', hint = 'Give each person a login of their own, such as alice.';
    end if;
    if not exists (select from pg_roles r where r.rolname = p_login) then
        execute format('create role %I login connection limit 5', p_login);
    end if;
    execute format('grant flashsale_dba to %I', p_login);
    if p_operator then
        execute format('grant flashsale_operator to %I', p_login);
    end if;
    foreach v_setting in array array[
        'statement_timeout = ''30s''', 'idle_in_transaction_session_timeout = ''60s''', 'idle_session_timeout = ''1h'''
    ] loop
        execute format('alter role %I in database %I set %s', p_login, current_database(), v_setting);
    end loop;
end
$$;
