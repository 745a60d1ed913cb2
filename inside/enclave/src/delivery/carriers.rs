//! The carriers there are.

use std::sync::Arc;

use adyton_transport::Address;

use super::carrier::{Carrier, Failure, Letter};
use super::smtp::Smtp;
use super::twilio::Twilio;
use super::webhook::Webhook;
use super::{Credential, RouteConfig, RouteKind};
use crate::clock::Clock;
use crate::egress::{AnswerBudget, Endpoint, EndpointError};

pub(super) enum AnyCarrier {
    Twilio(Twilio),
    Webhook(Webhook),
    Smtp(Smtp),
}

impl AnyCarrier {
    /// The carrier of a route, whose place in the policy is `place`.
    pub(super) fn new(
        route: &RouteConfig,
        place: u8,
        service: &Address,
        clock: &Arc<Clock>,
    ) -> Result<Self, EndpointError> {
        let answers = match route.kind {
            RouteKind::Smtp { .. } => AnswerBudget::MAIL,
            RouteKind::TwilioMessages { .. } | RouteKind::Webhook { .. } => AnswerBudget::CARRIER,
        };
        let endpoint = Endpoint::new(&route.host, route.port, &route.trust, service.clone(), answers)?;
        let clock = Arc::clone(clock);
        Ok(match route.kind.clone() {
            RouteKind::TwilioMessages { account, sender, retention } => {
                let digits = account.strip_prefix("AC").unwrap_or_default();
                if digits.len() != 32 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                    return Err(EndpointError::Path);
                }
                Self::Twilio(Twilio::new(endpoint, &account, sender, retention, clock))
            }
            RouteKind::Webhook { path, .. } if !path.starts_with('/') => return Err(EndpointError::Path),
            RouteKind::Webhook { path, from, seal_code_to } => {
                Self::Webhook(Webhook::new(endpoint, path, from, seal_code_to, place, clock))
            }
            RouteKind::Smtp { tls, from } => Self::Smtp(Smtp::new(endpoint, tls, &from, clock)?),
        })
    }
}

impl Carrier for AnyCarrier {
    const AT_ONCE: usize = 16;

    fn deduplicates(&self) -> bool {
        matches!(self, Self::Webhook(_))
    }

    async fn hand_over(&self, letter: &Letter, credential: &Arc<Credential>) -> Result<(), Failure> {
        match self {
            Self::Twilio(twilio) => twilio.hand_over(letter, credential).await,
            Self::Webhook(webhook) => webhook.hand_over(letter, credential).await,
            Self::Smtp(smtp) => smtp.hand_over(letter, credential).await,
        }
    }
}
