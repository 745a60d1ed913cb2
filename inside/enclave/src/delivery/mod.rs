//! Handing messages to carriers, once what they tell of is durable.
//!
//! 1. every message is a task of its own, bounded in number: one that waits holds up no other;
//! 2. its routes, in the order of the plan as it stands now (`plan`);
//! 3. each is tried once a round, through its own lane (`lane`): permits, breaker, connections and credential are the
//!    lane's, so a route that is slow or dead holds up nothing but itself;
//! 4. rounds follow each other more slowly, with jitter, while the code lives;
//! 5. the outcome goes back as a command.
//!
//! The attempt's SID is the idempotency key on every route, so that a repeat is one message. What a carrier that lies
//! does with a message that it took, nobody here can know.

mod kind;
mod lane;
mod plan;

use std::sync::Arc;

use adyton_frame::{DeliveryFailure, Event};
use adyton_policy::{Policy, Trust};
use adyton_seal::RecipientKey;
use adyton_transport::Address;
use adyton_vault::{Channel, Command, Destination, Effect, Message, Outcome, Sid};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Duration, sleep};

use crate::clock::Clock;
use crate::egress::Peer;
use crate::engine::Engine;
use crate::events::Events;
use crate::policy::Holder;
use kind::Kind;
use lane::Lane;

pub use plan::Plan;

/// Messages under way at once; one more is given up at once.
const MOST: usize = 20_000;
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// A message on its way.
pub(crate) struct Outgoing {
    pub(crate) attempt: Sid,
    pub(crate) to: Destination,
    pub(crate) channel: Channel,
    pub(crate) message: Message,
    /// When its code stops being worth sending.
    pub(crate) until: u64,
}

/// What a lane made of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tried {
    /// The carrier took it.
    Accepted,
    /// The carrier says that this message will never do: another route might.
    Refused,
    /// Not now.
    Failed(DeliveryFailure),
}

/// What delivery needs.
pub struct Delivery {
    lanes: Vec<Lane>,
    current: Holder,
    engine: Engine,
    clock: Arc<Clock>,
    events: Events,
}

impl Delivery {
    /// Prepares the policy's routes. `recipient` opens their credentials.
    ///
    /// # Errors
    /// The name of a route whose name, trust or kind is not usable.
    pub fn new(
        policy: &Policy,
        service: &Address,
        recipient: &Arc<RecipientKey>,
        vault_id: &[u8; 32],
        surroundings: (Holder, Engine, Arc<Clock>, Events),
    ) -> Result<Self, String> {
        let lane = |route: &adyton_policy::Route| {
            let peer = Peer::new(&route.host, route.port, &Trust::parse(&route.trust)?, service.clone())?;
            let kind = Kind::new(route)?;
            Some(Lane::new(route, kind, peer, Arc::clone(recipient), *vault_id))
        };
        let lanes = policy.routes.iter().map(|route| lane(route).ok_or_else(|| route.name.clone()));
        let (current, engine, clock, events) = surroundings;
        Ok(Self { lanes: lanes.collect::<Result<_, _>>()?, current, engine, clock, events })
    }

    /// Delivers what comes, for ever.
    pub async fn run(self, mut effects: mpsc::UnboundedReceiver<Effect>) {
        let delivery = Arc::new(self);
        let places = Arc::new(Semaphore::new(MOST));
        while let Some(Effect::Send { verification, attempt, to, channel, message, until }) = effects.recv().await {
            let place = Arc::clone(&places).try_acquire_owned();
            let delivery = Arc::clone(&delivery);
            // 1.
            tokio::spawn(async move {
                let outgoing = Outgoing { attempt, to, channel, message, until };
                let outcome = match &place {
                    Ok(_) => delivery.deliver(&outgoing).await,
                    Err(_) => Outcome::GaveUp,
                };
                drop((place, outgoing));
                // 5. Without the store the outcome is only not known, which is what it says until then.
                let report = Command::ReportDelivery { verification, attempt, outcome };
                let _ = delivery.engine.submit(report).await;
            });
        }
    }

    async fn deliver(&self, outgoing: &Outgoing) -> Outcome {
        let mut wait = FIRST_WAIT;
        loop {
            let current = self.current.now();
            // 2.
            let routes = current.plan.routes(outgoing.channel, &outgoing.to);
            let mut refused = !routes.is_empty();
            // 3.
            for lane in routes.iter().filter_map(|route| self.lanes.get(*route)) {
                let now = self.clock.now();
                if now >= outgoing.until {
                    return Outcome::GaveUp;
                }
                match lane.send(outgoing, lane.credential().and_then(|name| current.plan.credential(name)), now).await {
                    Tried::Accepted => return Outcome::Accepted,
                    Tried::Refused => self.events.emit(Event::DeliveryFailed { class: DeliveryFailure::Refused }),
                    Tried::Failed(class) => {
                        refused = false;
                        self.events.emit(Event::DeliveryFailed { class });
                    }
                }
            }
            if refused {
                return Outcome::Refused;
            }
            // 4.
            let left = Duration::from_secs(outgoing.until.saturating_sub(self.clock.now()));
            if left.is_zero() {
                return Outcome::GaveUp;
            }
            sleep(jittered(wait).min(left)).await;
            wait = (2 * wait).min(LONGEST_WAIT);
        }
    }
}

/// Between half of a time and all of it, so that what failed together does not come back together.
fn jittered(wait: Duration) -> Duration {
    let random: [u8; 1] = adyton_seal::random().unwrap_or([255]);
    wait / 2 + wait * u32::from(random[0]) / 510
}
