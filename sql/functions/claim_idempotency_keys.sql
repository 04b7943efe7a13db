-- Claims keys for callers about to be served. For each: 'claimed' (run the request, then finish or abandon it), 'running'
-- (another request with this key has not finished), 'mismatch' (the key was used with another body) or 'finished' with
-- the first answer. A claimant (one request) that asks again after a lost reply meets its own claim: 'claimed'.
-- A claim older than p_lease (a process died) and a key older than 24 hours are claimed anew; so is a claim of a time to
-- come, made before the clock was set back.
-- Hazard: rows are inserted in the order of the key, so that two batches cannot deadlock.
create or replace function flashsale.claim_idempotency_keys(
    p_callers text[], p_keys text[], p_fingerprints bytea[], p_claimants uuid[], p_lease interval
) returns table (ordinal integer, state text, answer_status smallint, answer_body bytea)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_claimed integer[];
begin
    with asked as (
        select distinct on (a.caller, a.key) a.caller, a.key, a.fingerprint, a.claimant, a.ordinal
        from unnest(p_callers, p_keys, p_fingerprints, p_claimants) with ordinality
            as a (caller, key, fingerprint, claimant, ordinal)
        order by a.caller, a.key, a.ordinal
    ),
    claimed as (
        insert into flashsale.idempotency_keys as k (caller, key, fingerprint, claimed_by)
        select a.caller, a.key, a.fingerprint, a.claimant from asked a order by a.caller, a.key
        on conflict (caller, key) do update
        set fingerprint = excluded.fingerprint, claimed_by = excluded.claimed_by, claimed_at = clock_timestamp(),
            answer_status = null, answer_body = null
        where (k.claimed_by = excluded.claimed_by and k.answer_status is null)
            or k.claimed_at < clock_timestamp() - interval '24 hours'
            or (k.answer_status is null and k.fingerprint = excluded.fingerprint
                and (k.claimed_at < clock_timestamp() - p_lease or k.claimed_at > clock_timestamp() + p_lease))
        returning k.caller, k.key
    )
    select array_agg(a.ordinal::integer) into v_claimed
    from asked a join claimed c on c.caller = a.caller and c.key = a.key;

    return query
    select
        a.ordinal::integer,
        case
            when a.ordinal::integer = any (v_claimed) then 'claimed'
            when k.fingerprint <> a.fingerprint then 'mismatch'
            when k.answer_status is null then 'running'
            else 'finished'
        end,
        k.answer_status,
        k.answer_body
    from unnest(p_callers, p_keys, p_fingerprints) with ordinality as a (caller, key, fingerprint, ordinal)
    left join lateral (
        select * from flashsale.idempotency_keys i where i.caller = a.caller and i.key = a.key offset 0
    ) k on true
    order by a.ordinal;
end
$$;
