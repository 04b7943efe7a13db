-- claim_idempotency_keys and finish_idempotency_keys: the first answer to a key, for 24 hours.
select plan(17);

-- Claims and shows 'ordinal state status body' a key.
create function pg_temp.claim(callers text[], keys text[], prints text[], lease interval default '1 minute')
returns setof text language sql as $$
    select concat_ws(' ', c.ordinal, c.state, c.answer_status, convert_from(c.answer_body, 'utf8'))
    from flashsale.claim_idempotency_keys(
        callers, keys, (select array_agg(convert_to(p, 'utf8') order by at) from unnest(prints) with ordinality u (p, at)), lease
    ) c
$$;

select results_eq(
    $$select pg_temp.claim('{a,a,a,b,a}', '{k,k,k,k,l}', '{one,one,two,one,one}')$$,
    array['1 claimed', '2 running', '3 mismatch', '4 claimed', '5 claimed'],
    'the first in a batch claims; keys are the caller''s own'
);
select results_eq(
    $$select pg_temp.claim('{a,b}', '{k,k}', '{one,two}')$$, array['1 running', '2 mismatch'], 'a claim holds'
);
select flashsale.finish_idempotency_keys('{a,b}', '{k,k}', '{200,400}', array['yes', 'no']::bytea[]);
select results_eq(
    $$select pg_temp.claim('{a,b,a}', '{k,k,l}', '{one,one,one}')$$,
    array['1 finished 200 yes', '2 finished 400 no', '3 running'], 'a finished key has its answer'
);
select results_eq(
    $$select split_part(pg_temp.claim('{a}', '{k}', '{two}'), ' ', 2)$$, array['mismatch'], 'but not for another body'
);
select flashsale.finish_idempotency_keys('{a}', '{k}', '{500}', array['late']::bytea[]);
select results_eq(
    $$select pg_temp.claim('{a}', '{k}', '{one}')$$, array['1 finished 200 yes'], 'the first answer stays'
);
select flashsale.finish_idempotency_keys('{a,a}', '{l,k}', array[null, null]::smallint[], array[null, null]::bytea[]);
select results_eq(
    $$select pg_temp.claim('{a,a}', '{l,k}', '{two,one}')$$, array['1 claimed', '2 finished 200 yes'],
    'an abandoned key is free again, for any body; a finished one cannot be abandoned'
);
select results_eq(
    $$select pg_temp.claim('{a}', '{l}', '{two}', interval '0')$$, array['1 claimed'],
    'a claim older than the lease is claimed anew'
);
select results_eq(
    $$select pg_temp.claim('{a}', '{l}', '{three}', interval '0')$$, array['1 mismatch'], 'with the same body only'
);
select results_eq(
    $$select pg_temp.claim('{a}', '{k}', '{one}', interval '0')$$, array['1 finished 200 yes'],
    'a finished one is not, whatever the lease'
);
update flashsale.idempotency_keys set claimed_at = claimed_at - interval '23 hours 59 minutes';
select results_eq(
    $$select pg_temp.claim('{a}', '{k}', '{one}')$$, array['1 finished 200 yes'], 'an answer is kept 24 hours'
);
update flashsale.idempotency_keys set claimed_at = claimed_at - interval '2 minutes';
select results_eq($$select pg_temp.claim('{a}', '{k}', '{two}')$$, array['1 claimed'], 'and no longer');
select results_eq(
    $$select pg_temp.claim('{}', '{}', '{}')$$, array[]::text[], 'an empty batch'
);

-- prune: at most so many rows, only what is over
update flashsale.idempotency_keys set claimed_at = now() - interval '25 hours' where key = 'k';
update flashsale.idempotency_keys set claimed_at = now() - interval '23 hours' where key = 'l';
insert into flashsale.ended_sessions values (md5('1')::uuid, now() - interval '1 s'), (md5('2')::uuid, now() + interval '1 h');
insert into flashsale.settled_batches (settled_at, messages, succeeded, failed, duplicates, dead_lettered)
values (now() - interval '31 days', 1, 1, 0, 0, 0), (now() - interval '29 days', 1, 1, 0, 0, 0);
select flashsale.prune(1);
select is(count(*), 2::bigint, 'prune takes at most so many keys') from flashsale.idempotency_keys;
select flashsale.prune(100);
select results_eq('select key from flashsale.idempotency_keys', array['l'], 'and only those older than 24 hours');
select results_eq('select session_id from flashsale.ended_sessions', array[md5('2')::uuid], 'sessions that have expired');
select is(count(*), 1::bigint, 'batches older than 30 days') from flashsale.settled_batches;
select results_eq($$select session_id from flashsale.list_ended_sessions()$$, array[md5('2')::uuid], 'the rest is in force');
select * from finish();
