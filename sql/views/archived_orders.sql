-- The orders of archived sales, to copy out before they are dropped.
create or replace view ops.archived_orders as
select
    o.order_id, o.product_id, o.user_id, o.flash_sale_id, o.status, o.failure_reason, o.accepted_at, o.settled_at
from flashsale.archived_orders o;
