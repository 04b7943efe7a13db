-- Where a product lives: on the shard that has its row, for good. The router only remembers it, with its sales; what it does
-- not remember it asks. So nothing here is worth a backup, and there may be several routers.
create table if not exists sharding.placements (
    id    uuid    not null,
    shard integer not null,
    constraint placements_pkey primary key (id),
    constraint placement_is_on_a_shard foreign key (shard) references sharding.shards (shard)
);
comment on column sharding.placements.id is 'of a product or of a sale';

create or replace function sharding.holds(p_shard integer, p_id uuid) returns boolean
language plproxy as $$
    cluster 'shards';
    run on p_shard;
    select sharding.holds(p_id);
$$;

-- The shard of a product or a sale. One that is nowhere has the first: there it is answered as unknown. Raises
-- sqlclient_unable_to_establish_sqlconnection when it may be on a shard that cannot be reached: nothing was done then.
-- Not to be called inside another call of PL/Proxy, which cannot be nested.
create or replace function sharding.shard_of(p_id uuid) returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_shard integer;
    v_away  text;
begin
    select p.shard into v_shard from sharding.placements p where p.id = p_id;
    if found then
        return v_shard;
    end if;
    for v_shard in select s.shard from sharding.shards s order by s.shard loop
        begin
            if sharding.holds(v_shard, p_id) then
                insert into sharding.placements (id, shard) values (p_id, v_shard) on conflict do nothing;
                return v_shard;
            end if;
        exception when internal_error or operator_intervention or insufficient_resources then
            v_away := sqlerrm;
        end;
    end loop;
    if v_away is not null then
        raise exception '% may be on a shard that cannot be reached: %', p_id, v_away
            using errcode = 'sqlclient_unable_to_establish_sqlconnection';
    end if;
    return (select min(s.shard) from sharding.shards s);
end
$$;

-- As shard_of, for `run on` of functions that answer rows: all shards for what is not remembered, of which only the right one
-- has any.
create or replace function sharding.shards_of(p_id uuid) returns setof integer
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select p.shard from sharding.placements p where p.id = p_id
    union all
    select s.shard from sharding.shards s where not exists (select from sharding.placements p where p.id = p_id)
$$;

create or replace function sharding.shards_of_all(p_ids uuid[]) returns setof integer
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select distinct s.shard
    from unnest(p_ids) i (id)
    left join sharding.placements p on p.id = i.id
    join sharding.shards s on s.shard = p.shard or p.shard is null
$$;

-- The shard for a new product. Changes nothing: create_sale remembers it when the sale is made.
create or replace function sharding.place_product(p_product_id uuid) returns integer
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_open  constant integer[] := array(
        select s.shard from sharding.shards s where s.takes_new_products order by s.shard
    );
    v_shard integer;
begin
    select p.shard into v_shard from sharding.placements p where p.id = p_product_id;
    if found then
        return v_shard;
    elsif cardinality(v_open) = 0 then
        raise exception 'no shard takes new products'
            using errcode = 'object_not_in_prerequisite_state', hint = 'See sharding.shards.takes_new_products.';
    end if;
    -- By its hash: two routers that know the same shards choose the same one, and so does whoever tries again.
    return v_open[1 + (hashtextextended(p_product_id::text, 0) & 2147483647) % cardinality(v_open)];
end
$$;
