-- Who may log in as one of the roles of flashsale, how many sessions they have, and whether their time-outs are set.
create or replace view ops.logins as
with members as (
    select l.oid, l.rolname as login, array_agg(g.rolname order by g.rolname) as roles
    from pg_catalog.pg_roles l
    join pg_catalog.pg_roles g on pg_catalog.pg_has_role(l.oid, g.oid, 'member')
    where l.rolcanlogin and not l.rolsuper
        and g.rolname in ('flashsale_api', 'flashsale_worker', 'flashsale_dba', 'flashsale_operator')
    group by l.oid, l.rolname
),
settings as (  -- a setting for the role in this database wins over one for the role, and that over one for the database
    select distinct on (m.oid, c.name) m.oid, c.name, c.value
    from members m
    join pg_catalog.pg_db_role_setting d on d.setrole in (0, m.oid)
    join pg_catalog.pg_database b on b.datname = pg_catalog.current_database() and d.setdatabase in (0, b.oid)
    cross join lateral (
        select split_part(s.setting, '=', 1) as name, split_part(s.setting, '=', 2) as value
        from unnest(d.setconfig) s (setting)
    ) c
    order by m.oid, c.name, d.setrole <> 0 desc, d.setdatabase <> 0 desc
)
select
    m.login, m.roles, t.statement_timeout, t.idle_in_transaction_session_timeout, t.idle_session_timeout,
    coalesce(
        t.statement_timeout !~ '^0' and t.idle_in_transaction_session_timeout !~ '^0' and t.idle_session_timeout !~ '^0', false
    ) as bounded,
    (
        select count(*) from pg_catalog.pg_stat_activity a
        where a.usesysid = m.oid and a.datname = pg_catalog.current_database()
    ) as sessions
from members m
cross join lateral (
    select
        max(s.value) filter (where s.name = 'statement_timeout') as statement_timeout,
        max(s.value) filter (where s.name = 'idle_in_transaction_session_timeout') as idle_in_transaction_session_timeout,
        max(s.value) filter (where s.name = 'idle_session_timeout') as idle_session_timeout
    from settings s where s.oid = m.oid
) t;
comment on column ops.logins.bounded is 'statement, idle-in-transaction and idle session time-outs are set: ops.admit_dba';
