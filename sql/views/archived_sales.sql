-- Sales taken out of flash_sales by ops.archive_sale, what their books said, and how much room their orders take.
create or replace view ops.archived_sales as
select
    a.flash_sale_id, a.product_id, a.name, a.price_in_cent, a.quantity, a.sold, a.failed, a.start_date, a.end_date,
    a.attempts, a.begun_at, a.begun_by, a.finished_at, a.dropped_at, a.dropped_by,
    coalesce(pg_catalog.pg_total_relation_size(c.oid), 0) as bytes
from flashsale.archived_sales a
left join pg_catalog.pg_class c
    on c.relname = 'archived_orders_' || replace(a.flash_sale_id::text, '-', '')
    and c.relnamespace = 'flashsale'::pg_catalog.regnamespace;
