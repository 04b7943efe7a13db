-- Archives a sale that ended p_ended_for ago: takes it out of flash_sales, then moves its orders to
-- flashsale.archived_orders in batches of p_orders_max, each with a COMMIT of its own and p_pause after it, so that running
-- sales get most of the disk and no lock is held for long. Cut off at any moment (a time-out, a lost connection) it is
-- called again with the same sale and goes on. Says how far it is as notices.
-- A procedure that commits can neither be security definer nor have `set search_path`: it has its caller's rights and calls
-- functions that have both. Not inside begin … commit: PostgreSQL then answers "invalid transaction termination".
create or replace procedure ops.archive_sale(
    p_flash_sale_id uuid, p_ended_for interval default interval '30 days',
    p_orders_max integer default 2000, p_pause interval default interval '50 ms'
)
language plpgsql
as $$
declare
    v_batch  record;
    v_last   uuid;
    v_moved  bigint := 0::bigint;
    v_say_at timestamptz := pg_catalog.clock_timestamp();
begin
    if p_orders_max is null or p_orders_max not between 1 and 50000 then
        raise exception 'p_orders_max is %, and must be from 1 to 50000', p_orders_max
            using errcode = 'invalid_parameter_value';
    end if;
    perform ops.begin_archive(p_flash_sale_id, p_ended_for);
    commit;
    loop
        select * into v_batch from ops.archive_batch(p_flash_sale_id, v_last, p_orders_max);
        commit;
        exit when v_batch.last_user_id is null;
        v_last := v_batch.last_user_id;
        v_moved := v_moved + v_batch.moved;
        if pg_catalog.clock_timestamp() > v_say_at then
            raise notice '% orders moved', v_moved;
            v_say_at := pg_catalog.clock_timestamp() + interval '5 s';
        end if;
        perform pg_catalog.pg_sleep_for(p_pause);
    end loop;
    perform ops.finish_archive(p_flash_sale_id);
    raise notice 'sale % is archived: % orders moved by this call; ops.archived_sales shows all', p_flash_sale_id, v_moved;
end
$$;
