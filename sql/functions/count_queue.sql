-- The purchases queue by the sale its messages name: how many, and a fingerprint of the orders they name, the sum of the
-- hashes of their ids. Two sets of as many ids match one to one when their fingerprints are equal (but for one chance in
-- 2^64): that needs neither a sort nor a join of a million messages with a million orders. lower(), because a UUID may be
-- written in capitals.
-- Hazards: stable, so that it reads the snapshot of the statement that calls it: the books are compared as of one moment.
-- The planner knows nothing of what is in a message and would sort the whole queue on disk, hence enable_sort.
create or replace function flashsale.count_queue()
returns table (flash_sale_id uuid, messages bigint, fingerprint numeric)
language sql stable security definer
set search_path = pg_catalog, pg_temp
set enable_sort = off
as $$
    select s.flash_sale_id, count(*), coalesce(sum(hashtextextended(lower(m.message ->> 'order_id' collate "C"), 0)), 0)
    from pgmq.q_purchases m
    join flashsale.flash_sales s on s.flash_sale_id::text = m.message ->> 'flash_sale_id'
    group by s.flash_sale_id
$$;
