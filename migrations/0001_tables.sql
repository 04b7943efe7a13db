-- The tables of a flash sale. DDL only: functions and views live in sql/ and are applied after the migrations.
-- What must never happen (two units for one user, a unit sold twice, overlapping windows) is a constraint with a name
-- that says what it forbids; the API maps these names to its answers.

create schema if not exists flashsale;
create schema if not exists ops;

-- Equality on uuid inside the exclusion constraint of flash_sales. A trusted extension: no superuser needed.
create extension if not exists btree_gist with schema public;

create table flashsale.users (
    user_id          uuid        not null,
    email            text        not null,
    password         text        not null,
    is_administrator boolean     not null default false,
    disabled_at      timestamptz,
    created_at       timestamptz not null default clock_timestamp(),
    constraint users_pkey primary key (user_id),
    constraint email_taken_once unique (email),
    constraint email_is_lower_case check (email = lower(email)),
    constraint email_is_bounded check (length(email) between 3 and 254),
    constraint password_is_an_argon2id_hash check (password like '$argon2id$%')
);
comment on column flashsale.users.password is 'argon2id in PHC string format, never the password itself';

create table flashsale.products (
    product_id    uuid        not null,
    name          text        not null,
    description   text        not null default '',
    price_in_cent integer     not null,
    quantity      integer     not null,
    created_at    timestamptz not null default clock_timestamp(),
    constraint products_pkey primary key (product_id),
    constraint product_name_is_bounded check (length(name) between 1 and 200),
    constraint product_description_is_bounded check (length(description) <= 2000),
    constraint price_is_not_negative check (price_in_cent >= 0),
    constraint product_quantity_is_not_negative check (quantity >= 0)
);
comment on column flashsale.products.quantity is 'units over all sales of the product; kept by create_sale and update_sale';

create table flashsale.flash_sales (
    flash_sale_id uuid        not null,
    product_id    uuid        not null,
    start_date    timestamptz not null,
    end_date      timestamptz not null,
    quantity      integer     not null,
    sold          integer     not null default 0,
    created_at    timestamptz not null default clock_timestamp(),
    updated_at    timestamptz not null default clock_timestamp(),
    constraint flash_sales_pkey primary key (flash_sale_id),
    constraint flash_sale_is_of_a_product foreign key (product_id) references flashsale.products (product_id),
    constraint window_starts_before_it_ends check (start_date < end_date),
    constraint window_is_bounded check (start_date >= '2000-01-01T00:00:00Z' and end_date < '2201-01-01T00:00:00Z'),
    constraint quantity_is_bounded check (quantity between 0 and 10000000),
    constraint no_oversell check (sold between 0 and quantity),
    constraint no_overlapping_windows_of_one_product exclude using gist (
        product_id with =, tstzrange(start_date, end_date) with &&
    )
) with (fillfactor = 20);  -- one hot row a sale: room for HOT updates of the counter on its own page

-- How many orders of a sale are live (in progress or successful): what place_orders admits by, so that an order in
-- progress has its unit and a crowd is turned away by the database too when there is no gate. A row of its own, because
-- settling holds the row of the sale until its COMMIT and placing must not wait for that.
create table flashsale.sale_intakes (
    flash_sale_id uuid    not null,
    live          integer not null default 0,
    constraint sale_intakes_pkey primary key (flash_sale_id),
    constraint intake_is_of_a_sale foreign key (flash_sale_id) references flashsale.flash_sales (flash_sale_id)
    on delete cascade,
    constraint live_is_not_negative check (live >= 0)
) with (fillfactor = 20);

-- One row a purchase request that was answered 200. It is inserted with its queue message in one transaction
-- (place_orders) and settled with the deletion of that message in one transaction (settle_orders).
-- No foreign keys: they are checked row by row and would lock the one hot sale row; place_orders joins users and
-- flash_sales instead (docs/decisions/0004-foreign-keys.md).
create table flashsale.orders (
    order_id        uuid        not null,
    product_id      uuid        not null,
    user_id         uuid        not null,
    flash_sale_id   uuid        not null,
    accepted_at     timestamptz not null,
    settled_at      timestamptz,
    status          text        not null default 'in_progress',
    failure_reason  text,
    reserved_token  text,
    idempotency_key text,
    constraint orders_pkey primary key (order_id),
    constraint order_status_is_known check (status in ('in_progress', 'success', 'failed')),
    constraint failed_orders_have_a_reason check ((status = 'failed') = (failure_reason is not null)),
    constraint settled_orders_have_a_time check ((status = 'in_progress') = (settled_at is null))
) with (fillfactor = 50);  -- room to settle every row on its own page: settling changes no indexed column (HOT), and
                           -- a batch settles whole pages at once; with 70 more than half had to move to other pages
comment on column flashsale.orders.reserved_token is
    'the gate that gave the token: redis, process, or none when bought on the authority of the database alone';

-- One order that is not failed a user and product. The product leads, so that the orders of a running sale stay
-- together in the index however many older ones there are. The predicate names failure_reason, not status: status
-- changes when an order succeeds, and a column in a predicate would make that update touch every index.
create unique index one_order_per_user_and_product on flashsale.orders (product_id, user_id)
where failure_reason is null;
create index failed_orders_of_a_user on flashsale.orders (product_id, user_id) where failure_reason is not null;

create or replace function flashsale.refuse_change_of_settled_order() returns trigger
language plpgsql as $$
begin
    raise exception 'order % is settled (%) and settled orders never change', old.order_id, old.status
        using errcode = 'restrict_violation', constraint = 'settled_orders_never_change';
end
$$;
-- after, not before: a before trigger locks each row on its own first, a fifth more WAL for every order that is settled.
create trigger settled_orders_never_change after update on flashsale.orders
for each row when (old.status <> 'in_progress') execute function flashsale.refuse_change_of_settled_order();

-- The first answer to each Idempotency-Key of a caller, for 24 hours. answer_status is null while it is running.
-- claimed_by is one request: a claim whose reply was lost is met again by it, and only it gives an answer.
create table flashsale.idempotency_keys (
    caller        text        not null,
    key           text        not null,
    fingerprint   bytea       not null,
    claimed_at    timestamptz not null default clock_timestamp(),
    claimed_by    uuid        not null,
    answer_status smallint,
    answer_body   bytea,
    constraint idempotency_keys_pkey primary key (caller, key),
    constraint idempotency_key_is_bounded check (length(key) between 1 and 255),
    constraint answers_are_whole check ((answer_status is null) = (answer_body is null))
);
create index idempotency_keys_by_age on flashsale.idempotency_keys (claimed_at);

-- Sessions ended by logout before their token expires.
create table flashsale.ended_sessions (
    session_id uuid        not null,
    expires_at timestamptz not null,
    constraint ended_sessions_pkey primary key (session_id)
);

-- One row a settled batch: what the drain rate and the report of a sale are read from.
create table flashsale.settled_batches (
    batch_id      bigint      generated always as identity,
    settled_at    timestamptz not null default clock_timestamp(),
    messages      integer     not null,
    succeeded     integer     not null,
    failed        integer     not null,
    duplicates    integer     not null,
    dead_lettered integer     not null,
    constraint settled_batches_pkey primary key (batch_id)
);
create index settled_batches_by_time on flashsale.settled_batches (settled_at);
