-- The queue and its dead letters: plain pgmq queues (partitioned ones drop unread messages, unlogged ones lose theirs).
-- Autovacuum follows the queue closely: a claim walks over every dead tuple in front of the first live message.
do $$
declare
    v_queue text;
begin
    foreach v_queue in array array['purchases', 'purchases_dead'] loop
        if not exists (select from pgmq.meta where queue_name = v_queue) then
            perform pgmq.create(v_queue);
        end if;
    end loop;
end
$$;
alter table pgmq.q_purchases set (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_threshold = -1, autovacuum_vacuum_cost_delay = 0
);
