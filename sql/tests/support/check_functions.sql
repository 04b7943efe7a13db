-- Findings of plpgsql_check over the functions of our schemas, one a line; then how many functions were checked.
with checked as (
    select
        p.oid, p.proname,
        coalesce((select max(t.tgrelid) from pg_trigger t where t.tgfoid = p.oid), 0) as table_of_trigger
    from pg_proc p
    join pg_language l on l.oid = p.prolang
    where p.pronamespace in ('flashsale'::regnamespace, 'ops'::regnamespace) and l.lanname = 'plpgsql'
)
select format('%s line %s: %s %s', c.proname, f.lineno, f.level, concat_ws('; ', f.message, f.detail, f.hint))
from checked c
cross join lateral plpgsql_check_function_tb(
    c.oid, c.table_of_trigger, fatal_errors => false, performance_warnings => true
) f
union all
select 'checked ' || count(*) from checked;
