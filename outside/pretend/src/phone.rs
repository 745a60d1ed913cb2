//! The phone: a small page, loopback only, under a path that nobody can guess.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::{Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use bytes::Bytes;
use serde::Deserialize;

use crate::faults::{Fault, Faults};
use crate::inbox::{Inbox, Message};

const PAGE: &str = include_str!("phone.html");
const MOST: usize = 1000;

/// The page, its messages, their stream, and the faults that tests set, below `/TOKEN`. Other paths and other hosts get nothing: a page of
/// another site must not read it by rebinding its name.
pub fn router(inbox: Arc<Inbox>, faults: Arc<Faults>, token: &str, port: u16) -> Router {
    let hosts = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    Router::new()
        .route(&format!("/{token}"), get(|| async { Html(PAGE) }))
        .route(&format!("/{token}/messages"), get(messages))
        .route(&format!("/{token}/stream"), get(stream))
        .with_state(inbox)
        .merge(Router::new().route(&format!("/{token}/faults"), put(set_faults)).with_state(faults))
        .layer(middleware::from_fn(move |request: Request, next: Next| {
            let named = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
            let ours = named.is_some_and(|named| hosts.iter().any(|host| host == named));
            async move {
                if !ours {
                    return StatusCode::MISDIRECTED_REQUEST.into_response();
                }
                let mut response = next.run(request).await;
                let headers = response.headers_mut();
                headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
                headers.insert(
                    header::CONTENT_SECURITY_POLICY,
                    HeaderValue::from_static(
                        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'",
                    ),
                );
                response
            }
        }))
}

async fn set_faults(State(faults): State<Arc<Faults>>, Json(wanted): Json<BTreeMap<String, Fault>>) -> StatusCode {
    faults.set(wanted);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Filter {
    to: Option<String>,
}

async fn messages(State(inbox): State<Arc<Inbox>>, Query(filter): Query<Filter>) -> Json<Vec<Message>> {
    // A `+` that was not escaped arrives as a blank.
    let to = filter.to.filter(|to| !to.is_empty()).map(|to| to.replace(' ', "+"));
    Json(inbox.list(to.as_deref(), MOST).iter().map(|message| (**message).clone()).collect())
}

/// One line of JSON for each message, as they arrive.
async fn stream(State(inbox): State<Arc<Inbox>>) -> Response {
    let mut arrivals = inbox.arrivals();
    let (sender, receiver) = tokio::sync::mpsc::channel::<Bytes>(64);
    tokio::spawn(async move {
        while let Ok(first) = arrivals.recv().await {
            let mut lines = Vec::new();
            let mut next = Some(first);
            while let Some(message) = next.take() {
                let _ = serde_json::to_writer(&mut lines, &*message);
                lines.push(b'\n');
                next = arrivals.try_recv().ok();
            }
            if sender.send(lines.into()).await.is_err() {
                return;
            }
        }
    });
    Response::new(axum::body::Body::new(Lines(receiver)))
}

/// A body that is what a channel gives.
struct Lines(tokio::sync::mpsc::Receiver<Bytes>);

impl hyper::body::Body for Lines {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(hyper::body::Frame::data(bytes))))
    }
}

/// Now, `YYYY-MM-DDTHH:MM:SSZ`.
pub(crate) fn now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant's `civil_from_days`.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest % 3600 / 60, rest % 60)
}
