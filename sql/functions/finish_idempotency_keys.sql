-- Keeps the first answer to each claimed key. A null status abandons the claim: nothing was done, the next try runs.
-- Only the claimant that holds a claim finishes it: one that outlived its lease changes nothing.
-- Hazard: rows are locked in the order of the key first, as claim_idempotency_keys locks them.
create or replace function flashsale.finish_idempotency_keys(
    p_callers text[], p_keys text[], p_claimants uuid[], p_statuses smallint[], p_bodies bytea[]
) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
begin
    perform from (
        select u.caller, u.key from unnest(p_callers, p_keys) as u (caller, key) order by u.caller, u.key
    ) f
    cross join lateral (
        select from flashsale.idempotency_keys k where k.caller = f.caller and k.key = f.key for update
    ) locked;

    update flashsale.idempotency_keys k
    set answer_status = f.status, answer_body = f.body
    from unnest(p_callers, p_keys, p_claimants, p_statuses, p_bodies) as f (caller, key, claimant, status, body)
    where f.status is not null
        and k.caller = f.caller and k.key = f.key and k.claimed_by = f.claimant and k.answer_status is null;

    delete from flashsale.idempotency_keys k
    using unnest(p_callers, p_keys, p_claimants, p_statuses) as f (caller, key, claimant, status)
    where f.status is null
        and k.caller = f.caller and k.key = f.key and k.claimed_by = f.claimant and k.answer_status is null;
end
$$;
