-- Adds up what an API process counted since its last call: attempts of sales by answer, one element of the arrays each;
-- and samples the queue once a second. They are counted for the second that has just ended by the database's clock: every
-- process calls shortly after a second begins.
-- Hazards: several processes call at once and name the same rows, so all of them go through the rows in one order:
-- attempts, totals, sample, the first two sorted by their keys.
create or replace function flashsale.note_activity(p_flash_sale_ids uuid[], p_answers text[], p_attempts bigint[])
returns void
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
    insert into flashsale.sale_attempts as a (flash_sale_id, second, answer, attempts)
    select n.flash_sale_id, date_trunc('second', statement_timestamp() - interval '0.5 s'), n.answer, sum(n.attempts)
    from unnest(p_flash_sale_ids, p_answers, p_attempts) as n (flash_sale_id, answer, attempts)
    group by n.flash_sale_id, n.answer
    order by n.flash_sale_id, n.answer
    on conflict (flash_sale_id, second, answer) do update set attempts = a.attempts + excluded.attempts;

    insert into flashsale.sale_attempt_totals as t (flash_sale_id, answer, attempts)
    select n.flash_sale_id, n.answer, sum(n.attempts)
    from unnest(p_flash_sale_ids, p_answers, p_attempts) as n (flash_sale_id, answer, attempts)
    group by n.flash_sale_id, n.answer
    order by n.flash_sale_id, n.answer
    on conflict (flash_sale_id, answer) do update set attempts = t.attempts + excluded.attempts;

    select flashsale.sample_queue(date_trunc('second', statement_timestamp() - interval '0.5 s'));
$$;
