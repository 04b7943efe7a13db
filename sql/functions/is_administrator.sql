-- Whether a user may administer sales now, whatever an older token says.
create or replace function flashsale.is_administrator(p_user_id uuid) returns boolean
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select exists (
        select from flashsale.users u
        where u.user_id = p_user_id and u.is_administrator and u.disabled_at is null
    )
$$;
