-- The state of the purchases queue in one row. depth and oldest_age_s read the queue itself.
create or replace view ops.queue_health as
select
    q.depth,
    q.oldest_age_s,
    t.n_dead_tup as dead_tuples,
    t.last_autovacuum,
    flashsale.oldest_snapshot_age_s()::numeric(12, 3) as oldest_xmin_age_s,
    b.drained_per_s as drain_rate_per_s,
    d.dead_letters
from (
    select
        count(*) as depth,
        coalesce(extract(epoch from clock_timestamp() - min(enqueued_at)), 0)::numeric(12, 3) as oldest_age_s
    from pgmq.q_purchases
) q
cross join (select count(*) as dead_letters from pgmq.q_purchases_dead) d
left join pg_catalog.pg_stat_all_tables t on t.relid = 'pgmq.q_purchases'::regclass
cross join (
    select (coalesce(sum(r.messages), 0) / 60.0)::numeric(12, 1) as drained_per_s
    from flashsale.settled_batches r
    where r.settled_at > now() - interval '60 seconds'
) b;
comment on view ops.queue_health is
    'drain_rate_per_s: mean of the last 60 s; oldest_xmin_age_s: oldest open transaction, '
    'null when the owner lacks pg_read_all_stats';
