-- Deletes what nobody can ask for any more: idempotency keys after 24 hours, ended sessions whose tokens have expired,
-- batch records after 30 days. Bounded: at most p_rows_max rows of each a call.
create or replace function flashsale.prune(p_rows_max integer) returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
    delete from flashsale.idempotency_keys k
    using (
        select caller, key from flashsale.idempotency_keys
        where claimed_at < clock_timestamp() - interval '24 hours' limit p_rows_max for update skip locked
    ) old
    where k.caller = old.caller and k.key = old.key;

    delete from flashsale.ended_sessions
    where session_id in (
        select session_id from flashsale.ended_sessions where expires_at < clock_timestamp() limit p_rows_max
    );

    delete from flashsale.settled_batches
    where batch_id in (
        select batch_id from flashsale.settled_batches
        where settled_at < clock_timestamp() - interval '30 days' order by batch_id limit p_rows_max
    );
$$;
