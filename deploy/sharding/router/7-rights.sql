-- Who may call what: as in sql/roles.sql, which tests/tidy.rs and tests/it/sharding compare with this list. What is in schema
-- sharding is for the owner alone, and so are the passwords of the user mappings.
do $$
declare
    v_role text;
begin
    foreach v_role in array array['flashsale_api', 'flashsale_worker'] loop
        if not exists (select from pg_catalog.pg_roles r where r.rolname = v_role) then
            begin
                execute format('create role %I nologin', v_role);
            exception when duplicate_object or unique_violation then
                null;
            end;
        end if;
    end loop;
end
$$;
revoke execute on all routines in schema flashsale, sharding from public;
grant usage on schema flashsale to flashsale_api, flashsale_worker;
grant execute on function
    flashsale.installed_migration,
    flashsale.find_queue_state,
    flashsale.list_sales,
    flashsale.live_orders
to flashsale_api, flashsale_worker;
grant execute on function
    flashsale.claim_idempotency_keys,
    flashsale.count_sale_attempts,
    flashsale.create_sale,
    flashsale.create_user,
    flashsale.delete_picture,
    flashsale.end_sale,
    flashsale.end_session,
    flashsale.find_orders,
    flashsale.find_outcomes,
    flashsale.find_picture,
    flashsale.find_sale,
    flashsale.find_sale_report,
    flashsale.find_session,
    flashsale.find_user_by_email,
    flashsale.finish_idempotency_keys,
    flashsale.is_administrator,
    flashsale.list_ended_sessions,
    flashsale.list_ended_users,
    flashsale.list_order_history,
    flashsale.list_sale_minutes,
    flashsale.list_sale_seconds,
    flashsale.note_activity,
    flashsale.place_orders,
    flashsale.put_picture,
    flashsale.update_sale
to flashsale_api;
grant execute on function
    flashsale.check_books,
    flashsale.prune,
    flashsale.repair_books,
    flashsale.settle_orders,
    flashsale.settle_orders_singly
to flashsale_worker;
