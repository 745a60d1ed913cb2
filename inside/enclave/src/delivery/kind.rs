//! What routes speak (`docs/spec/07-delivery.md`).

use adyton_frame::DeliveryFailure;
use adyton_policy::{Route, RouteKind};
use adyton_seal::{HmacKey, RecipientPublicKey, SealedPurpose, Secret, SecretText};
use adyton_vault::{Message, SidKind};
use axum::http::StatusCode;
use bytes::Bytes;
use data_encoding::{BASE64, HEXLOWER};
use serde_json::json;

use super::lane::Lane;
use super::{Outgoing, Tried};

/// What stands in a text for a code that is sealed.
const SEALED_CODE: &str = "{code}";

/// A kind of route and what is its own.
pub(crate) enum Kind {
    /// Twilio's Messages API, or one of its shape.
    TwilioMessages { path: String, sender: (&'static str, String) },
    /// A signed JSON webhook.
    Webhook { path: String, from: String, seal_code_to: Option<RecipientPublicKey> },
}

impl Kind {
    /// Of a route that the policy's parser has seen; `None` if something is not usable all the same.
    pub(crate) fn new(route: &Route) -> Option<Self> {
        match route.kind {
            RouteKind::TwilioMessages => {
                let sender = match (&route.from, &route.messaging_service) {
                    (Some(from), None) => ("From", from.clone()),
                    (None, Some(service)) => ("MessagingServiceSid", service.clone()),
                    _ => return None,
                };
                let account = route
                    .account
                    .as_deref()
                    .filter(|account| account.bytes().all(|byte| byte.is_ascii_alphanumeric()))?;
                Some(Self::TwilioMessages { path: format!("/2010-04-01/Accounts/{account}/Messages.json"), sender })
            }
            RouteKind::Webhook => {
                let seal_code_to = match &route.seal_code_to {
                    None => None,
                    Some(hex) => {
                        let key: [u8; 32] = HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok()?;
                        Some(RecipientPublicKey(key))
                    }
                };
                let from = route.from.clone().unwrap_or_default();
                Some(Self::Webhook { path: route.path.clone()?, from, seal_code_to })
            }
            RouteKind::Smtp => None,
        }
    }

    /// Hands a message over, once.
    pub(crate) async fn send(&self, lane: &Lane, outgoing: &Outgoing, secret: Option<&SecretText>, now: u64) -> Tried {
        match self {
            Self::TwilioMessages { path, sender } => twilio(lane, path, sender, outgoing, secret, now).await,
            Self::Webhook { path, from, seal_code_to } => {
                webhook(lane, path, from, seal_code_to.as_ref(), outgoing, secret, now).await
            }
        }
    }
}

/// Content and address are not to be kept by the carrier; what it does keep, nobody here can know.
async fn twilio(
    lane: &Lane,
    path: &str,
    (sender, from): &(&'static str, String),
    outgoing: &Outgoing,
    secret: Option<&SecretText>,
    now: u64,
) -> Tried {
    // A message is worth nothing once its code is dead; Twilio takes 1 to 36000 seconds.
    let validity = outgoing.until.saturating_sub(now).clamp(1, 36_000).to_string();
    let body = form_urlencoded::Serializer::new(String::with_capacity(512))
        .append_pair("To", outgoing.to.expose())
        .append_pair(sender, from)
        .append_pair("Body", outgoing.message.text.expose())
        .append_pair("ContentRetention", "discard")
        .append_pair("AddressRetention", "obfuscate")
        .append_pair("ValidityPeriod", &validity)
        .finish();
    let basic =
        secret.map(|secret| zeroize::Zeroizing::new(format!("Basic {}", BASE64.encode(secret.expose().as_bytes()))));
    let attempt = outgoing.attempt.text(SidKind::Attempt);
    let mut headers =
        vec![("content-type", "application/x-www-form-urlencoded"), ("i-twilio-idempotency-token", &attempt[..])];
    headers.extend(basic.as_ref().map(|basic| ("authorization", &basic[..])));
    post(lane, path, &headers, body.into()).await
}

/// `Adyton-Signature: v1=hex(HMAC-SHA256(key, timestamp || "." || body))`.
async fn webhook(
    lane: &Lane,
    path: &str,
    from: &str,
    seal_code_to: Option<&RecipientPublicKey>,
    outgoing: &Outgoing,
    secret: Option<&SecretText>,
    now: u64,
) -> Tried {
    let Some(body) = webhook_body(from, seal_code_to, outgoing) else {
        return Tried::Failed(DeliveryFailure::Refused);
    };
    let signature = match secret.map(|secret| webhook_signature(secret, now, &body)) {
        None => None,
        Some(Some(signature)) => Some(signature),
        // The credential is no key.
        Some(None) => return Tried::Failed(DeliveryFailure::Refused),
    };
    let (time, attempt) = (now.to_string(), outgoing.attempt.text(SidKind::Attempt));
    let mut headers =
        vec![("content-type", "application/json"), ("idempotency-key", &attempt[..]), ("adyton-timestamp", &time)];
    headers.extend(signature.as_ref().map(|signature| ("adyton-signature", &signature[..])));
    post(lane, path, &headers, body).await
}

fn webhook_body(from: &str, seal_code_to: Option<&RecipientPublicKey>, outgoing: &Outgoing) -> Option<Bytes> {
    let Outgoing { attempt, to, channel, message, until } = outgoing;
    let Message { text, subject, html, code } = message;
    let id = attempt.text(SidKind::Attempt);
    let mut body = json!({
        "id": id, "to": to.expose(), "from": from, "channel": channel.text(), "subject": subject, "valid_until": until,
    });
    match seal_code_to {
        None => {
            body["text"] = text.expose().into();
            body["html"] = html.as_ref().map(SecretText::expose).into();
        }
        Some(key) => {
            // Whatever stands between the vault and the gateway sees a text without the code.
            let blank = |text: &SecretText| text.expose().replace(code.expose(), SEALED_CODE);
            let sealed = key.seal(&SealedPurpose::gateway_code(&id), code.expose().as_bytes()).ok()?;
            body["text"] = blank(text).into();
            body["html"] = html.as_ref().map(blank).into();
            body["sealed_code"] = BASE64.encode(&sealed).into();
        }
    }
    Some(body.to_string().into())
}

fn webhook_signature(secret: &SecretText, now: u64, body: &[u8]) -> Option<String> {
    let mut bytes = zeroize::Zeroizing::new([0u8; 32]);
    let decoded = HEXLOWER.decode_mut(secret.expose().as_bytes(), &mut bytes[..]).ok()?;
    let key = HmacKey::new(&Secret::try_from(&bytes[..decoded]).ok()?);
    let signed = [now.to_string().as_bytes(), b".", body].concat();
    Some(format!("v1={}", HEXLOWER.encode(&key.tag(&signed))))
}

/// A connection that broke while idle says nothing about the carrier, so that is tried again at once.
async fn post(lane: &Lane, path: &str, headers: &[(&str, &str)], body: Bytes) -> Tried {
    loop {
        let (mut connection, reused) = match lane.connection().await {
            Ok(open) => open,
            Err(class) => return Tried::Failed(class),
        };
        match connection.post(path, headers, body.clone()).await {
            Ok((status, _, _)) => {
                lane.keep(connection);
                return tried(status);
            }
            Err(_) if reused => {}
            Err(error) => return Tried::Failed(error.class()),
        }
    }
}

/// What a status means for a message. A redirect is followed nowhere, so it is a failure of the route.
fn tried(status: StatusCode) -> Tried {
    match status.as_u16() {
        200..=299 => Tried::Accepted,
        // The route's own trouble: credentials, limits, faults.
        401 | 403 | 404 | 405 | 407 | 408 | 425 | 429 | 300..=399 | 500.. => Tried::Failed(DeliveryFailure::Refused),
        _ => Tried::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses() {
        assert_eq!(tried(StatusCode::CREATED), Tried::Accepted);
        assert_eq!(tried(StatusCode::BAD_REQUEST), Tried::Refused);
        for status in [301, 307, 401, 403, 404, 429, 500, 503] {
            let status = StatusCode::from_u16(status).unwrap_or_default();
            assert_eq!(tried(status), Tried::Failed(DeliveryFailure::Refused), "{status}");
        }
    }
}
