-- Whether a text can be cast to uuid (PostgreSQL 15 has no pg_input_is_valid).
create or replace function flashsale.is_uuid(p_text text) returns boolean
language sql immutable parallel safe
return coalesce(p_text ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$', false);
