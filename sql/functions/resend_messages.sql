-- Sends the message of each order in progress of a sale that has none, at most 10,000 a call; answers how many. An order
-- whose message is a dead letter is left to a person: sent again it would only be set aside again.
-- Hazard: the caller holds the row of the sale. A worker deletes a message and settles its order in one transaction under
-- that row, so an order in progress without a message is not one that is being settled.
create or replace function flashsale.resend_messages(p_product_id uuid, p_flash_sale_id uuid) returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_nestloop = off  -- a plan from when the queue was empty would read it once for each order
set work_mem = '64MB'
as $$
declare
    v_messages jsonb[];
begin
    select array_agg(lost.message order by lost.order_id) into v_messages
    from (
        select o.order_id, flashsale.purchase_message(o) as message
        from flashsale.orders o
        where o.product_id = p_product_id and o.flash_sale_id = p_flash_sale_id
            and o.failure_reason is null and o.status = 'in_progress'
            and not exists (
                select from pgmq.q_purchases m where lower(m.message ->> 'order_id' collate "C") = o.order_id::text
            )
            and not exists (
                select from pgmq.q_purchases_dead d
                where lower(d.message -> 'message' ->> 'order_id' collate "C") = o.order_id::text
            )
        order by o.order_id
        limit 10000
    ) lost;
    if v_messages is null then
        return 0;
    end if;
    perform pgmq.send_batch('purchases', v_messages, null::jsonb[], clock_timestamp());
    return cardinality(v_messages);
end
$$;
