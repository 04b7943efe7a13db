-- One UPDATE of the counter a purchase: every purchase of the sale waits for the one before it to commit.
begin;
update counter.sale set sold = sold + 1 where sale_id = 1 and sold < quantity;
insert into counter.orders default values;
commit;
