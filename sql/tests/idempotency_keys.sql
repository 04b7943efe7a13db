-- claim_idempotency_keys and finish_idempotency_keys: the first answer to a key, for 24 hours. And prune.
select plan(23);

-- Claims for requests (small numbers) and shows 'ordinal state status body' a key.
create function pg_temp.claim(
    callers text[], keys text[], prints text[], requests integer[], lease interval default '1 minute'
) returns setof text language sql as $$
    select concat_ws(' ', c.ordinal, c.state, c.answer_status, convert_from(c.answer_body, 'utf8'))
    from flashsale.claim_idempotency_keys(
        callers, keys,
        (select array_agg(convert_to(p, 'utf8') order by at) from unnest(prints) with ordinality as u (p, at)),
        (select array_agg(fixture.order_id(r) order by at) from unnest(requests) with ordinality as u (r, at)),
        lease
    ) c
$$;
create function pg_temp.finish(callers text[], keys text[], requests integer[], statuses smallint[], bodies text[])
returns void language sql as $$
    select flashsale.finish_idempotency_keys(
        callers, keys,
        (select array_agg(fixture.order_id(r) order by at) from unnest(requests) with ordinality as u (r, at)),
        statuses,
        (select array_agg(convert_to(b, 'utf8') order by at) from unnest(bodies) with ordinality as u (b, at))
    )
$$;

select results_eq(
    $$select pg_temp.claim('{a,a,a,b,a}', '{k,k,k,k,l}', '{one,one,two,one,one}', '{1,2,3,4,5}')$$,
    array['1 claimed', '2 running', '3 mismatch', '4 claimed', '5 claimed'],
    'the first in a batch claims; keys are the caller''s own'
);
select results_eq(
    $$select pg_temp.claim('{a,b}', '{k,k}', '{one,two}', '{6,7}')$$, array['1 running', '2 mismatch'], 'a claim holds'
);
select results_eq(
    $$select pg_temp.claim('{a}', '{k}', '{one}', '{1}')$$, array['1 claimed'],
    'a request that asks again after a lost reply meets its own claim'
);
select pg_temp.finish('{a,b}', '{k,k}', '{6,4}', '{500,400}', '{not mine,no}');
select results_eq(
    $$select pg_temp.claim('{a,b,a}', '{k,k,l}', '{one,one,one}', '{8,9,10}')$$,
    array['1 running', '2 finished 400 no', '3 running'], 'only the request that holds a claim finishes it'
);
select pg_temp.finish('{a}', '{k}', '{1}', '{200}', '{yes}');
select results_eq(
    $$select pg_temp.claim('{a}', '{k}', '{one}', '{8}')$$, array['1 finished 200 yes'], 'a finished key has its answer'
);
select results_eq(
    $$select pg_temp.claim('{a}', '{k}', '{one}', '{1}')$$, array['1 finished 200 yes'], 'also for the request itself'
);
select results_eq(
    $$select split_part(pg_temp.claim('{a}', '{k}', '{two}', '{8}'), ' ', 2)$$, array['mismatch'],
    'but not for another body'
);
select pg_temp.finish('{a}', '{k}', '{1}', '{500}', '{late}');
select results_eq(
    $$select pg_temp.claim('{a}', '{k}', '{one}', '{8}')$$, array['1 finished 200 yes'], 'the first answer stays'
);
select pg_temp.finish('{a,a}', '{l,k}', '{5,1}', array[null, null]::smallint[], array[null, null]::text[]);
select results_eq(
    $$select pg_temp.claim('{a,a}', '{l,k}', '{two,one}', '{11,8}')$$, array['1 claimed', '2 finished 200 yes'],
    'an abandoned key is free again, for any body; a finished one cannot be abandoned'
);
select pg_temp.finish('{a}', '{l}', '{5}', array[null]::smallint[], array[null]::text[]);
select results_eq(
    $$select pg_temp.claim('{a}', '{l}', '{two}', '{12}')$$, array['1 running'], 'nor can the claim of another request'
);
select results_eq(
    $$select pg_temp.claim('{a}', '{l}', '{two}', '{12}', interval '0')$$, array['1 claimed'],
    'a claim older than the lease is claimed anew'
);
select results_eq(
    $$select pg_temp.claim('{a}', '{l}', '{three}', '{13}', interval '0')$$, array['1 mismatch'], 'with the same body only'
);
select pg_temp.finish('{a}', '{l}', '{11}', '{500}', '{outlived}');
select results_eq(
    $$select pg_temp.claim('{a}', '{l}', '{two}', '{13}')$$, array['1 running'], 'who outlived the lease changes nothing'
);
select pg_temp.finish('{a}', '{l}', '{12}', '{200}', '{mine}');
select results_eq(
    $$select pg_temp.claim('{a}', '{l}', '{two}', '{13}')$$, array['1 finished 200 mine'], 'who claimed it anew finishes it'
);
select results_eq(
    $$select pg_temp.claim('{a}', '{k}', '{one}', '{14}', interval '0')$$, array['1 finished 200 yes'],
    'a finished one is not, whatever the lease'
);
select pg_temp.claim('{a}', '{m}', '{one}', '{21}');
update flashsale.idempotency_keys set claimed_at = claimed_at + interval '1 hour' where key = 'm';
select results_eq(
    $$select pg_temp.claim('{a}', '{m}', '{one}', '{22}')$$, array['1 claimed'],
    'a claim from before the clock was set back is none'
);
delete from flashsale.idempotency_keys where key = 'm';
update flashsale.idempotency_keys set claimed_at = claimed_at - interval '23 hours 59 minutes';
select results_eq(
    $$select pg_temp.claim('{a}', '{k}', '{one}', '{14}')$$, array['1 finished 200 yes'], 'an answer is kept 24 hours'
);
update flashsale.idempotency_keys set claimed_at = claimed_at - interval '2 minutes';
select results_eq($$select pg_temp.claim('{a}', '{k}', '{two}', '{15}')$$, array['1 claimed'], 'and no longer');
select results_eq($$select pg_temp.claim('{}', '{}', '{}', '{}')$$, array[]::text[], 'an empty batch');

-- prune: at most so many rows, only what is over
update flashsale.idempotency_keys set claimed_at = now() - interval '25 hours' where key = 'k';
update flashsale.idempotency_keys set claimed_at = now() - interval '23 hours' where key = 'l';
insert into flashsale.ended_sessions
values (md5('1')::uuid, now() - interval '1 s'), (md5('2')::uuid, now() + interval '1 h');
insert into flashsale.settled_batches (settled_at, messages, succeeded, failed, duplicates, dead_lettered)
values (now() - interval '31 days', 1, 1, 0, 0, 0), (now() - interval '29 days', 1, 1, 0, 0, 0);
select flashsale.prune(1);
select is(count(*), 2::bigint, 'prune takes at most so many keys') from flashsale.idempotency_keys;
select flashsale.prune(100);
select results_eq('select key from flashsale.idempotency_keys', array['l'], 'and only those older than 24 hours');
select results_eq(
    'select session_id from flashsale.ended_sessions', array[md5('2')::uuid], 'sessions whose token has expired'
);
select is(count(*), 1::bigint, 'batches older than 30 days') from flashsale.settled_batches;
select * from finish();
