-- Disables a user, who can then neither sign in nor go on with a session, or lets one in again. Answers whether there is such
-- a user. For whoever owns the database: no process may call it.
create or replace function flashsale.set_user_disabled(p_email text, p_is_disabled boolean) returns boolean
language sql
set search_path = pg_catalog, pg_temp
as $$
    with changed as (
        update flashsale.users u
        set disabled_at = case when p_is_disabled then coalesce(u.disabled_at, clock_timestamp()) end
        where u.email = lower(p_email)
        returning u.user_id
    )
    select exists (select from changed)
$$;
