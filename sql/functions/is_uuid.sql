-- Whether a text can be cast to uuid (PostgreSQL 15 has no pg_input_is_valid). Asked of every message: hyphens where they
-- belong and nowhere else, and hexadecimal digits; one expression that counts them all takes five times as long.
create or replace function flashsale.is_uuid(p_text text) returns boolean
language sql immutable parallel safe
return coalesce(
    p_text like '________-____-____-____-____________'
    and length(replace(p_text, '-', '')) = 32
    and p_text !~ '[^0-9a-fA-F-]',
    false
);
