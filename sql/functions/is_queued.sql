-- Whether an order has a message in the queue. Reads the whole queue: for people, not for a hot path.
create or replace function flashsale.is_queued(p_order_id uuid) returns boolean
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    select exists (
        select from pgmq.q_purchases m where lower(m.message ->> 'order_id' collate "C") = p_order_id::text
    )
$$;
