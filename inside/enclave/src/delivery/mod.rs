//! Handing messages to carriers, once their events are durable.
//!
//! 1. every message gets a task of its own and a place at the first route of its order that has
//!    one; if none has, the attempt is given up at once (`lane::PLACES` bounds memory);
//! 2. the task takes the message from route to route while its code lives (`journey`);
//! 3. the outcome goes back as a command;
//! 4. a verification that ends stops its message (`under_way`), and so does a newer attempt of it.
//!
//! Routes share no lock and no queue, so a carrier that is slow, late, dead or lying holds up the
//! messages that are at it, never a check, an answer, or another route's message. Which routes
//! there are comes from the policy ([`RouteConfig`]); their order and credentials from the
//! settings, at run time ([`RoutingTable`]).
//!
//! Limits: a carrier that says it took a message and did not cannot be told from one that did. A
//! message that left and was not confirmed goes over no other route, so it may not arrive until
//! somebody asks for the code again.

mod backoff;
mod breaker;
mod carrier;
mod carriers;
mod credential;
mod from_policy;
mod journey;
mod lane;
mod link;
mod pool;
mod progress;
mod route;
mod smtp;
mod table;
mod twilio;
mod under_way;
mod webhook;

use std::sync::Arc;

use adyton_seal::SecretText;
use adyton_transport::Address;
use adyton_vault::{AttemptId, CountRepeat, Effect, Message, Outcome, ReportDelivery, Subjects, VerificationId};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, Instant};

use crate::ask::ask;
use crate::clock::Clock;
use crate::engine::Engine;
use crate::events::Events;
use crate::policy::Watch;
use carrier::Letter;
use carriers::AnyCarrier;
use journey::{Counting, Ending, Journey};
use lane::Lane;
use under_way::UnderWay;

pub use credential::{Credential, CredentialError};
pub use from_policy::{CredentialKey, RouteError, Unusable, routes, table};
pub use route::{Retention, RouteConfig, RouteKind, Sender, SmtpTls};
pub use smtp::{MAX_LINES, MAX_TEXT, Reply, ReplyError, ReplyReader};
pub use table::RoutingTable;

/// Dependencies of delivery besides its routes.
#[derive(Clone)]
pub struct Deps {
    /// Where outcomes go.
    pub engine: Engine,
    /// Time.
    pub clock: Arc<Clock>,
    /// Operational events.
    pub events: Events,
}

/// The policy's carriers, ready to be handed letters.
pub struct Carriers(Arc<[Lane<AnyCarrier>]>);

/// Prepares the policy's carriers; `service` is the host, which dials.
///
/// # Errors
/// [`RouteError`], the first route whose name, trust or sender is not usable.
pub fn prepare(routes: &[RouteConfig], service: &Address, clock: &Arc<Clock>) -> Result<Carriers, RouteError> {
    let lane = |(place, route): (u8, &RouteConfig)| {
        let carrier = AnyCarrier::new(route, place, service, clock);
        carrier.map(Lane::new).map_err(|_| RouteError(route.name.clone()))
    };
    (0u8..).zip(routes).map(lane).collect::<Result<_, _>>().map(Carriers)
}

/// Starts delivery. What `effective` holds may change at any time; the places of its table are those of the routes that the
/// carriers were prepared from.
pub fn start(Carriers(lanes): Carriers, effective: Watch, deps: Deps, effects: mpsc::UnboundedReceiver<Effect>) {
    tokio::spawn(dispatch(lanes, effective, deps, effects));
}

/// 1. It never waits, so effects do not pile up before it, and none is overtaken.
async fn dispatch(
    lanes: Arc<[Lane<AnyCarrier>]>,
    effective: Watch,
    deps: Deps,
    mut effects: mpsc::UnboundedReceiver<Effect>,
) {
    let under_way = UnderWay::default();
    while let Some(effect) = effects.recv().await {
        match effect {
            Effect::Send { verification, attempt, to, channel, message, until, counts, older, avoid } => {
                let Message { text, subject, html, code } = message;
                let left = Duration::from_secs(until.saturating_sub(deps.clock.now()));
                let letter = Letter {
                    attempt: attempt.text(),
                    progress: Arc::default(),
                    to: SecretText::join(&[to.expose()]),
                    channel,
                    subject,
                    text,
                    html,
                    code,
                    until,
                    deadline: Instant::now() + left,
                };
                // A route that an older attempt waits for is no better than one that left it without an answer.
                let avoid: Vec<u8> =
                    avoid.into_iter().chain(older.and_then(|older| under_way.left_at(older))).collect();
                let stop = under_way.begin(verification, attempt, &letter.progress);
                let (lanes, events) = (Arc::clone(&lanes), deps.events.clone());
                let journey = Journey::begin(lanes, effective.clone(), events, letter, &avoid);
                let (subjects, cost) = counts;
                let attempt = Sent { engine: deps.engine.clone(), verification, attempt, subjects, cost };
                tokio::spawn(attempt.deliver(journey, stop, under_way.clone()));
            }
            // 4.
            Effect::CancelDelivery { verifications, expired } => {
                let ending = if expired { Ending::Expired } else { Ending::Stopped };
                verifications.into_iter().for_each(|verification| under_way.stop(verification, ending));
            }
        }
    }
}

/// An attempt of a verification, which the vault counted when it was asked for.
struct Sent {
    engine: Engine,
    verification: VerificationId,
    attempt: AttemptId,
    subjects: Subjects,
    cost: u64,
}

impl Sent {
    async fn deliver(self, journey: Option<Journey<AnyCarrier>>, stop: oneshot::Receiver<Ending>, under_way: UnderWay) {
        // 2.
        let (outcome, route) = match journey {
            Some(journey) => journey.run(&self, stop).await,
            None => (Outcome::GaveUp, None),
        };
        let Self { engine, verification, attempt, .. } = self;
        under_way.end(verification, attempt);
        // 3. Without the store the outcome stays unknown.
        let _ = ask(&engine, ReportDelivery { verification, attempt, outcome, route }).await;
    }
}

impl Counting for Sent {
    async fn count_repeat(&self) -> bool {
        let Self { verification, attempt, subjects, cost, .. } = *self;
        ask(&self.engine, CountRepeat { verification, attempt, subjects, cost }).await.is_ok()
    }
}

#[cfg(test)]
mod tests;
