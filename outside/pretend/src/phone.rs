//! The phone: a small page, loopback only, under a path that nobody can guess.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::{Query, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use crate::faults::{Fault, Faults};
use crate::inbox::{Arrived, Inbox, Message};

const PAGE: &str = include_str!("phone.html");
const MOST: usize = 1000;

/// Nothing is loaded from elsewhere, nothing is kept, and no other page learns the path.
const HEADERS: [(HeaderName, &str); 4] = [
    (header::CACHE_CONTROL, "no-store"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

/// The page, its messages, their stream, and the faults that tests set, below `/TOKEN`. Other paths and other hosts get
/// nothing: a page of another site must not read it by rebinding its name.
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
                let mut response =
                    if ours { next.run(request).await } else { StatusCode::MISDIRECTED_REQUEST.into_response() };
                for (name, value) in HEADERS {
                    response.headers_mut().insert(name, HeaderValue::from_static(value));
                }
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

/// One line of JSON for each message, as they arrive; `{"missed": n}` stands for those that a slow reader was too late
/// for.
async fn stream(State(inbox): State<Arc<Inbox>>) -> Response {
    let mut arrivals = inbox.arrivals();
    let (sender, receiver) = tokio::sync::mpsc::channel::<Bytes>(1);
    tokio::spawn(async move {
        loop {
            let arrived = tokio::select! {
                arrived = arrivals.next() => arrived,
                () = sender.closed() => return,
            };
            if sender.send(lines(&arrived)).await.is_err() {
                return;
            }
        }
    });
    Response::new(axum::body::Body::new(Lines(receiver)))
}

fn lines(Arrived { missed, messages }: &Arrived) -> Bytes {
    let missed = (*missed > 0).then(|| json!({ "missed": missed }).to_string());
    // Strings and numbers always have a JSON form.
    let messages = messages.iter().filter_map(|message| serde_json::to_string(&**message).ok());
    missed.into_iter().chain(messages).flat_map(|line| [line, "\n".into()]).collect::<String>().into()
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
    adyton_api::timestamp(seconds)
}
