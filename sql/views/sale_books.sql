-- One row a sale: what is offered, sold, queued and left, and whether the books balance: the counters equal the rows,
-- no unit is oversold, and orders in progress and queue messages match one to one.
create or replace view ops.sale_books as
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
    coalesce(q.queued, 0) as queued,
    s.quantity - s.sold as remaining,
    o.success as success_rows,
    o.in_progress as in_progress_rows,
    (
        s.sold = o.success and s.sold <= s.quantity and coalesce(i.live, o.success + o.in_progress) = o.success + o.in_progress
        and coalesce(q.queued, 0) = o.in_progress and coalesce(q.with_order, 0) = o.in_progress
    ) as balanced
from flashsale.flash_sales s
join flashsale.products p on p.product_id = s.product_id
left join flashsale.sale_intakes i on i.flash_sale_id = s.flash_sale_id
cross join lateral (
    select
        count(*) filter (where o.status = 'success') as success,
        count(*) filter (where o.status = 'in_progress') as in_progress
    from flashsale.orders o
    where o.product_id = s.product_id and o.flash_sale_id = s.flash_sale_id and o.failure_reason is null
) o
left join (
    select
        m.message ->> 'flash_sale_id' as flash_sale_id,
        count(*) as queued,
        count(distinct w.order_id) as with_order
    from pgmq.q_purchases m
    left join flashsale.orders w
        on w.order_id = case when flashsale.is_uuid(m.message ->> 'order_id') then (m.message ->> 'order_id')::uuid end
        and w.status = 'in_progress'
    group by 1
) q on q.flash_sale_id = s.flash_sale_id::text;
comment on view ops.sale_books is 'the books of every sale; look for balanced = false';
