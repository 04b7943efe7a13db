-- Ends all sessions of a user that began until now; a trigger tells every API process. For whoever owns the database.
create or replace function flashsale.end_sessions_of_user(p_user_id uuid) returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
    insert into flashsale.ended_users as e (user_id, ended_at) values (p_user_id, clock_timestamp())
    on conflict (user_id) do update set ended_at = greatest(e.ended_at, excluded.ended_at)
$$;
