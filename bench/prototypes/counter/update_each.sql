-- One UPDATE of the counter a purchase: every purchase of the sale waits for the one before it to commit.
with taken as (
    update counter.sale set sold = sold + 1 where sale_id = 1 and sold < quantity returning sale_id
)
insert into counter.orders (token_id) select sale_id from taken;
