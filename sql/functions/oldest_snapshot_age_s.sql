-- How long ago the oldest open transaction of this server began that keeps vacuum from removing dead queue messages,
-- prepared transactions included; 0 when there is none. Null when that cannot be known: a session of another role shows
-- its times only to pg_read_all_stats, so grant that to the owner of this function.
-- security definer: who reads ops.queue_health needs no right to look at other people's sessions.
create or replace function flashsale.oldest_snapshot_age_s() returns numeric
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    select case when pg_has_role('pg_read_all_stats', 'usage') then coalesce(
        extract(epoch from clock_timestamp() - least(
            (
                select min(a.xact_start)
                from pg_stat_activity a
                where (a.backend_xmin is not null or a.backend_xid is not null) and a.pid <> pg_backend_pid()
            ),
            (select min(x.prepared) from pg_prepared_xacts x)
        )), 0
    ) end
$$;
