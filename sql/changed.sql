-- Functions whose parameters or columns changed: `create or replace` would refuse the change, or leave the old one beside
-- the new. The list names each with a parameter or column that its present version has; any version without it goes, in
-- the transaction that creates the new one, so that no caller ever finds neither.
-- During a rolling upgrade the binary before this one calls the new version: new parameters have defaults, new columns
-- are added at the end, and callers name the columns that they read (docs/OPERATIONS.md, Upgrading).
do $$
declare
    v_old regprocedure;
begin
    for v_old in
        select p.oid::regprocedure
        from pg_catalog.pg_proc p
        join (values
            ('place_orders', 'p_headers'),
            ('settle_orders', 'followed'),
            ('settle_orders_singly', 'followed')
        ) as present (name, argument) on p.proname = present.name
        where p.pronamespace = to_regnamespace('flashsale')
            and not present.argument = any (coalesce(p.proargnames, '{}'))
    loop
        execute format('drop function %s', v_old);
    end loop;
end
$$;
