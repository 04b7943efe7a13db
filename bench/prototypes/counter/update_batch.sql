-- One UPDATE of the counter for :batch purchases.
begin;
update counter.sale set sold = sold + :batch where sale_id = 1 and sold + :batch <= quantity;
insert into counter.orders select from generate_series(1, :batch);
commit;
