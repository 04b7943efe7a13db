-- The name of the table in schema flashsale that holds the archived orders of a sale.
create or replace function flashsale.archive_name(p_flash_sale_id uuid) returns text
language sql immutable
return 'archived_orders_' || replace(p_flash_sale_id::text, '-', '');
