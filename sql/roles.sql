-- Who may do what. Whoever migrates owns everything; nobody else can name a table of flashsale or pgmq. The processes log
-- in as members of flashsale_api and flashsale_worker, which may execute the functions listed here (those are security
-- definer, so they act with the owner's rights) and nothing else. People read the ops views as members of flashsale_dba,
-- and handle dead letters and old sales as members of flashsale_operator too; ops.admit_dba gives them both.
-- A role belongs to the whole server, so several databases may create it at the same moment: losing that race is success.
do $$
declare
    v_role text;
begin
    foreach v_role in array array['flashsale_api', 'flashsale_worker', 'flashsale_dba', 'flashsale_operator'] loop
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
-- PostgreSQL lets everybody execute. And what is granted below is all there is, also after an upgrade.
revoke execute on all routines in schema flashsale, ops
from public, flashsale_api, flashsale_worker, flashsale_dba, flashsale_operator;

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

grant usage on schema ops to flashsale_dba;
grant select on all tables in schema ops to flashsale_dba;
-- A view reads tables with its owner's rights, but calls functions with its reader's.
grant execute on function
    flashsale.count_queue,
    flashsale.count_set_aside,
    flashsale.is_uuid,
    flashsale.oldest_snapshot_age_s
to flashsale_dba;

grant usage on schema ops to flashsale_operator;
grant execute on function
    ops.archive_batch,
    ops.begin_archive,
    ops.drop_archived_sale,
    ops.drop_dead_letter,
    ops.finish_archive,
    ops.replay_dead_letter
to flashsale_operator;
grant execute on procedure ops.archive_sale to flashsale_operator;
