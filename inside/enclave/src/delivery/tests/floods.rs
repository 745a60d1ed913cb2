//! Carriers that do not end what they say: each is cut off by its budget, and says so by its error.

use super::super::carrier::{Carrier, Failure};
use super::*;
use crate::egress::played::{self, Begins, Flood};
use crate::egress::{AnswerBudget, EgressError};

const TOO_LONG: Failure = Failure::Transport(EgressError::TooLong);

async fn handed(kind: &RouteKind, plaintext: &[u8], flood: &Flood) -> Result<(), Failure> {
    let route = RouteConfig {
        name: "route".into(),
        kind: kind.clone(),
        channels: vec![Channel::Sms],
        host: played::NAME.into(),
        port: PORT,
        trust: flood.trust.clone(),
        credential: "route".into(),
        cost: 0,
    };
    let carrier = AnyCarrier::new(&route, 3, &flood.service, &Arc::new(Clock::new())).unwrap();
    let credential = Arc::new(Credential::parse(kind, plaintext).unwrap());
    carrier.hand_over(&letter("person@example.org"), &credential).await
}

#[tokio::test]
async fn a_carrier_that_speaks_http_is_cut_off() {
    let twilio = RouteKind::TwilioMessages {
        account: "AC0123456789abcdef0123456789abcdef".into(),
        sender: Sender::From("A".into()),
        retention: Retention::default(),
    };
    let webhook = RouteKind::Webhook { path: "/".into(), from: None, seal_code_to: None };
    for (kind, plaintext) in [(twilio, &b"user:password"[..]), (webhook, &[b'a'; 64])] {
        for (first, again) in played::HTTP {
            let flood = Flood::start(Begins::AskedInTls, first, again);
            // The request has left, so the carrier may have taken it; with the whole head of a 200 it says so.
            let expected = if first.ends_with(b"FFFFFFF\r\n") { Ok(()) } else { Err(Failure::Unconfirmed) };
            assert_eq!(handed(&kind, plaintext, &flood).await, expected, "{}", first.escape_ascii());
            flood.assert_bounded(AnswerBudget::CARRIER);
        }
    }
}

#[tokio::test]
async fn a_mail_server_is_cut_off() {
    for (tls, begins) in [(SmtpTls::Implicit, Begins::InTls), (SmtpTls::StartTls, Begins::Clear)] {
        let kind = RouteKind::Smtp { tls, from: "codes@example.com".into() };
        for (first, expected) in [(&b"220 "[..], TOO_LONG), (b"220-", TOO_LONG)] {
            let flood = Flood::start(begins, first, b"a");
            assert_eq!(handed(&kind, b"user:password", &flood).await, Err(expected), "{}", first.escape_ascii());
            flood.assert_bounded(AnswerBudget::MAIL);
        }
    }
}
