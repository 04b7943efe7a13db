-- Deletes what nobody can ask for any more: idempotency keys after 24 hours, ended sessions whose tokens have expired,
-- batch records after 30 days, the seconds of a sale after 90, samples of the queue after 7. Bounded: at most p_rows_max
-- rows of each a call (hence materialized: a subquery with a limit that is run again for each row takes more). now(), not
-- clock_timestamp(): only a stable time is looked up by index.
create or replace function flashsale.prune(p_rows_max integer) returns void
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
    with old as materialized (
        select k.caller, k.key
        from flashsale.idempotency_keys k
        where k.claimed_at < now() - interval '24 hours'
        order by k.claimed_at limit p_rows_max
        for update skip locked
    )
    delete from flashsale.idempotency_keys k using old where k.caller = old.caller and k.key = old.key;

    with old as materialized (
        select e.session_id
        from flashsale.ended_sessions e
        where e.expires_at < now()
        limit p_rows_max
        for update skip locked
    )
    delete from flashsale.ended_sessions e using old where e.session_id = old.session_id;

    with old as materialized (
        select e.user_id
        from flashsale.ended_users e
        where e.ended_at < now() - interval '1 day'
        order by e.user_id limit p_rows_max
        for update skip locked
    )
    delete from flashsale.ended_users e using old where e.user_id = old.user_id;

    with old as materialized (
        select b.batch_id
        from flashsale.settled_batches b
        where b.settled_at < now() - interval '30 days'
        order by b.settled_at limit p_rows_max
        for update skip locked
    )
    delete from flashsale.settled_batches b using old where b.batch_id = old.batch_id;

    with old as materialized (
        select a.flash_sale_id, a.second, a.answer
        from flashsale.sale_attempts a
        where a.second < now() - interval '90 days'
        order by a.second limit p_rows_max
        for update skip locked
    )
    delete from flashsale.sale_attempts a using old
    where a.flash_sale_id = old.flash_sale_id and a.second = old.second and a.answer = old.answer;

    with old as materialized (
        select t.flash_sale_id, t.second
        from flashsale.sale_settlements t
        where t.second < now() - interval '90 days'
        order by t.second limit p_rows_max
        for update skip locked
    )
    delete from flashsale.sale_settlements t using old
    where t.flash_sale_id = old.flash_sale_id and t.second = old.second;

    with old as materialized (
        select q.second
        from flashsale.queue_samples q
        where q.second < now() - interval '7 days'
        order by q.second limit p_rows_max
        for update skip locked
    )
    delete from flashsale.queue_samples q using old where q.second = old.second;
$$;
