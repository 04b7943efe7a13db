-- Takes up to p_batch_max messages off the queue and settles their orders, in one transaction with the caller's
-- COMMIT: a rollback gives every message back. Answers what became of the messages; nothing taken is a row of zeros.
-- followed: see flashsale.followed_orders.
create or replace function flashsale.settle_orders(p_batch_max integer)
returns table (
    messages integer, succeeded integer, failed integer, duplicates integer, dead_lettered integer, followed jsonb
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_messages constant pgmq.message_record[] := flashsale.take_messages(p_batch_max);
begin
    if v_messages is null then
        return query select 0, 0, 0, 0, 0, null::jsonb;
    else
        return query
        select s.messages, s.succeeded, s.failed, s.duplicates, s.dead_lettered, flashsale.followed_orders(v_messages)
        from flashsale.settle_messages(v_messages) s;
    end if;
end
$$;
