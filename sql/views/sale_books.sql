-- One row a sale: what is offered, sold, queued and left, and whether the books balance: the counters equal the rows,
-- no unit is oversold, and orders in progress and queue messages match one to one (by fingerprint, see count_queue).
create or replace view ops.sale_books as
select
    b.flash_sale_id, b.product_id, b.name, b.status, b.quantity, b.sold, b.queued, b.remaining,
    b.success_rows, b.in_progress_rows,
    b.counters_match and b.messages_match and b.set_aside = 0 as balanced,
    b.live, b.set_aside, b.counters_match, b.messages_match
from (
    select
        s.flash_sale_id,
        s.product_id,
        p.name,
        case
            when clock_timestamp() < s.start_date then 'upcoming'
            when clock_timestamp() < s.end_date then 'active'
            else 'ended'
        end as status,
        s.quantity,
        s.sold,
        coalesce(q.messages, 0) as queued,
        s.quantity - s.sold as remaining,
        o.success as success_rows,
        o.in_progress as in_progress_rows,
        coalesce(i.live, o.success + o.in_progress) as live,
        coalesce(a.orders, 0) as set_aside,
        s.sold = o.success and s.sold <= s.quantity
        and coalesce(i.live, o.success + o.in_progress) = o.success + o.in_progress as counters_match,
        coalesce(q.messages, 0) + coalesce(a.orders, 0) = o.in_progress
        and coalesce(q.fingerprint, 0) + coalesce(a.fingerprint, 0) = o.fingerprint as messages_match
    from flashsale.flash_sales s
    join flashsale.products p on p.product_id = s.product_id
    left join flashsale.sale_intakes i on i.flash_sale_id = s.flash_sale_id
    cross join lateral (
        select
            count(*) filter (where o.status = 'success') as success,
            count(*) filter (where o.status = 'in_progress') as in_progress,
            coalesce(sum(hashtextextended(o.order_id::text, 0)) filter (where o.status = 'in_progress'), 0) as fingerprint
        from flashsale.orders o
        where o.product_id = s.product_id and o.flash_sale_id = s.flash_sale_id and o.failure_reason is null
    ) o
    left join flashsale.count_queue() q on q.flash_sale_id = s.flash_sale_id
    left join flashsale.count_set_aside() a on a.flash_sale_id = s.flash_sale_id
) b;
comment on view ops.sale_books is 'the books of every sale; look for balanced = false';
comment on column ops.sale_books.live is 'orders in progress or successful, as the sale''s counter has it';
comment on column ops.sale_books.set_aside is 'orders in progress whose message is a dead letter: replay or drop it';
comment on column ops.sale_books.counters_match is 'sold and live equal the rows; else flashsale.repair_books corrects them';
comment on column ops.sale_books.messages_match is
    'each order in progress has one message or dead letter, and each message an order; else flashsale.repair_books sends '
    'what is missing, and workers take away what is too many';
