-- Users and sessions: create_user, find_user_by_email, is_administrator, end_session, list_ended_sessions, list_ended_users.
select plan(23);
select flashsale.create_user(fixture.user_id(1), 'a@example.org', '$argon2id$a', true);
select flashsale.create_user(fixture.user_id(2), 'b@example.org', '$argon2id$b', false);
select results_eq(
    $$select * from flashsale.find_user_by_email('a@example.org')$$,
    format($$values (%L::uuid, '$argon2id$a', true)$$, fixture.user_id(1)), 'a user signs in by e-mail'
);
select is_empty($$select * from flashsale.find_user_by_email('c@example.org')$$, 'an unknown one does not');
select is(flashsale.is_administrator(fixture.user_id(1)), true, 'an administrator');
select is(flashsale.is_administrator(fixture.user_id(2)), false, 'a user is none');
select is(flashsale.is_administrator(fixture.user_id(3)), false, 'nobody is none');
update flashsale.users set disabled_at = now();
select is_empty($$select * from flashsale.find_user_by_email('a@example.org')$$, 'a disabled user does not sign in');
select is(flashsale.is_administrator(fixture.user_id(1)), false, 'nor administer');

select fixture.open_session('listener');
select public.dblink_exec('listener', 'listen flashsale_sessions');
select flashsale.end_session(md5('s')::uuid, now() + interval '1 hour');
select flashsale.end_session(md5('t')::uuid, now() - interval '1 second');
select results_eq(
    'select session_id from flashsale.list_ended_sessions()', array[md5('s')::uuid],
    'an ended session is on the list until its token expires'
);
select set_eq(
    $$select n from fixture.notifications('listener', 2) n$$,
    array[md5('s')::uuid::text, md5('t')::uuid::text], 'and announced'
);
select lives_ok($$select flashsale.end_session(md5('s')::uuid, now() + interval '1 hour')$$, 'ending it twice is no error');

-- find_session
select flashsale.create_user(fixture.user_id(71), 'session@example.org', '$argon2id$none', true);
select row_eq(
    'select email, is_administrator from flashsale.find_session(fixture.user_id(71))',
    row('session@example.org'::text, true), 'the user of a session'
);
update flashsale.users set disabled_at = now() where user_id = fixture.user_id(71);
select is_empty('select * from flashsale.find_session(fixture.user_id(71))', 'who is disabled has none');
select is_empty('select * from flashsale.find_session(fixture.user_id(72))', 'nor has nobody');

-- ended users
select flashsale.create_user(fixture.user_id(73), 'leaver@example.org', '$argon2id$none', false);
select is(flashsale.set_user_disabled('Leaver@example.org', true), true, 'a user is disabled by e-mail');
select set_has(
    'select user_id from flashsale.list_ended_users()', format('values (%L::uuid)', fixture.user_id(73)),
    'whose sessions end with it'
);
-- Announced before it: session s once more, and the user who was disabled above.
select ok(
    exists (select from fixture.notifications('listener', 3) n where n like '%' || fixture.user_id(73) || '%'),
    'which is announced'
);
update flashsale.ended_users set ended_at = now() - interval '1 minute' where user_id = fixture.user_id(73);
select is(flashsale.set_user_disabled('leaver@example.org', false), true, 'and let in again');
select is(
    (select disabled_at from flashsale.users where user_id = fixture.user_id(73)), null, 'who may then sign in'
);
select ok(
    (select e.ended_at < now() - interval '30 s' from flashsale.list_ended_users() e where e.user_id = fixture.user_id(73)),
    'and whose sessions from before stay ended'
);
select is(flashsale.set_user_disabled('nobody@example.org', true), false, 'nobody is not disabled');
delete from flashsale.users where user_id = fixture.user_id(73);
select ok(
    (select e.ended_at > now() - interval '30 s' from flashsale.list_ended_users() e where e.user_id = fixture.user_id(73)),
    'a user who is deleted is signed out too'
);
update flashsale.ended_users set ended_at = now() - interval '25 hours';
select is_empty('select * from flashsale.list_ended_users()', 'after a day their tokens have expired');
select flashsale.prune(10);
select is_empty('select * from flashsale.ended_users', 'and they are forgotten');
select * from finish();
