-- The queue message of an order, as place_orders sends it; for messages that are sent again.
create or replace function flashsale.purchase_message(p_order flashsale.orders) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_build_object(
        'order_id', p_order.order_id, 'user_id', p_order.user_id,
        'product_id', p_order.product_id, 'flash_sale_id', p_order.flash_sale_id
    )
$$;
