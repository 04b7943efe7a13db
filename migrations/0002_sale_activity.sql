-- What happens around a sale, second by second: attempts by answer, settlements, the queue. Statistics, not books: the
-- books are orders and flash_sales. No foreign keys: their checks would lock the one hot row of a sale
-- (docs/decisions/0004-foreign-keys.md); prune deletes what is old.

-- Attempts to buy, counted in memory by the API processes and added up here once a second (note_activity).
create table flashsale.sale_attempts (
    flash_sale_id uuid        not null,
    second        timestamptz not null,
    answer        text        not null,
    attempts      bigint      not null,
    constraint sale_attempts_pkey primary key (flash_sale_id, second, answer),
    constraint attempts_are_positive check (attempts > 0),
    constraint attempt_answer_is_known check (answer in (
        'accepted', 'sold_out', 'already_purchased', 'sale_not_started', 'sale_ended', 'too_many_requests',
        'unavailable', 'outcome_unknown'
    ))
) with (fillfactor = 50);  -- several processes add to the rows of one second: room for HOT updates
create index sale_attempts_by_time on flashsale.sale_attempts (second);

-- The sums of sale_attempts over a whole sale, so that watching a sale of a day does not read every second of it. They
-- stay when the seconds are pruned.
create table flashsale.sale_attempt_totals (
    flash_sale_id uuid   not null,
    answer        text   not null,
    attempts      bigint not null,
    constraint sale_attempt_totals_pkey primary key (flash_sale_id, answer),
    constraint attempt_totals_are_positive check (attempts > 0)
) with (fillfactor = 50);

-- Orders settled, written in the transaction that settles them.
create table flashsale.sale_settlements (
    flash_sale_id uuid        not null,
    second        timestamptz not null,
    succeeded     integer     not null,
    failed        integer     not null,
    constraint sale_settlements_pkey primary key (flash_sale_id, second),
    constraint settlements_are_not_negative check (succeeded >= 0 and failed >= 0)
) with (fillfactor = 50);  -- each batch of a second adds to the same row
create index sale_settlements_by_time on flashsale.sale_settlements (second);

-- The queue at the end of a second, by whichever API process looked first.
create table flashsale.queue_samples (
    second        timestamptz not null,
    depth         bigint      not null,
    oldest_age_ms bigint      not null,
    constraint queue_samples_pkey primary key (second),
    constraint queue_sample_is_not_negative check (depth >= 0 and oldest_age_ms >= 0)
);
comment on column flashsale.queue_samples.depth is 'orders in progress';
