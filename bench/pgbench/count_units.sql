-- Counts the units that insert_select.sql has sold past the counter, so that the books of the sale balance again.
--
--     psql "$DATABASE_URL" -f bench/pgbench/count_units.sql
--
-- Prints `t` when they do.
\set ON_ERROR_STOP on
update flashsale.flash_sales s
set sold = (
    select count(*) from flashsale.orders o
    where o.product_id = b.product_id and o.flash_sale_id = b.flash_sale_id and o.status = 'success'
)
from bench.sale b
where s.flash_sale_id = b.flash_sale_id;
select books.balanced from ops.sale_books books join bench.sale b on b.flash_sale_id = books.flash_sale_id;
