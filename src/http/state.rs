//! What every handler can reach.

use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;

use super::limits::Limits;
use crate::app::devices::Devices;
use crate::app::find_orders::Orders;
use crate::app::idempotency::IdempotencyKeys;
use crate::app::manage_sales::SaleDesk;
use crate::app::outcomes::Outcomes;
use crate::app::passwords::Passwords;
use crate::app::pictures::Pictures;
use crate::app::place_order::Purchases;
use crate::app::sale_board::SaleBoard;
use crate::app::sessions::Sessions;
use crate::app::watch_sales::SaleWatch;
use crate::config::TrustedProxies;
use crate::db::Database;

/// The use cases of an API process, behind one pointer: every request clones it.
#[derive(Clone)]
pub struct Api(Arc<ApiParts>);

impl Api {
    pub fn new(parts: ApiParts) -> Self {
        Self(Arc::new(parts))
    }
}

impl std::ops::Deref for Api {
    type Target = ApiParts;

    fn deref(&self) -> &ApiParts {
        &self.0
    }
}

/// The use cases of an API process. Stateless in the sense that any other process can take over at any time: all of
/// this is a cache of the database or a connection to it.
pub struct ApiParts {
    pub database: Database,
    pub board: Arc<SaleBoard>,
    pub outcomes: Arc<Outcomes>,
    pub purchases: Arc<Purchases>,
    pub orders: Orders,
    pub sessions: Arc<Sessions>,
    pub passwords: Passwords,
    pub desk: SaleDesk,
    pub watch: SaleWatch,
    pub pictures: Pictures,
    pub devices: Devices,
    pub trusted_proxies: TrustedProxies,
    pub keys: Arc<IdempotencyKeys>,
    pub limits: Arc<Limits>,
    pub metrics: PrometheusHandle,
    /// Cancelled when the process is asked to stop: event streams end.
    pub stopping: CancellationToken,
}
