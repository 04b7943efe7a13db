-- :batch token rows for :batch purchases, taken with SKIP LOCKED.
with free as materialized (
    select t.token_id from counter.tokens t
    where t.taken_by is null order by t.token_id limit :batch for update skip locked
), taken as (
    update counter.tokens t set taken_by = 1 from free f where t.token_id = f.token_id returning t.token_id
)
insert into counter.orders (token_id) select token_id from taken;
