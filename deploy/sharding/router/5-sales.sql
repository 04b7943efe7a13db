-- Sales and their products: made on a shard, changed where they live, listed over all shards.
create or replace function sharding.list_sales(p_shard integer)
returns table (
    flash_sale_id uuid, product_id uuid, name text, description text, price_in_cent integer,
    quantity integer, sold integer, live integer, start_date timestamptz, end_date timestamptz
)
language plproxy as $$
    cluster 'shards';
    run on p_shard;
    select s.flash_sale_id, s.product_id, s.name, s.description, s.price_in_cent, s.quantity, s.sold, s.live,
        s.start_date, s.end_date
    from flashsale.list_sales() s;
$$;

-- What each shard last said, for while it cannot be reached: its sales stay on the board, and buying from them is answered
-- "unavailable" and not "there is no such product". Lost in a crash of this server, and then there again within a second.
create unlogged table if not exists sharding.last_sales (
    shard   integer     not null,
    read_at timestamptz not null,
    sales   jsonb       not null,
    constraint last_sales_pkey primary key (shard)
) with (fillfactor = 50);

-- Once a second is enough, and at once when there are other sales than before; by whoever comes first: nobody waits for
-- somebody else's row.
create or replace function sharding.keep_sales(p_shard integer, p_sales jsonb) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (
        select from sharding.last_sales l
        where l.shard = p_shard and l.read_at > clock_timestamp() - interval '1 s'
            and jsonb_path_query_array(l.sales, '$[*].flash_sale_id') = jsonb_path_query_array(p_sales, '$[*].flash_sale_id')
    ) then
        return;
    end if;
    if pg_try_advisory_xact_lock(hashtextextended('sharding.last_sales', p_shard)) then
        insert into sharding.last_sales as l (shard, read_at, sales) values (p_shard, clock_timestamp(), p_sales)
        on conflict (shard) do update set read_at = excluded.read_at, sales = excluded.sales;
    end if;
end
$$;

-- As of the shards that can be reached, and as last heard of the others. now_at is the clock of this server: those of the
-- shards, which decide, must agree with it within the tenth of a second that API processes do not trust their own.
create or replace function flashsale.list_sales()
returns table (
    flash_sale_id uuid, product_id uuid, name text, description text, price_in_cent integer,
    quantity integer, sold integer, live integer, start_date timestamptz, end_date timestamptz, now_at timestamptz
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now   constant timestamptz := statement_timestamp();
    v_asked constant integer[] := array(select * from sharding.shards_to_ask());
    v_shard integer;
    v_sales jsonb;
    v_all   jsonb := '[]';
begin
    for v_shard in select s.shard from sharding.shards s order by s.shard loop
        v_sales := null;
        if v_shard = any (v_asked) then
            begin
                select coalesce(jsonb_agg(to_jsonb(s)), '[]') into v_sales from sharding.list_sales(v_shard) s;
                perform sharding.keep_sales(v_shard, v_sales);
            exception when internal_error or operator_intervention or insufficient_resources then
                perform sharding.note_away(v_shard, sqlerrm);
                v_sales := null;
            end;
        end if;
        if v_sales is null then
            select l.sales into v_sales from sharding.last_sales l where l.shard = v_shard;
        end if;
        v_all := v_all || coalesce(v_sales, '[]');
    end loop;
    return query
    select s.flash_sale_id, s.product_id, s.name, s.description, s.price_in_cent, s.quantity, s.sold, s.live,
        s.start_date, s.end_date, v_now
    from jsonb_to_recordset(v_all) as s (
        flash_sale_id uuid, product_id uuid, name text, description text, price_in_cent integer, quantity integer,
        sold integer, live integer, start_date timestamptz, end_date timestamptz
    )
    order by
        s.end_date <= v_now,
        case when s.end_date > v_now then s.end_date end,
        s.end_date desc,
        s.flash_sale_id
    limit 500;
end
$$;

create or replace function flashsale.find_sale(p_flash_sale_id uuid)
returns table (
    flash_sale_id uuid, product_id uuid, name text, description text, price_in_cent integer,
    quantity integer, sold integer, live integer, start_date timestamptz, end_date timestamptz
)
language plproxy security definer as $$
    cluster 'shards';
    run on sharding.shards_of(p_flash_sale_id);
$$;

create or replace function sharding.create_sale(
    p_shard integer, p_flash_sale_id uuid, p_product_id uuid, p_name text, p_description text, p_price_in_cent integer,
    p_quantity integer, p_start_date timestamptz, p_end_date timestamptz
) returns void
language plproxy as $$
    cluster 'shards';
    run on p_shard;
    select flashsale.create_sale(
        p_flash_sale_id, p_product_id, p_name, p_description, p_price_in_cent, p_quantity, p_start_date, p_end_date
    );
$$;

-- A sale of a new product is made on one of the shards that take new ones; a sale of a product that exists, where that is.
-- Tried again after a lost reply it comes to the same shard, where the same id changes nothing.
create or replace function flashsale.create_sale(
    p_flash_sale_id uuid, p_product_id uuid, p_name text, p_description text, p_price_in_cent integer,
    p_quantity integer, p_start_date timestamptz, p_end_date timestamptz
) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_shard constant integer := case when p_name is null then sharding.shard_of(p_product_id)
        else sharding.place_product(p_product_id) end;
begin
    perform sharding.create_sale(
        v_shard, p_flash_sale_id, p_product_id, p_name, p_description, p_price_in_cent, p_quantity, p_start_date, p_end_date
    );
    insert into sharding.placements (id, shard) values (p_product_id, v_shard), (p_flash_sale_id, v_shard)
    on conflict do nothing;
exception when integrity_constraint_violation then
    perform sharding.refuse(sqlstate, sqlerrm);
end
$$;

create or replace function sharding.update_sale(
    p_shard integer, p_flash_sale_id uuid, p_name text, p_description text, p_price_in_cent integer,
    p_quantity integer, p_start_date timestamptz, p_end_date timestamptz
) returns boolean
language plproxy as $$
    cluster 'shards';
    run on p_shard;
    select flashsale.update_sale(
        p_flash_sale_id, p_name, p_description, p_price_in_cent, p_quantity, p_start_date, p_end_date
    );
$$;

create or replace function flashsale.update_sale(
    p_flash_sale_id uuid, p_name text, p_description text, p_price_in_cent integer,
    p_quantity integer, p_start_date timestamptz, p_end_date timestamptz
) returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return sharding.update_sale(
        sharding.shard_of(p_flash_sale_id),
        p_flash_sale_id, p_name, p_description, p_price_in_cent, p_quantity, p_start_date, p_end_date
    );
exception when integrity_constraint_violation then
    perform sharding.refuse(sqlstate, sqlerrm);
end
$$;

create or replace function sharding.end_sale(p_shard integer, p_flash_sale_id uuid) returns text
language plproxy as $$
    cluster 'shards';
    run on p_shard;
    select flashsale.end_sale(p_flash_sale_id);
$$;

create or replace function flashsale.end_sale(p_flash_sale_id uuid) returns text
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    select sharding.end_sale(sharding.shard_of(p_flash_sale_id), p_flash_sale_id)
$$;

create or replace function flashsale.find_picture(p_product_id uuid)
returns table (content_type text, bytes bytea, sha256 bytea)
language plproxy security definer as $$
    cluster 'shards';
    run on sharding.shards_of(p_product_id);
$$;

create or replace function sharding.put_picture(
    p_shard integer, p_product_id uuid, p_content_type text, p_bytes bytea, p_sha256 bytea
) returns boolean
language plproxy as $$
    cluster 'shards';
    run on p_shard;
    select flashsale.put_picture(p_product_id, p_content_type, p_bytes, p_sha256);
$$;

create or replace function flashsale.put_picture(
    p_product_id uuid, p_content_type text, p_bytes bytea, p_sha256 bytea
) returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return sharding.put_picture(
        sharding.shard_of(p_product_id), p_product_id, p_content_type, p_bytes, p_sha256
    );
exception when integrity_constraint_violation then
    perform sharding.refuse(sqlstate, sqlerrm);
end
$$;

create or replace function sharding.delete_picture(p_shard integer, p_product_id uuid) returns boolean
language plproxy as $$
    cluster 'shards';
    run on p_shard;
    select flashsale.delete_picture(p_product_id);
$$;

create or replace function flashsale.delete_picture(p_product_id uuid) returns boolean
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    select sharding.delete_picture(sharding.shard_of(p_product_id), p_product_id)
$$;
