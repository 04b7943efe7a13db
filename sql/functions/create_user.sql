-- Registers a user. Raises unique_violation email_taken_once.
create or replace function flashsale.create_user(
    p_user_id uuid, p_email text, p_password text, p_is_administrator boolean
) returns void
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
    insert into flashsale.users (user_id, email, password, is_administrator)
    values (p_user_id, p_email, p_password, p_is_administrator)
$$;
