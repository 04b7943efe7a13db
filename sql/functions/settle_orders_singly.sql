-- What a worker calls after settle_orders failed: takes up to p_batch_max messages and settles each in a subtransaction
-- of its own, so that the message that cannot be settled is set aside with its error and its batch-mates go on.
-- Errors of the moment (serialisation 40, resources 53, locks 55, operator 57, system 58) and errors of the program
-- (0A, 25, 42: a function or a right that is missing, as in the middle of a deployment) are no fault of a message and are
-- raised again: the messages return to the queue instead of all being set aside.
-- Hazard: the rows of all sales concerned are locked first and in the order of their ids, outside the subtransactions,
-- which would give them up with a message that failed: settlements and intakes are taken below that lock only.
create or replace function flashsale.settle_orders_singly(p_batch_max integer)
returns table (
    messages integer, succeeded integer, failed integer, duplicates integer, dead_lettered integer, followed jsonb
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off  -- as in settle_messages
as $$
declare
    v_messages constant pgmq.message_record[] := flashsale.take_messages(p_batch_max);
    v_message  pgmq.message_record;
    v_one      record;
begin
    messages := 0; succeeded := 0; failed := 0; duplicates := 0; dead_lettered := 0;
    perform from flashsale.flash_sales s
    where s.flash_sale_id = any (array(
        select o.flash_sale_id
        from unnest(v_messages) m
        cross join lateral (
            select o.flash_sale_id from flashsale.orders o
            where o.order_id = case when flashsale.is_uuid(m.message ->> 'order_id')
                then (m.message ->> 'order_id')::uuid end
            offset 0
        ) o
    ))
    order by s.flash_sale_id
    for no key update;
    for v_message in select * from unnest(v_messages) loop
        messages := messages + 1;
        begin
            select * into v_one from flashsale.settle_messages(array[v_message]);
            succeeded := succeeded + v_one.succeeded;
            failed := failed + v_one.failed;
            duplicates := duplicates + v_one.duplicates;
            dead_lettered := dead_lettered + v_one.dead_lettered;
        exception when others then
            if left(sqlstate, 2) in ('0A', '25', '40', '42', '53', '55', '57', '58') then
                raise;
            end if;
            perform flashsale.dead_letter_failed(v_message, sqlstate, sqlerrm);
            dead_lettered := dead_lettered + 1;
        end;
    end loop;
    followed := flashsale.followed_orders(v_messages);
    return next;
end
$$;
