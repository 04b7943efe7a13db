-- Users all of whose sessions were ended at once: disabled, or signed out everywhere. Their tokens expire within a day, and
-- then the row goes too (flashsale.prune).
set local lock_timeout = '5s';
set local statement_timeout = '1min';

create table flashsale.ended_users (
    user_id  uuid        not null,
    ended_at timestamptz not null,
    constraint ended_users_pkey primary key (user_id)
);

create or replace function flashsale.announce_ended_user() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform pg_notify('flashsale_sessions', json_build_object('user_id', new.user_id, 'ended_at', new.ended_at)::text);
    return null;
end
$$;
create trigger ended_users_are_announced after insert or update on flashsale.ended_users
for each row execute function flashsale.announce_ended_user();

create or replace function flashsale.sign_out_user() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into flashsale.ended_users as e (user_id, ended_at) values (old.user_id, clock_timestamp())
    on conflict (user_id) do update set ended_at = greatest(e.ended_at, excluded.ended_at);
    return null;
end
$$;
-- However a user is disabled or deleted, by our own command or by hand.
create trigger disabled_users_are_signed_out after update of disabled_at on flashsale.users
for each row when (old.disabled_at is null and new.disabled_at is not null)
execute function flashsale.sign_out_user();
create trigger deleted_users_are_signed_out after delete on flashsale.users
for each row execute function flashsale.sign_out_user();
