-- What each role may do, and that it may do nothing else: every table, view, sequence, schema and function is tried.
-- flashsale_api and flashsale_worker execute what their processes call, flashsale_dba reads the ops views,
-- flashsale_operator handles dead letters and old sales.
select plan(47);
select fixture.add_users('{1}');
select fixture.open_sale(1, 1);
select fixture.place(1, '{1}', '{1}');
create role somebody in role flashsale_dba;

select results_eq(
    $$select c.relname::text collate "default" from pg_class c where c.relnamespace = 'ops'::regnamespace order by 1$$,
    array[
        'archived_orders', 'archived_sales', 'dead_letters', 'handled_dead_letters', 'logins', 'queue_health',
        'recent_outcomes', 'sale_books'
    ], 'the ops views'
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
    row(false, false, false, false, false, false), 'the role itself can do nothing'
);

-- The processes' roles.
create temporary table may_call as
select r.role, p.proname::text collate "default" as function
from (values ('flashsale_api'), ('flashsale_worker')) r (role)
join pg_proc p on has_function_privilege(r.role, p.oid, 'execute')
where p.pronamespace = 'flashsale'::regnamespace;
select results_eq(
    $$select m.function from may_call m where m.role = 'flashsale_worker' order by 1$$,
    array[
        'check_books', 'find_queue_state', 'installed_migration', 'list_sales', 'live_orders', 'prune', 'repair_books',
        'settle_orders', 'settle_orders_singly'
    ],
    'what a worker may call'
);
select is_empty(
    $$select m.function from may_call m
      where m.role = 'flashsale_api' and m.function ~ '^(settle|take|prune|dead|notify|free|check|repair)'$$,
    'the API settles nothing'
);
select cmp_ok(count(*), '>=', 25::bigint, 'and may call what it needs') from may_call m where m.role = 'flashsale_api';
select is_empty(
    $$select p.oid::regprocedure from pg_proc p
      where p.pronamespace = 'flashsale'::regnamespace
          and exists (select from may_call m where m.function = p.proname) and not p.prosecdef$$,
    'each acts with the rights of its owner'
);
select is_empty(
    $$select p.oid::regprocedure from pg_proc p
      where p.pronamespace in ('flashsale'::regnamespace, 'ops'::regnamespace)
          and p.prosecdef and not coalesce(p.proconfig, '{}') @> array['search_path=pg_catalog, pg_temp']$$,
    'and finds its names where it was told to, whoever calls it'
);
select is_empty(
    $$select p.oid::regprocedure from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
      where p.pronamespace in ('flashsale'::regnamespace, 'ops'::regnamespace) and a.grantee = 0$$,
    'nobody else may call anything'
);
select is_empty(
    $$select r.role, c.oid::regclass
      from (values ('flashsale_api'), ('flashsale_worker'), ('flashsale_operator'), ('public')) r (role)
      cross join pg_class c
      where c.relnamespace in ('flashsale'::regnamespace, 'pgmq'::regnamespace, 'ops'::regnamespace)
          and c.relkind in ('r', 'v', 'm', 'p')
          and has_table_privilege(r.role, c.oid, 'select, insert, update, delete, truncate, references, trigger')$$,
    'no table or view can be read or written'
);
select is_empty(
    $$select r.role, c.oid::regclass
      from (values ('flashsale_api'), ('flashsale_worker'), ('flashsale_dba'), ('flashsale_operator'), ('public')) r (role)
      cross join pg_class c
      where c.relnamespace in ('flashsale'::regnamespace, 'pgmq'::regnamespace) and c.relkind = 'S'
          and has_sequence_privilege(r.role, c.oid, 'usage, select, update')$$,
    'no sequence can be used'
);
select is_empty(
    $$select r.role, n.nspname
      from (values ('flashsale_api'), ('flashsale_worker')) r (role)
      cross join pg_namespace n
      where n.nspname !~ '^pg_temp' and (has_schema_privilege(r.role, n.oid, 'create')
          or n.nspname in ('pgmq', 'ops') and has_schema_privilege(r.role, n.oid, 'usage'))$$,
    'nothing can be created, and no other schema be named'
);
select is_empty(
    $$select r.rolname from pg_roles r
      where r.rolname in ('flashsale_api', 'flashsale_worker')
          and (r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolreplication or r.rolbypassrls)$$,
    'the roles themselves can do nothing'
);

-- People who handle: an operator calls what ops offers for it, and reads nothing; who only reads calls none of it.
select results_eq(
    $$select p.proname::text collate "default" from pg_proc p
      where p.pronamespace = 'ops'::regnamespace and has_function_privilege('flashsale_operator', p.oid, 'execute') order by 1$$,
    array[
        'archive_batch', 'archive_sale', 'begin_archive', 'drop_archived_sale', 'drop_dead_letter', 'finish_archive',
        'replay_dead_letter'
    ], 'what an operator may call'
);
select is_empty(
    $$select p.oid::regprocedure from pg_proc p
      where p.pronamespace = 'ops'::regnamespace and p.proname not in ('archive_sale', 'admit_dba') and not p.prosecdef$$,
    'each acts with the rights of its owner, but for those that say why not'
);
select is_empty(
    $$select r.role, p.oid::regprocedure
      from (values ('flashsale_api'), ('flashsale_worker'), ('flashsale_dba')) r (role)
      join pg_proc p on has_function_privilege(r.role, p.oid, 'execute')
      where p.pronamespace = 'ops'::regnamespace$$,
    'nobody else may'
);
select is_empty(
    $$select n.nspname from pg_namespace n
      where has_schema_privilege('flashsale_operator', n.oid, 'create') and n.nspname !~ '^pg_temp'
          or n.nspname in ('flashsale', 'pgmq') and has_schema_privilege('flashsale_operator', n.oid, 'usage')$$,
    'an operator creates nothing and names no other schema'
);
select is_empty(
    $$select r.rolname from pg_roles r
      where r.rolname = 'flashsale_operator'
          and (r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolcanlogin or r.rolreplication or r.rolbypassrls)$$,
    'the role itself can do nothing'
);
create role an_operator in role flashsale_operator;
set role an_operator;
select throws_ok('select * from ops.sale_books', '42501', null, 'an operator alone reads no view');
select throws_ok('select * from pgmq.q_purchases_dead', '42501', null, 'nor a queue');
select throws_ok('select ops.drop_dead_letter(1, ''x'')', 'P0002', null, 'but handles dead letters');
set role somebody;
select throws_ok('select ops.drop_dead_letter(1, ''x'')', '42501', null, 'who only reads does not');
select throws_ok('select ops.admit_dba(''somebody'', true)', '42501', null, 'nor makes an operator of themselves');
reset role;

-- Time-outs: admit_dba gives a person's login its own, for a group's are not inherited; ops.logins shows who lacks them.
select ops.admit_dba('alice');
select ops.admit_dba('bob', true);
create role carol login in role flashsale_dba;
create role dave login in role flashsale_dba;
alter role dave set statement_timeout = '10s';
alter role dave set idle_in_transaction_session_timeout = '10s';
alter role dave set idle_session_timeout = 0;
select results_eq(
    $$select concat_ws(' ', l.login, l.roles, coalesce(l.statement_timeout, '-'),
        coalesce(l.idle_in_transaction_session_timeout, '-'), coalesce(l.idle_session_timeout, '-'), l.bounded, l.sessions) collate "default"
      from ops.logins l order by l.login$$,
    array[
        'alice {flashsale_dba} 30s 60s 1h t 0', 'bob {flashsale_dba,flashsale_operator} 30s 60s 1h t 0',
        'carol {flashsale_dba} - - - f 0', 'dave {flashsale_dba} 10s 10s 0 f 0'
    ], 'who may log in, and whose time-outs are set'
);
select ops.admit_dba('dave');
select ok(l.bounded, 'admitting somebody who is there sets them') from ops.logins l where l.login = 'dave';
alter role alice set statement_timeout = 0;
select ok(l.bounded, 'a setting for this database wins') from ops.logins l where l.login = 'alice';
select throws_ok('select ops.admit_dba(''postgres'')', '22023', null, 'a superuser is not bounded by being admitted');
select throws_ok('select ops.admit_dba(''flashsale_api'')', '22023', null, 'nor is a role of the processes a person');
select public.dblink_connect('alice', format(
    'host=%s port=%s dbname=%s user=alice',
    current_setting('unix_socket_directories'), current_setting('port'), current_database()
));
select results_eq(
    $$select * from public.dblink('alice', 'select s.setting from pg_settings s
      where s.name in (''statement_timeout'', ''idle_in_transaction_session_timeout'', ''idle_session_timeout'')
      order by s.name') as t (setting text)$$,
    array['60000', '3600000', '30000'], 'they hold when she logs in'
);
select is(l.sessions, 1::bigint, 'and she is seen') from ops.logins l where l.login = 'alice';
select public.dblink_exec('alice', 'set statement_timeout = ''50ms''');
select t.x from public.dblink('alice', 'select pg_sleep(10)::text', false) as t (x text);
select matches(
    public.dblink_error_message('alice'), 'canceling statement due to statement timeout', 'what takes too long is ended'
);
select results_eq(
    $$select * from public.dblink('alice', 'select balanced from ops.sale_books') as t (balanced boolean)$$,
    array[true], 'she reads the books'
);
select throws_ok(
    $$select * from public.dblink('alice', 'select email from flashsale.users') as t (email text)$$, '42501', null,
    'and nothing else'
);
select public.dblink_disconnect('alice');

-- As members, for real.
create role an_api in role flashsale_api;
create role a_worker in role flashsale_worker;
set role an_api;
select throws_ok('select * from flashsale.orders', '42501', null, 'the API cannot read orders');
select throws_ok('update flashsale.flash_sales set sold = 0', '42501', null, 'nor sell units twice');
select throws_ok('select * from flashsale.settle_orders(1)', '42501', null, 'nor settle');
set role a_worker;
select throws_ok('delete from pgmq.q_purchases', '42501', null, 'a worker cannot empty the queue');
select lives_ok('select * from flashsale.settle_orders(0)', 'but settle');
reset role;

-- As a member, for real: the views work, also the parts that look at other sessions.
select fixture.open_session('other');
select public.dblink_exec('other', 'begin isolation level repeatable read');
select t.x from public.dblink('other', 'select 1') as t (x integer);
select pg_sleep(0.01);
grant usage on schema public to somebody;
set role somebody;
select cmp_ok(h.oldest_xmin_age_s, '>=', 0.01, 'a member sees the transactions of others') from ops.queue_health h;
select results_eq(
    $$select b.sold, b.queued, b.balanced from ops.sale_books b$$, $$values (0, 1::bigint, true)$$, 'and the books'
);
select lives_ok(
    'select * from ops.dead_letters, ops.recent_outcomes, ops.archived_sales, ops.archived_orders, ops.handled_dead_letters,
        ops.logins', 'and the rest'
);
select throws_ok('select * from flashsale.users', '42501', null, 'and nobody''s password');
reset role;
select * from finish();
