-- What the recipes of docs/DBA.md find: a running sale with a queue, one that ended 40 days ago, a dead letter of each kind,
-- and the logins they are run by.
create role recipe_owner superuser login;
select ops.admit_dba('recipe_dba');
select ops.admit_dba('recipe_monitor');
grant pg_monitor to recipe_monitor;
create role recipe_operator login in role flashsale_operator;

select fixture.add_users(array(select generate_series(1, 60)));
select fixture.open_sale(2, 20);
select fixture.place(2, array(select generate_series(1, 30)), array(select generate_series(1, 30)));
select fixture.settle(100);
update flashsale.flash_sales
set start_date = start_date - interval '40 days', end_date = end_date - interval '40 days'
where flash_sale_id = fixture.sale_id(2);

select fixture.open_sale(1, 30);
create function public.raise_defect() returns trigger language plpgsql as $$
begin
    raise exception 'a defect';
end
$$;
create trigger defect before update on flashsale.orders for each row execute function public.raise_defect();
select fixture.place(1, '{41}', '{1}');
select fixture.settle_singly(1);
drop trigger defect on flashsale.orders;
select pgmq.send('purchases', '{"order_id": "x"}');
select fixture.settle(100);
select fixture.place(1, array(select generate_series(51, 60)), array(select generate_series(51, 60)));
update flashsale.orders set accepted_at = accepted_at - interval '2 minutes' where status = 'in_progress';
update flashsale.flash_sales set sold = 1 where flash_sale_id = fixture.sale_id(1);
