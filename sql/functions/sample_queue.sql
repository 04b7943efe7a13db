-- Keeps how deep the queue is and how old its oldest message, as of p_second, unless another process did so already or
-- nothing goes on: no order is in progress and no sale is running.
-- The depth is read from the counters of the sales and the age from the first message by its id: neither counts the queue,
-- which may be a million deep.
create or replace function flashsale.sample_queue(p_second timestamptz) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now    constant timestamptz := clock_timestamp();
    v_depth  bigint;
    v_active boolean;
    v_oldest timestamptz;
begin
    if exists (select from flashsale.queue_samples q where q.second = p_second) then
        return;
    end if;
    select
        coalesce(sum(greatest(i.live - s.sold, 0)), 0),
        coalesce(bool_or(s.start_date <= v_now and v_now < s.end_date), false)
    into v_depth, v_active
    from flashsale.flash_sales s
    join flashsale.sale_intakes i on i.flash_sale_id = s.flash_sale_id
    where i.live <> s.sold or (s.start_date <= v_now and v_now < s.end_date);
    if v_depth > 0 then
        select q.enqueued_at into v_oldest from pgmq.q_purchases q order by q.msg_id limit 1;
    elsif not v_active then
        return;
    end if;
    insert into flashsale.queue_samples (second, depth, oldest_age_ms)
    values (
        p_second, v_depth, coalesce(greatest(extract(epoch from v_now - v_oldest) * 1000, 0), 0)::bigint
    )
    on conflict (second) do nothing;
end
$$;
