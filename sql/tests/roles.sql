-- flashsale_dba reads the ops views and nothing else: every other table, view, sequence and function is tried.
select plan(12);
select fixture.add_users('{1}');
select fixture.open_sale(1, 1);
select fixture.place(1, '{1}', '{1}');
create role somebody in role flashsale_dba;

select results_eq(
    $$select c.relname::text collate "default" from pg_class c where c.relnamespace = 'ops'::regnamespace order by 1$$,
    array['dead_letters', 'queue_health', 'recent_outcomes', 'sale_books'], 'the ops views'
);
select is_empty(
    $$select c.oid::regclass from pg_class c
      where c.relnamespace = 'ops'::regnamespace and not has_table_privilege('flashsale_dba', c.oid, 'select')$$,
    'all can be read'
);
select is_empty(
    $$select c.oid::regclass, p.privilege
      from pg_class c
      cross join unnest(array['insert', 'update', 'delete', 'truncate', 'references', 'trigger']) p (privilege)
      where c.relnamespace = 'ops'::regnamespace and has_table_privilege('flashsale_dba', c.oid, p.privilege)$$,
    'none can be written'
);
select is_empty(
    $$select c.oid::regclass from pg_class c
      where c.relnamespace in ('flashsale'::regnamespace, 'pgmq'::regnamespace) and c.relkind in ('r', 'v', 'm', 'p')
          and has_table_privilege('flashsale_dba', c.oid, 'select, insert, update, delete, truncate, references, trigger')$$,
    'no table can be read or written'
);
select is_empty(
    $$select n.nspname from pg_namespace n
      where n.nspname in ('flashsale', 'pgmq') and has_schema_privilege('flashsale_dba', n.oid, 'usage, create')$$,
    'no function can be named'
);
select is_empty(
    $$select n.nspname from pg_namespace n where n.nspname !~ '^pg_' and has_schema_privilege('flashsale_dba', n.oid, 'create')$$,
    'nothing can be created'
);
select is_empty(
    $$select a.roleid::regrole from pg_auth_members a where a.member = 'flashsale_dba'::regrole$$, 'no role is inherited'
);
select row_eq(
    $$select rolsuper, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls
      from pg_roles where rolname = 'flashsale_dba'$$,
    row (false, false, false, false, false, false), 'the role itself can do nothing'
);

-- As a member, for real: the views work, also the parts that look at other sessions.
select fixture.open_session('other');
select public.dblink_exec('other', 'begin isolation level repeatable read');
select * from public.dblink('other', 'select 1') as t (x integer);
select pg_sleep(0.01);
grant usage on schema public to somebody;
set role somebody;
select cmp_ok(h.oldest_xmin_age_s, '>=', 0.01, 'a member sees the transactions of others') from ops.queue_health h;
select results_eq(
    $$select b.sold, b.queued, b.balanced from ops.sale_books b$$, $$values (0, 1::bigint, true)$$, 'and the books'
);
select lives_ok('select * from ops.dead_letters, ops.recent_outcomes', 'and the rest');
select throws_ok('select * from flashsale.users', '42501', null, 'and nobody''s password');
reset role;
select * from finish();
