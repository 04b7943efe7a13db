-- Users and sessions: create_user, find_user_by_email, is_administrator, end_session, list_ended_sessions.
select plan(13);
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
select * from finish();
