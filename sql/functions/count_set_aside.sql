-- Orders still in progress whose message is a dead letter (failing them raised an error, see dead_letter_failed), by sale,
-- with their fingerprint (see count_queue). They wait for a person: ops.replay_dead_letter or ops.drop_dead_letter.
-- Hazard: stable, as count_queue is.
create or replace function flashsale.count_set_aside()
returns table (flash_sale_id uuid, orders bigint, fingerprint numeric)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select o.flash_sale_id, count(*), sum(hashtextextended(o.order_id::text, 0))
    from (
        select distinct case when flashsale.is_uuid(d.message -> 'message' ->> 'order_id')
            then (d.message -> 'message' ->> 'order_id')::uuid end as order_id
        from pgmq.q_purchases_dead d
    ) d
    cross join lateral (
        select o.order_id, o.flash_sale_id from flashsale.orders o
        where o.order_id = d.order_id and o.status = 'in_progress'
        offset 0
    ) o
    group by o.flash_sale_id
$$;
