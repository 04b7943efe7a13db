-- The newest migration of this database, 0 when there is none: what a process compares with those it was built with.
create or replace function flashsale.installed_migration() returns bigint
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(max(m.version), 0) from public._sqlx_migrations m where m.success
$$;
