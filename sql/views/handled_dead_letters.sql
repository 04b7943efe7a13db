-- Dead letters that somebody has replayed or dropped: who, when, why.
create or replace view ops.handled_dead_letters as
select
    a.msg_id,
    a.archived_at as handled_at,
    a.headers ->> 'handled_by' as handled_by,
    a.headers ->> 'handled' as handled,
    a.headers ->> 'why' as why,
    a.enqueued_at as set_aside_at,
    a.message ->> 'reason' as reason,
    a.message ->> 'detail' as detail,
    a.message -> 'message' as message
from pgmq.a_purchases_dead a;
