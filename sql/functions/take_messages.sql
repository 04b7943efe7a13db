-- Takes up to p_batch_max of the oldest visible messages off the queue, in the caller's transaction: a rollback gives
-- them back. Null when there is none. It does what pgmq.pop does and skips what pgmq.read has hidden, but takes a message
-- never read whatever its vt, or a clock that steps back would hide purchases. And it deletes by ctid: pgmq.pop deletes by
-- a semi-join, and while the statistics of the queue are those of an empty table (every burst begins so) that join reads
-- the whole queue for each message, 10 s a batch at a depth of 200,000.
-- In plpgsql because that keeps its plans; a function in SQL is planned anew by each call.
create or replace function flashsale.take_messages(p_batch_max integer) returns pgmq.message_record[]
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    v_taken pgmq.message_record[];
begin
    with found as materialized (
        select q.ctid as at
        from pgmq.q_purchases q
        where q.read_ct = 0 or q.vt <= clock_timestamp()
        order by q.msg_id
        limit p_batch_max
        for update skip locked
    ),
    taken as (
        delete from pgmq.q_purchases q
        using found f
        where q.ctid = f.at
        returning q.msg_id, q.read_ct, q.enqueued_at, q.last_read_at, q.vt, q.message, q.headers
    )
    select array_agg(row(t.*)::pgmq.message_record order by t.msg_id) into v_taken from taken t;
    return v_taken;
end
$$;
