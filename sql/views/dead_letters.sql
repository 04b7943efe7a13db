-- Messages set aside, with why, and what their order says now.
create or replace view ops.dead_letters as
select
    d.msg_id,
    d.enqueued_at as set_aside_at,
    d.message ->> 'reason' as reason,
    d.message ->> 'detail' as detail,
    d.message -> 'message' as message,
    o.order_id,
    o.status as order_status
from pgmq.q_purchases_dead d
left join flashsale.orders o
    on o.order_id = case when flashsale.is_uuid(d.message -> 'message' ->> 'order_id')
        then (d.message -> 'message' ->> 'order_id')::uuid end;
