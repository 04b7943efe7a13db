-- The queue now: orders in progress, the age of the oldest message, messages settled per second over the last 10 seconds,
-- and messages set aside, counted up to 10,000. Reads counters and the first message, so it costs the same however deep
-- the queue is (ops.queue_health counts it).
create or replace function flashsale.find_queue_state()
returns table (depth bigint, oldest_age_s double precision, drain_rate_per_s double precision, dead_letters bigint)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        (
            select coalesce(sum(greatest(i.live - s.sold, 0)), 0)::bigint
            from flashsale.flash_sales s
            join flashsale.sale_intakes i on i.flash_sale_id = s.flash_sale_id
            where i.live <> s.sold
        ),
        coalesce((
            select greatest(extract(epoch from clock_timestamp() - q.enqueued_at), 0)
            from pgmq.q_purchases q order by q.msg_id limit 1
        ), 0)::double precision,
        (
            select coalesce(sum(b.messages), 0) / 10.0
            from flashsale.settled_batches b
            where b.settled_at > statement_timestamp() - interval '10 s'
        )::double precision,
        (select count(*) from (select from pgmq.q_purchases_dead limit 10000) d)
$$;
