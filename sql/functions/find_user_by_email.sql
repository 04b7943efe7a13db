-- What signing in needs of a user; no row for an unknown e-mail or a disabled user.
create or replace function flashsale.find_user_by_email(p_email text)
returns table (user_id uuid, password text, is_administrator boolean)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select u.user_id, u.password, u.is_administrator
    from flashsale.users u
    where u.email = p_email and u.disabled_at is null
$$;
