-- flashsale_dba: people who read the ops views with psql, and nothing else. A role belongs to the whole server, so
-- several databases may create it at the same moment: losing that race is success.
do $$
begin
    if not exists (select from pg_catalog.pg_roles where rolname = 'flashsale_dba') then
        create role flashsale_dba nologin;
    end if;
exception when duplicate_object or unique_violation then
    null;
end
$$;
grant usage on schema ops to flashsale_dba;
grant select on all tables in schema ops to flashsale_dba;
