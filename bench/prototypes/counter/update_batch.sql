-- One UPDATE of the counter for :batch purchases.
with taken as (
    update counter.sale set sold = sold + :batch where sale_id = 1 and sold + :batch <= quantity returning sale_id
)
insert into counter.orders (token_id) select sale_id from taken cross join generate_series(1, :batch);
