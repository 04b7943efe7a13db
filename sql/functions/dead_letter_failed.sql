-- Sets aside a message whose settling raised an error. If failing its order raises too, the message is still set aside
-- and the order stays in progress for a person to look at (ops.dead_letters shows both).
create or replace function flashsale.dead_letter_failed(
    p_message pgmq.message_record, p_sqlstate text, p_error text
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_detail constant text := format('%s: %s', p_sqlstate, p_error);
begin
    perform flashsale.dead_letter(p_message, 'settle_failed', v_detail);
exception when others then
    if left(sqlstate, 2) in ('40', '53', '55', '57', '58') then
        raise;  -- will pass: the message returns to the queue, and its order keeps its chance
    end if;
    perform pgmq.send('purchases_dead', jsonb_build_object(
        'msg_id', p_message.msg_id, 'enqueued_at', p_message.enqueued_at, 'message', p_message.message,
        'reason', 'settle_failed', 'detail', format('%s; failing the order: %s: %s', v_detail, sqlstate, sqlerrm)
    ));
end
$$;
