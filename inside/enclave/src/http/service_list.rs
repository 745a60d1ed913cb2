//! `GET /v2/Services`: a page of services, made while the client takes it.
//!
//! 1. the view gives the first [`STEP`] services; if they are all of the page, they are the answer;
//! 2. otherwise the answer is a stream. Each further step is asked for once HTTP has room for it, and rendered alone.
//!
//! So a page of 1000 services holds two steps at most, and its bytes are taken from the budget before the first. SDKs see one
//! page: some (Java's) count pages by the size that they asked for, so a smaller page than that would lose the rest.
//!
//! Limits: a page is as consistent as pages among each other are. What is created or deleted while it is taken may be in it or
//! not; nothing is in it twice. Each step asks the newest view, so that no reader keeps an old one. If it cannot answer in the middle
//! of a page, the connection ends there.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use adyton_api::{Meta, ServiceList};
use adyton_vault::{Caller, ListServices, Seconds, ServiceId, ServicePage, ServiceView, services};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use data_encoding::BASE64URL_NOPAD;
use hyper::body::Frame;

use super::Api;
use super::answer::ApiError;
use super::budget::Reservation;
use super::host::base;
use super::large::paid;
use super::parameters::{self, Given, Unfit};
use super::services::{decimal, service};
use crate::ask::AskError;

const PAGE_SIZE: u32 = 50;
const MAX_PAGE: u32 = 1000;
/// Services that are asked for and rendered together.
const STEP: usize = 16;
/// Largest form of a service: its names, its domain, its app hashes, and three addresses at a host name of 253 bytes.
const MAX_SERVICE: usize = 2816;
/// One step that HTTP holds, and the next one.
const MAX_LIST: usize = 2 * (STEP + 1) * MAX_SERVICE;

pub(crate) async fn list(State(api): State<Arc<Api>>, headers: HeaderMap, given: Given) -> Result<Response, ApiError> {
    let caller = api.caller(&headers)?;
    let paging = given.parameters(&parameters::LIST_SERVICES)?;
    let size = |text: &str| decimal(text).filter(|size| (1..=MAX_PAGE).contains(size)).ok_or(Unfit::Form);
    let page_size = paging.read("PageSize", size)?.unwrap_or(PAGE_SIZE);
    let token = paging.read("PageToken", |text| PageToken::parse(text).ok_or(Unfit::Form))?;
    // A client that counts pages without tokens would get the first one for ever.
    let page = paging.read("Page", |text| match decimal::<u32>(text) {
        Some(page) if page > 0 && token.is_none() => Err(Unfit::rule(
            "without PageToken there is only page 0; follow next_page_url of the page before, which has the token",
        )),
        page => page.ok_or(Unfit::Form),
    })?;
    let page = page.unwrap_or(0);
    // Only authenticated callers may list.
    let payer = api.verified(&caller).await.map_err(|failure| ApiError::failure(failure, "/Services"))?;
    let charge = api.budget.take(payer, MAX_LIST)?;
    let left = usize::try_from(page_size).unwrap_or(usize::MAX);
    let mut listing = Listing { api, caller, headers, page_size, page, token, last: token, left };
    // 1.
    let ServicePage { services: views, more } =
        listing.step().await.map_err(|failure| ApiError::failure(failure, "/Services"))?;
    if !more || listing.left == 0 {
        let meta = listing.meta(more);
        let services = views.into_iter().map(|view| service(view, &listing.headers)).collect();
        let list = serde_json::to_vec(&ServiceList { meta, services });
        let list = list.map_err(|_| ApiError::unavailable())?;
        return Ok(paid(StatusCode::OK, Body::from(charge.hold_answer(list))));
    }
    // 2.
    let mut first = b"{\"services\":[".to_vec();
    listing.render(&mut first, views, true).map_err(|_| ApiError::unavailable())?;
    let charge = Arc::new(charge);
    let stream = ListStream { charge, ready: Some(first), making: None, listing: Some(listing) };
    Ok(paid(StatusCode::OK, Body::new(stream)))
}

/// A page that is being made.
struct Listing {
    api: Arc<Api>,
    caller: Caller,
    headers: HeaderMap,
    page_size: u32,
    page: u32,
    /// Where the page begins.
    token: Option<PageToken>,
    /// Where its next step begins.
    last: Option<PageToken>,
    /// Services that still belong to the page.
    left: usize,
}

impl Listing {
    /// The next services, and whether more follow.
    async fn step(&mut self) -> Result<ServicePage, AskError<services::Refusal>> {
        let after = self.last.map(|token| (token.created, token.service));
        let most = self.left.min(STEP);
        let list = ListServices { caller: self.caller, after, most };
        // However many steps it takes, it is one operation and leaves one record.
        let page =
            if self.last == self.token { self.api.read(&list).await? } else { self.api.read_more(&list).await? };
        self.left = self.left.saturating_sub(page.services.len());
        if let Some(view) = page.services.last() {
            self.last = Some(PageToken { created: view.created, service: view.service });
        }
        Ok(page)
    }

    fn meta(&self, more: bool) -> Meta {
        let (page, page_size) = (self.page, self.page_size);
        let url = format!("{}/v2/Services?PageSize={page_size}", base(&self.headers));
        let next = self.last.filter(|_| more);
        let next = next.map(|token| format!("{url}&Page={}&PageToken={}", page.saturating_add(1), token.text()));
        Meta {
            page,
            page_size,
            first_page_url: format!("{url}&Page=0"),
            previous_page_url: None,
            next_page_url: next,
            url: match self.token {
                None => format!("{url}&Page=0"),
                Some(token) => format!("{url}&Page={page}&PageToken={}", token.text()),
            },
            key: "services".into(),
        }
    }

    fn render(&self, out: &mut Vec<u8>, views: Vec<ServiceView>, first: bool) -> serde_json::Result<()> {
        for (place, view) in views.into_iter().enumerate() {
            if place > 0 || !first {
                out.push(b',');
            }
            serde_json::to_writer(&mut *out, &service(view, &self.headers))?;
        }
        Ok(())
    }

    /// The next bytes of the body, and the page if it goes on.
    async fn next(mut self) -> io::Result<(Vec<u8>, Option<Self>)> {
        let ServicePage { services: views, more } =
            self.step().await.map_err(|_| io::Error::other("the vault does not answer"))?;
        let mut out = Vec::new();
        self.render(&mut out, views, false)?;
        if more && self.left > 0 {
            return Ok((out, Some(self)));
        }
        out.extend_from_slice(b"],\"meta\":");
        serde_json::to_writer(&mut out, &self.meta(more))?;
        out.push(b'}');
        Ok((out, None))
    }
}

type Making = Pin<Box<dyn Future<Output = io::Result<(Vec<u8>, Option<Listing>)>> + Send>>;

/// A body whose next bytes are made when they are asked for.
struct ListStream {
    charge: Arc<Reservation>,
    ready: Option<Vec<u8>>,
    making: Option<Making>,
    listing: Option<Listing>,
}

impl hyper::body::Body for ListStream {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        let bytes = match this.ready.take() {
            Some(bytes) => bytes,
            None => {
                if let Some(listing) = this.listing.take() {
                    this.making = Some(Box::pin(listing.next()));
                }
                let Some(making) = &mut this.making else { return Poll::Ready(None) };
                let made = ready!(making.as_mut().poll(cx));
                this.making = None;
                let (bytes, listing) = made?;
                this.listing = listing;
                bytes
            }
        };
        let bytes = Bytes::from_owner(Piece { bytes, _charge: Arc::clone(&this.charge) });
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.ready.is_none() && self.making.is_none() && self.listing.is_none()
    }
}

/// Bytes that keep the page's charge until they are freed.
struct Piece {
    bytes: Vec<u8>,
    _charge: Arc<Reservation>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Where the next page of services begins: opaque to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageToken {
    /// When the last service of the page before was created.
    pub created: Seconds,
    /// Its SID.
    pub service: ServiceId,
}

impl PageToken {
    /// The token as it stands in an address.
    pub fn text(self) -> String {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.created.to_be_bytes());
        bytes[8..].copy_from_slice(self.service.as_bytes());
        BASE64URL_NOPAD.encode(&bytes)
    }

    /// Parses it; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 24] = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok()?;
        let (created, service) = bytes.split_first_chunk::<8>()?;
        Some(Self {
            created: Seconds::from_be_bytes(*created),
            service: ServiceId::from_bytes(service.try_into().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use adyton_vault::{AccountId, AppHash, Loosening, Requirements, ServiceSettings};
    use axum::http::header::HOST;

    use super::*;

    #[test]
    fn a_page_token_has_one_spelling() {
        let token = PageToken { created: 1_800_000_000, service: ServiceId::from_bytes([7; 16]) };
        assert_eq!(PageToken::parse(&token.text()), Some(token));
        for text in ["", "AAAA", &token.text()[1..], &(token.text() + "="), &(token.text() + "AAAA")] {
            assert_eq!(PageToken::parse(text), None, "{text}");
        }
    }

    #[test]
    fn no_service_is_larger_than_what_is_taken_for_it() {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, format!("{}:65535", "a".repeat(253)).parse().unwrap());
        let app_hashes = (0..8).map(|at| format!("He42w354ol{at}")).collect::<Vec<_>>().join(",");
        let view = ServiceView {
            service: ServiceId::MAX,
            account: AccountId::MAX,
            settings: ServiceSettings {
                // 30 characters of up to four bytes.
                friendly_name: "\u{10FFFD}".repeat(30),
                code_length: 10,
                custom_code: true,
                do_not_share: true,
                requirements: Requirements::CODE,
                web_otp_domain: "a".repeat(253),
                app_hashes: AppHash::parse_list(&app_hashes).unwrap(),
            },
            loosening: Some(Loosening { code_length: Some(10), custom_code: true, at: 4_000_000_000 }),
            created: 4_000_000_000,
            updated: 4_000_000_000,
        };
        let length = serde_json::to_vec(&service(view, &headers)).unwrap().len();
        assert!((MAX_SERVICE / 2..=MAX_SERVICE).contains(&length), "{length}");
    }
}
