-- The user behind a session that is valid: no row for one who is disabled or was deleted since it began.
create or replace function flashsale.find_session(p_user_id uuid) returns table (email text, is_administrator boolean)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select u.email, u.is_administrator from flashsale.users u where u.user_id = p_user_id and u.disabled_at is null
$$;
