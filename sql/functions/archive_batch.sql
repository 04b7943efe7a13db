-- Moves the orders of the next users of a sale that is being archived, those after p_after_user_id (null: from the first):
-- p_orders_max, and a few more when the last user has several. Answers how many, and the last user, null when none was left.
-- By user, because both indexes of orders are by product and user: each batch begins where the last one ended and does not
-- walk over the dead rows of those before it.
-- Hazard: two people archiving one sale take turns at its row in archived_sales; the second finds rows already moved.
create or replace function ops.archive_batch(p_flash_sale_id uuid, p_after_user_id uuid, p_orders_max integer)
returns table (moved bigint, last_user_id uuid)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
set enable_seqscan = off
set jit = off
as $$
declare
    v_product_id uuid;
    v_after      constant uuid := coalesce(p_after_user_id, '00000000-0000-0000-0000-000000000000');
begin
    moved := 0;
    select a.product_id into v_product_id
    from flashsale.archived_sales a
    where a.flash_sale_id = p_flash_sale_id
    for update;
    if not found then
        return next;
        return;
    end if;
    select u.user_id into last_user_id
    from (
        select e.user_id
        from (
            (
                select o.user_id from flashsale.orders o
                where o.product_id = v_product_id and o.user_id > v_after and o.failure_reason is null
                    and o.flash_sale_id = p_flash_sale_id
                order by o.user_id limit p_orders_max
            )
            union all
            (
                select o.user_id from flashsale.orders o
                where o.product_id = v_product_id and o.user_id > v_after and o.failure_reason is not null
                    and o.flash_sale_id = p_flash_sale_id
                order by o.user_id limit p_orders_max
            )
        ) e
        order by e.user_id
        limit p_orders_max
    ) u
    order by u.user_id desc
    limit 1;
    with live as (
        delete from flashsale.orders o
        where o.product_id = v_product_id and o.user_id > v_after and o.user_id <= last_user_id
            and o.failure_reason is null and o.flash_sale_id = p_flash_sale_id
        returning o.*
    ),
    failed as (
        delete from flashsale.orders o
        where o.product_id = v_product_id and o.user_id > v_after and o.user_id <= last_user_id
            and o.failure_reason is not null and o.flash_sale_id = p_flash_sale_id
        returning o.*
    )
    insert into flashsale.archived_orders (
        order_id, product_id, user_id, flash_sale_id, accepted_at, settled_at, status, failure_reason, reserved_token,
        idempotency_key
    )
    select
        o.order_id, o.product_id, o.user_id, o.flash_sale_id, o.accepted_at, o.settled_at, o.status, o.failure_reason,
        o.reserved_token, o.idempotency_key
    from (select * from live union all select * from failed) o;
    get diagnostics moved = row_count;
    return next;
end
$$;
