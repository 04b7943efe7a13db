-- What happens around sales, the queues, the books. Statistics go on without a shard that cannot be reached.
create or replace function flashsale.count_sale_attempts(p_flash_sale_id uuid)
returns table (answer text, attempts bigint)
language plproxy security definer as $$
    cluster 'shards';
    run on sharding.shards_of(p_flash_sale_id);
$$;

create or replace function flashsale.list_sale_minutes(p_flash_sale_id uuid, p_minutes_max integer)
returns table (minute timestamptz, attempts bigint, accepted bigint, succeeded bigint, failed bigint)
language plproxy security definer as $$
    cluster 'shards_patient';
    run on sharding.shards_of(p_flash_sale_id);
$$;

create or replace function flashsale.list_sale_seconds(p_flash_sale_id uuid, p_seconds integer)
returns table (
    second timestamptz, attempts bigint, accepted bigint, succeeded bigint, failed bigint,
    remaining_stock bigint, queue_depth bigint, queue_oldest_age_s double precision
)
language plproxy security definer as $$
    cluster 'shards';
    run on sharding.shards_of(p_flash_sale_id);
$$;

create or replace function flashsale.find_sale_report(p_flash_sale_id uuid)
returns table (
    balanced boolean, sold bigint, in_progress bigint, failed bigint, sold_out_after_ms bigint, settled bigint,
    waited_p50_ms double precision, waited_p99_ms double precision, waited_max_ms double precision,
    overtaken bigint, failed_before_later_success bigint
)
language plproxy security definer as $$
    cluster 'shards_patient';
    run on sharding.shards_of(p_flash_sale_id);
$$;

create or replace function sharding.note_activity(
    p_shard integer, p_flash_sale_ids uuid[], p_answers text[], p_attempts bigint[]
) returns void
language plproxy as $$
    cluster 'shards';
    run on p_shard;
    select flashsale.note_activity(p_flash_sale_ids, p_answers, p_attempts);
$$;

-- Every shard is told of its own sales, and samples its queue also when there is nothing to tell. What was counted of a shard
-- that cannot be reached is forgotten: told again with the next call, it would be counted twice everywhere else.
create or replace function flashsale.note_activity(p_flash_sale_ids uuid[], p_answers text[], p_attempts bigint[])
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_shard integer;
    v_sale  uuid;
    v_noted record;
begin
    for v_sale in select distinct n.id from unnest(p_flash_sale_ids) n (id) loop
        begin
            perform sharding.shard_of(v_sale);  -- remembered from now on
        exception when sqlclient_unable_to_establish_sqlconnection then
            raise warning 'what was counted is forgotten: %', sqlerrm;
        end;
    end loop;
    for v_shard in select * from sharding.shards_to_ask() loop
        begin
            select
                coalesce(array_agg(n.flash_sale_id), '{}') as flash_sale_ids,
                coalesce(array_agg(n.answer), '{}') as answers,
                coalesce(array_agg(n.attempts), '{}') as attempts
            into v_noted
            from unnest(p_flash_sale_ids, p_answers, p_attempts) as n (flash_sale_id, answer, attempts)
            join sharding.placements p on p.id = n.flash_sale_id and p.shard = v_shard;
            perform sharding.note_activity(v_shard, v_noted.flash_sale_ids, v_noted.answers, v_noted.attempts);
        exception when internal_error or operator_intervention or insufficient_resources then
            perform sharding.note_away(v_shard, sqlerrm);
        end;
    end loop;
end
$$;

create or replace function sharding.find_queue_state(p_shard integer)
returns table (depth bigint, oldest_age_s double precision, drain_rate_per_s double precision, dead_letters bigint)
language plproxy as $$
    cluster 'shards';
    run on p_shard;
    select q.depth, q.oldest_age_s, q.drain_rate_per_s, q.dead_letters from flashsale.find_queue_state() q;
$$;

-- Over all shards that can be reached.
create or replace function flashsale.find_queue_state()
returns table (depth bigint, oldest_age_s double precision, drain_rate_per_s double precision, dead_letters bigint)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_shard integer;
    v_queue record;
begin
    depth := 0;
    oldest_age_s := 0;
    drain_rate_per_s := 0;
    dead_letters := 0;
    for v_shard in select * from sharding.shards_to_ask() loop
        begin
            select * into v_queue from sharding.find_queue_state(v_shard);
            depth := depth + v_queue.depth;
            oldest_age_s := greatest(oldest_age_s, v_queue.oldest_age_s);
            drain_rate_per_s := drain_rate_per_s + v_queue.drain_rate_per_s;
            dead_letters := dead_letters + v_queue.dead_letters;
        exception when internal_error or operator_intervention or insufficient_resources then
            perform sharding.note_away(v_shard, sqlerrm);
        end;
    end loop;
    return next;
end
$$;

create or replace function sharding.installed_migration(p_shard integer) returns bigint
language plproxy as $$
    cluster 'shards';
    run on p_shard;
    select flashsale.installed_migration();
$$;

create or replace function sharding.home_installed_migration() returns bigint
language plproxy as $$
    cluster 'home';
    run on 0;
    target flashsale.installed_migration;
$$;

-- The oldest of the home and the shards that can be reached: a binary is ready when all of these are. Fails without the home.
create or replace function flashsale.installed_migration() returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_oldest bigint := sharding.home_installed_migration();
    v_shard  integer;
begin
    for v_shard in select * from sharding.shards_to_ask() loop
        begin
            v_oldest := least(v_oldest, sharding.installed_migration(v_shard));
        exception when internal_error or operator_intervention or insufficient_resources then
            perform sharding.note_away(v_shard, sqlerrm);
        end;
    end loop;
    return v_oldest;
end
$$;

create or replace function sharding.check_books(p_shard integer, p_changed_within interval)
returns table (
    flash_sale_id uuid, quantity integer, sold integer, success_rows bigint, live bigint, in_progress_rows bigint,
    queued bigint, set_aside bigint, repairable boolean
)
language plproxy as $$
    cluster 'shards_patient';
    run on p_shard;
    select b.flash_sale_id, b.quantity, b.sold, b.success_rows, b.live, b.in_progress_rows, b.queued, b.set_aside, b.repairable
    from flashsale.check_books(p_changed_within) b;
$$;

-- Of the shards that can be reached; the workers of each watch its books too.
create or replace function flashsale.check_books(p_changed_within interval)
returns table (
    flash_sale_id uuid, quantity integer, sold integer, success_rows bigint, live bigint, in_progress_rows bigint,
    queued bigint, set_aside bigint, repairable boolean
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_shard integer;
begin
    for v_shard in select * from sharding.shards_to_ask() loop
        begin
            return query select * from sharding.check_books(v_shard, p_changed_within);
        exception when internal_error or operator_intervention or insufficient_resources then
            perform sharding.note_away(v_shard, sqlerrm);
        end;
    end loop;
end
$$;

create or replace function flashsale.repair_books(p_flash_sale_id uuid)
returns table (
    sold_before integer, sold_after integer, live_before integer, live_after integer, messages_sent integer
)
language plproxy security definer as $$
    cluster 'shards_patient';
    run on sharding.shards_of(p_flash_sale_id);
$$;

-- Of the home; the workers of each shard prune theirs.
create or replace function flashsale.prune(p_rows_max integer) returns void
language plproxy security definer as $$ cluster 'home'; run on 0; $$;
