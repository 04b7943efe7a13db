-- Old sales that ops.archive_sale has taken out of flash_sales and orders. A product of which a sale was archived is never
-- sold again: one_order_per_user_and_product no longer sees who bought it then, and they could buy a second unit.
set local lock_timeout = '5s';
set local statement_timeout = '1min';

create table flashsale.archived_sales (
    flash_sale_id uuid        not null,
    product_id    uuid        not null,
    name          text        not null,
    price_in_cent integer     not null,
    quantity      integer     not null,
    sold          integer     not null,
    failed        integer     not null,
    start_date    timestamptz not null,
    end_date      timestamptz not null,
    attempts      jsonb       not null,
    begun_at      timestamptz not null default clock_timestamp(),
    begun_by      text        not null,
    finished_at   timestamptz,
    dropped_at    timestamptz,
    dropped_by    text,
    constraint archived_sales_pkey primary key (flash_sale_id),
    constraint only_finished_archives_are_dropped check (dropped_at is null or finished_at is not null)
);
comment on table flashsale.archived_sales is 'one row a sale for good, also after its orders were dropped';
comment on column flashsale.archived_sales.attempts is 'attempts to buy by answer, over the whole sale';
create index archived_sales_of_a_product on flashsale.archived_sales (product_id);

-- A partition a sale, made by ops.begin_archive, so that dropping one is dropping a table. Read as a whole, if at all: no
-- index. What the constraints of orders forbid was forbidden when the rows were made.
create table flashsale.archived_orders (
    order_id        uuid        not null,
    product_id      uuid        not null,
    user_id         uuid        not null,
    flash_sale_id   uuid        not null,
    accepted_at     timestamptz not null,
    settled_at      timestamptz not null,
    status          text        not null,
    failure_reason  text,
    reserved_token  text,
    idempotency_key text
) partition by list (flash_sale_id);

create or replace function flashsale.refuse_sale_of_archived_product() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if new.end_date > clock_timestamp()
        and exists (select from flashsale.archived_sales a where a.product_id = new.product_id)
    then
        raise exception 'product % has an archived sale and is not sold again: sell it as a new product', new.product_id
            using errcode = 'check_violation', constraint = 'archived_products_are_not_sold_again';
    end if;
    return null;
end
$$;
-- Counting units sets none of these columns, so the hot path never fires it.
create trigger archived_products_are_not_sold_again
after insert or update of product_id, start_date, end_date on flashsale.flash_sales
for each row execute function flashsale.refuse_sale_of_archived_product();
