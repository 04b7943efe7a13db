-- settle_orders_singly: one message that cannot be settled is set aside with its error; its batch-mates are settled; an
-- error that is not the message's fault gives everything back.
select plan(22);
select fixture.add_users(array(select generate_series(1, 20)));
select fixture.open_sale(1, 10);

-- Stands for any defect: makes the change of one user's order to a given status raise.
create table public.defect (user_id uuid, status text, errcode text);
create function public.raise_defect() returns trigger language plpgsql as $$
declare
    v_errcode text;
begin
    select d.errcode into v_errcode from public.defect d where d.user_id = new.user_id and d.status = new.status;
    if found then
        raise exception 'a defect' using errcode = v_errcode;
    end if;
    return new;
end
$$;
create trigger defect before update on flashsale.orders for each row execute function public.raise_defect();

select is(fixture.settle_singly(10), '0 0 0 0 0', 'nothing queued');

insert into public.defect values (fixture.user_id(2), 'success', 'P0001');
select fixture.place(1, '{1,2,3}', '{1,2,3}');
select pgmq.send('purchases', '{}');
select pgmq.send('purchases', jsonb_build_object('order_id', fixture.order_id(1)));
select throws_ok('select fixture.settle(100)', 'P0001', 'a defect', 'settled together they all fail');
select is(count(*), 5::bigint, 'and go back to the queue') from pgmq.q_purchases;
select is(fixture.settle_singly(100), '5 2 0 1 2', 'settled singly only the one with the defect does');
select results_eq(
    'select * from fixture.statuses()', array['1 success', '2 failed dead_lettered', '3 success'], 'its order fails'
);
select results_eq(
    $$select reason, detail, order_status from ops.dead_letters where reason = 'settle_failed'$$,
    $$values ('settle_failed', 'P0001: a defect', 'failed')$$, 'its message is kept with the error'
);
select is(s.sold, 2, 'it has taken no unit') from flashsale.flash_sales s;
select ok(b.balanced, 'the books balance') from ops.sale_books b;

-- failing the order raises as well
insert into public.defect values (fixture.user_id(4), 'success', 'P0001'), (fixture.user_id(4), 'failed', '23514');
select fixture.place(1, '{4,5}', '{4,5}');
select is(fixture.settle_singly(100), '2 1 0 0 1', 'an order that cannot even fail does not hold up the others');
select results_eq(
    $$select detail, order_status from ops.dead_letters where order_id = fixture.order_id(4)$$,
    $$values ('P0001: a defect; failing the order: 23514: a defect', 'in_progress')$$, 'both errors are kept'
);
select is(b.balanced, false, 'and the books say that an order waits without a message') from ops.sale_books b;

-- errors of the moment and of the program
delete from public.defect;
select fixture.place(1, '{6,7}', '{6,7}');
create temp table raised as
select c.errcode, null::text as got from unnest(array[
    '40001', '40P01', '53100', '55P03', '57P01', '58030', '0A000', '25006', '42501', '42883'
]) c (errcode);
do $$
declare
    r record;
begin
    for r in select errcode from raised loop
        insert into public.defect values (fixture.user_id(7), 'success', r.errcode);
        begin
            perform fixture.settle_singly(100);
            update raised set got = 'settled' where errcode = r.errcode;
        exception when others then
            update raised set got = sqlstate where raised.errcode = r.errcode;
        end;
        delete from public.defect;
    end loop;
end
$$;
select results_eq(
    'select got from raised', 'select errcode from raised', 'an error that is no fault of the message is raised'
);
select is(count(*), 2::bigint, 'the messages go back') from pgmq.q_purchases;
select is(fixture.settle_singly(1), '1 1 0 0 0', 'at most so many at a time');
select is(fixture.settle_singly(100), '1 1 0 0 0', 'and are settled once it is over');
select is_empty(
    $$select from ops.dead_letters where order_id in (fixture.order_id(6), fixture.order_id(7))$$, 'none is set aside'
);

-- failing the order meets an error of the moment: everything goes back, no order is left without a message
delete from public.defect;
insert into public.defect values (fixture.user_id(11), 'success', 'P0001'), (fixture.user_id(11), 'failed', '40P01');
select fixture.place(1, '{11}', '{11}');
select throws_ok('select fixture.settle_singly(100)', '40P01', 'a defect', 'a deadlock in setting aside is raised again');
select is(count(*), 1::bigint, 'and the message is back') from pgmq.q_purchases;
delete from public.defect where status = 'failed';

-- the row of the sale stays locked when the subtransaction of a message is undone: nobody settles beside a dead letter
select fixture.open_session('beside');
select public.dblink_exec('beside', 'begin');
select is(
    (select t.line from public.dblink('beside', 'select fixture.settle_singly(100)') as t (line text)),
    '1 0 0 0 1', 'one message, set aside, not committed yet'
);
select throws_ok(
    $$select from flashsale.flash_sales s where s.flash_sale_id = fixture.sale_id(1) for no key update nowait$$,
    '55P03', null, 'the sale is locked until then'
);
select public.dblink_exec('beside', 'commit');
select results_eq(
    $$select o.status, o.failure_reason from flashsale.orders o where o.order_id = fixture.order_id(11)$$,
    $$values ('failed', 'dead_lettered')$$, 'its order fails'
);

-- headers that are no headers of ours harm nobody; those of a message that was set aside tell what became of its order
insert into public.defect values (fixture.user_id(13), 'success', 'P0001');
select fixture.place(1, '{12,13}', '{12,13}');
update pgmq.q_purchases set headers = case when message ->> 'order_id' = fixture.order_id(13)::text
    then '{"request_id": "r-13"}'::jsonb else '[7]' end;
select results_eq(
    $$select f ->> 'outcome', f ->> 'request_id'
      from flashsale.settle_orders_singly(100) s, jsonb_array_elements(s.followed) f order by 2$$,
    $$values ('dead_lettered', 'r-13'), ('success', null)$$, 'every message with headers is told of'
);
select * from finish();
