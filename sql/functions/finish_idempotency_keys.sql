-- Keeps the first answer to each claimed key. A null status abandons the claim: nothing was done, the next try runs.
create or replace function flashsale.finish_idempotency_keys(
    p_callers text[], p_keys text[], p_statuses smallint[], p_bodies bytea[]
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
begin
    -- Claims are the caller's own, so no other transaction holds these rows but one that met the same key.
    update flashsale.idempotency_keys k
    set answer_status = f.status, answer_body = f.body
    from (
        select * from unnest(p_callers, p_keys, p_statuses, p_bodies) as u (caller, key, status, body)
        where u.status is not null order by u.caller, u.key
    ) f
    where k.caller = f.caller and k.key = f.key and k.answer_status is null;

    delete from flashsale.idempotency_keys k
    using unnest(p_callers, p_keys, p_statuses) as u (caller, key, status)
    where u.status is null and k.caller = u.caller and k.key = u.key and k.answer_status is null;
end
$$;
