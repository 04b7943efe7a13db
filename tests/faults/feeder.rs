//! People who buy, one after the other and at every API process, what never sells out: so purchases are under way at every
//! blow, however fast the shop sells out, and until it has healed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::{JoinHandle, JoinSet};

use crate::client::{Client, Purchase};
use crate::load::Shape;
use crate::record::Record;
use crate::world::World;

/// Strikes that wait, and what comes after them, take longer than the load.
const LONGER_THAN_THE_LOAD: Duration = Duration::from_secs(26);

pub struct Feeder {
    is_over: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Feeder {
    pub async fn start(world: &World, shape: &Shape) -> Self {
        let people = (shape.arrivals_within + LONGER_THAN_THE_LOAD).as_millis() / shape.feed_every.as_millis();
        let users = world.users(usize::try_from(people).expect("a number of people")).await;
        let (addresses, recorder, product_id) =
            (world.addresses(), world.recorder.clone(), world.sales.probe.product_id);
        let every = shape.feed_every;
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        let task = tokio::spawn(async move {
            let mut under_way = JoinSet::new();
            for (number, user) in users.into_iter().enumerate() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                // Each tries once: whoever is refused stays without.
                recorder.write(&Record::GaveUp { user_id: user.id, product_id });
                let mut client = Client::new(Arc::clone(&addresses), number, recorder.clone());
                under_way.spawn(async move { client.buy(&Purchase::plain(user, product_id)).await });
                tokio::time::sleep(every).await;
            }
            under_way.join_all().await;
        });
        Self { is_over, task }
    }

    pub async fn stop(self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.task.await.expect("the feeder");
    }
}
