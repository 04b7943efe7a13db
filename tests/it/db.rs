//! What must never happen is forbidden by the tables themselves, whoever writes to them and however clever the code
//! above them is: each constraint is broken here by hand, in SQL, and must refuse by its name.

use crate::harness::{Crowd, Parts, Stack};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_refuse_what_must_never_happen() {
    let stack = Stack::with(Parts { workers: 1, ..Parts::default() }).await;
    let sale = stack.sale(2).await;
    let users = stack.users(2).await;
    let history = Crowd::new(&stack, &sale, &users).rush().await;
    assert_eq!(history.promised().len(), 2, "{:#?}", history.summary());
    stack.wait_until_drained(std::time::Duration::from_secs(10)).await;
    let copy_of_an_order = "insert into flashsale.orders (order_id, product_id, user_id, flash_sale_id, accepted_at)
         select gen_random_uuid(), product_id, user_id, flash_sale_id, accepted_at from flashsale.orders limit 1";
    let same_id = "insert into flashsale.orders (order_id, product_id, user_id, flash_sale_id, accepted_at)
         select order_id, product_id, gen_random_uuid(), flash_sale_id, accepted_at from flashsale.orders limit 1";
    let overlapping = "insert into flashsale.flash_sales (flash_sale_id, product_id, start_date, end_date, quantity)
         select gen_random_uuid(), product_id, start_date, end_date, 1 from flashsale.flash_sales";
    let same_email = "insert into flashsale.users (user_id, email, password)
         select gen_random_uuid(), email, password from flashsale.users limit 1";
    let forbidden = [
        (copy_of_an_order, "one_order_per_user_and_product"),
        (same_id, "orders_pkey"),
        ("update flashsale.flash_sales set sold = sold + 1", "no_oversell"),
        ("update flashsale.flash_sales set quantity = 1", "no_oversell"),
        ("update flashsale.flash_sales set end_date = start_date", "window_starts_before_it_ends"),
        (overlapping, "no_overlapping_windows_of_one_product"),
        (same_email, "email_taken_once"),
        ("update flashsale.users set password = 'secret'", "password_is_an_argon2id_hash"),
        ("update flashsale.orders set status = 'failed', failure_reason = 'sold_out'", "settled_orders_never_change"),
        ("update flashsale.orders set status = 'in_progress', settled_at = null", "settled_orders_never_change"),
    ];
    let database = stack.database().await;
    for (statement, constraint) in forbidden {
        let refused = database.batch_execute(statement).await;
        let error = refused.expect_err(&format!("{constraint} lets this pass: {statement}"));
        let by = error.as_db_error().and_then(|error| error.constraint().map(str::to_owned));
        assert_eq!(by.as_deref(), Some(constraint), "{statement}: {error:?}");
    }
}
