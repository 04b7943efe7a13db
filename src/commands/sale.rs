//! `flashsale sale`: sales from the command line.

use chrono::{DateTime, Utc};
use clap::Subcommand;
use uuid::Uuid;

use crate::app::manage_sales::ManageSaleError;
use crate::config::{Config, deadlines};
use crate::db::Database;
use crate::domain::{NewProduct, NewSale};

#[derive(Debug, Subcommand)]
pub enum SaleCommand {
    /// Create a sale of a new product
    Create {
        /// What is sold
        #[arg(long)]
        name: String,
        #[arg(long, default_value = "")]
        description: String,
        #[arg(long)]
        price_in_cents: i32,
        /// Units
        #[arg(long)]
        quantity: i32,
        /// RFC 3339, such as 2030-01-31T12:00:00Z
        #[arg(long)]
        start_date: DateTime<Utc>,
        /// RFC 3339
        #[arg(long)]
        end_date: DateTime<Utc>,
    },
    /// List the sales
    List,
}

/// # Errors
/// What stopped it.
pub async fn run(config: &Config, command: SaleCommand) -> anyhow::Result<()> {
    let database = Database::new(config.require_database_url()?, 1, "flashsale sale", deadlines::STATEMENT)?;
    match command {
        SaleCommand::Create { name, description, price_in_cents, quantity, start_date, end_date } => {
            let product = NewProduct::Create { product_id: Uuid::now_v7(), name, description, price_in_cents };
            let sale = NewSale { flash_sale_id: Uuid::now_v7(), product, quantity, start_date, end_date };
            sale.check()?;
            database.create_sale(&sale).await.map_err(ManageSaleError::from)?;
            println!("flash_sale_id {}  product_id {}", sale.flash_sale_id, sale.product.product_id());
        }
        SaleCommand::List => list(&database).await?,
    }
    Ok(())
}

async fn list(database: &Database) -> anyhow::Result<()> {
    let now = database.list_sales().await?;
    if now.sales.is_empty() {
        println!("no sales yet: create one with `flashsale sale create --help`");
    }
    for sale in now.sales {
        println!(
            "{}  {:8}  {:>7} of {:>7} sold  {} to {}  {}",
            sale.flash_sale_id,
            sale.status_at(now.database_time).as_str(),
            sale.sold,
            sale.quantity,
            sale.start_date.to_rfc3339(),
            sale.end_date.to_rfc3339(),
            sale.name
        );
    }
    Ok(())
}
