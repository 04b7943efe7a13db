-- The users all of whose sessions ended, and when, while a token from before may not have expired.
create or replace function flashsale.list_ended_users() returns table (user_id uuid, ended_at timestamptz)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select e.user_id, e.ended_at from flashsale.ended_users e where e.ended_at > now() - interval '1 day'
$$;
