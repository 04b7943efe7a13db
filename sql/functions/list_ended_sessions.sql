-- The sessions that ended before their tokens expire; what every API process keeps in memory.
create or replace function flashsale.list_ended_sessions() returns table (session_id uuid, expires_at timestamptz)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select e.session_id, e.expires_at from flashsale.ended_sessions e where e.expires_at > now()
$$;
