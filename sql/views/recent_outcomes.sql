-- The 200 newest orders by the time in their id (UUID version 7, made by the API that accepted them).
create or replace view ops.recent_outcomes as
select
    o.order_id, o.product_id, o.user_id, o.flash_sale_id, o.status, o.failure_reason, o.accepted_at, o.settled_at,
    o.settled_at - o.accepted_at as took
from flashsale.orders o
order by o.order_id desc
limit 200;
