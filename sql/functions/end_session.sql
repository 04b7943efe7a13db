-- Ends one session before its token expires, and tells every API process.
create or replace function flashsale.end_session(p_session_id uuid, p_expires_at timestamptz) returns void
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
    insert into flashsale.ended_sessions (session_id, expires_at) values (p_session_id, p_expires_at)
    on conflict do nothing;
    select pg_notify('flashsale_sessions', p_session_id::text);
$$;
