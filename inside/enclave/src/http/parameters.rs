//! Which parameters a request may have, of Twilio Verify v2's and of our own (`docs/verify-parameters.md`).
//!
//! 1. a body is a form (`application/x-www-form-urlencoded`) where the resource takes one, and empty elsewhere;
//! 2. every parameter of body and query stands in the resource's table ([`table`]);
//! 3. the parameters that the table offers are given to the handler, and it can read no others.
//!
//! Limit: the table says which parameters there are. Which values they may have is the handlers' to check.

mod table;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::answer::ApiError;
use super::body::Body;
use super::form::{FieldError, Form};

pub(crate) use table::{
    CHECK, CREATE_SERVICE, DELETE_SERVICE, FETCH_SERVICE, FETCH_VERIFICATION, LIST_SERVICES, START, UPDATE_SERVICE,
    UPDATE_VERIFICATION,
};

/// What is read of a request: its form, or its query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Body,
    Query,
}

/// What happens to a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It does what it does at Twilio, or what its remark says.
    Offered,
    /// It is accepted and changes nothing; says why that surprises nobody.
    WithoutEffect(&'static str),
    /// It is refused, unless its value asks for nothing; says why.
    Refused(Nothing, &'static str),
}

/// Values of a refused parameter that ask for nothing. The empty text is one of them always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nothing {
    /// No other.
    Empty,
    /// `false`, in any case.
    False,
    /// An empty JSON object or list.
    EmptyJson,
}

impl Nothing {
    fn is(self, value: &str) -> bool {
        match self {
            _ if value.is_empty() => true,
            Self::Empty => false,
            Self::False => value.eq_ignore_ascii_case("false"),
            Self::EmptyJson => matches!(value, "{}" | "[]"),
        }
    }

    /// As it stands in the documentation.
    #[cfg(test)]
    fn text(self) -> &'static str {
        match self {
            Self::Empty => "",
            Self::False => "; `false` asks for nothing and is accepted",
            Self::EmptyJson => "; `{}` and `[]` ask for nothing and are accepted",
        }
    }
}

/// A row of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    /// Whether Twilio has it; the others are ours.
    #[cfg_attr(not(test), expect(dead_code, reason = "it stands on the page that the tests write"))]
    pub(super) twilio: bool,
    pub(super) standing: Standing,
    /// What is to be known about an offered one.
    #[cfg_attr(not(test), expect(dead_code, reason = "it stands on the page that the tests write"))]
    pub(super) remark: &'static str,
}

/// A resource of the API, and every parameter that it knows.
#[derive(Debug)]
pub(crate) struct Resource {
    /// What the request does.
    pub(super) title: &'static str,
    #[cfg_attr(not(test), expect(dead_code, reason = "it stands on the page that the tests write"))]
    pub(super) method: Method,
    /// Its route.
    pub(crate) path: &'static str,
    pub(super) place: Place,
    pub(super) parameters: &'static [&'static [Parameter]],
}

impl Resource {
    fn find(&self, name: &str) -> Option<&'static Parameter> {
        self.parameters.iter().copied().flatten().find(|parameter| parameter.name == name)
    }
}

/// Body and query of a request, of which nothing was looked at.
pub(crate) struct Given {
    body: Bytes,
    query: Option<String>,
    content_type: ContentType,
}

/// What a request says that its body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ContentType {
    /// A form, or nothing is said.
    Form,
    Json,
    Other,
}

impl ContentType {
    fn of(headers: &HeaderMap) -> Self {
        let mut given = headers.get_all(CONTENT_TYPE).iter();
        let Some(first) = given.next() else { return Self::Form };
        let Some(text) = first.to_str().ok().filter(|_| given.next().is_none()) else { return Self::Other };
        let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match &essence[..] {
            "application/x-www-form-urlencoded" => Self::Form,
            "application/json" => Self::Json,
            other if other.ends_with("+json") => Self::Json,
            _ => Self::Other,
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Given {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let content_type = ContentType::of(request.headers());
        let query = request.uri().query().map(str::to_owned);
        let Body(body) = Body::from_request(request, state).await?;
        Ok(Self { body, query, content_type })
    }
}

impl Given {
    /// The parameters that a resource offers.
    ///
    /// # Errors
    /// The first thing that the resource does not take, by its name.
    pub(crate) fn parameters(&self, resource: &'static Resource) -> Result<Parameters<'_>, ApiError> {
        // 1.
        let body = match (resource.place, self.content_type) {
            _ if self.body.is_empty() => Form::default(),
            (Place::Query, _) => return Err(ApiError::no_body()),
            (Place::Body, ContentType::Form) if self.body.first() != Some(&b'{') => Form::parse(&self.body)?,
            (Place::Body, ContentType::Form | ContentType::Json) => {
                let rule = "JSON is not read here; send a form (application/x-www-form-urlencoded)";
                return Err(ApiError::media_type(rule));
            }
            (Place::Body, ContentType::Other) => {
                return Err(ApiError::media_type("expected a form (application/x-www-form-urlencoded)"));
            }
        };
        let query = Form::parse(self.query.as_deref().unwrap_or_default().as_bytes())?;
        // 2.
        let (taken, other, elsewhere) = match resource.place {
            Place::Body => (body, query, "a query has no parameters here; send it in the form"),
            Place::Query => (query, body, "a body has no parameters here; send it in the query"),
        };
        if let Some((name, _)) = other.fields().next() {
            let rule = if resource.find(name).is_some() { elsewhere } else { UNKNOWN };
            return Err(ApiError::because(shown(name), rule));
        }
        for (name, value) in taken.fields() {
            match resource.find(name).map(|parameter| parameter.standing) {
                None => return Err(ApiError::because(shown(name), UNKNOWN)),
                Some(Standing::Refused(nothing, why)) if !nothing.is(value) => {
                    return Err(ApiError::not_offered(name, why));
                }
                Some(_) => {}
            }
        }
        // 3.
        Ok(Parameters { form: taken, resource })
    }
}

/// What is said of a parameter that stands in no table.
const UNKNOWN: &str = "this request has no such parameter";

/// A name as an error may repeat it: a parameter's, not an address or a code that stands in its place.
pub(super) fn shown(name: &str) -> &str {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    if begins && name.len() <= 40 && digits < 4 && name.bytes().all(word) { name } else { "body" }
}

/// The vault's own API has no query parameters.
pub(crate) async fn no_query(request: Request, next: Next) -> Response {
    let own = request.uri().path().starts_with("/adyton/");
    let query = Form::parse(request.uri().query().filter(|_| own).unwrap_or_default().as_bytes());
    match query.map(|query| query.fields().next().map(|(name, _)| shown(name).to_owned())) {
        Ok(None) => next.run(request).await,
        Ok(Some(name)) => ApiError::because(&name, UNKNOWN).into_response(),
        Err(error) => ApiError::from(error).into_response(),
    }
}

/// Parameters of a request that its resource offers.
pub(crate) struct Parameters<'a> {
    form: Form<'a>,
    resource: &'static Resource,
}

impl Parameters<'_> {
    /// A parameter's value, if it was given. One that the table does not offer was never given.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let offered = self.resource.find(name).is_some_and(|parameter| parameter.standing == Standing::Offered);
        debug_assert!(offered, "the table of {} does not offer {name}", self.resource.title);
        self.form.get(name).filter(|_| offered)
    }

    /// A parameter's value.
    ///
    /// # Errors
    /// [`FieldError`] if it is missing.
    pub(crate) fn need(&self, name: &str) -> Result<&str, FieldError> {
        self.get(name).ok_or_else(|| FieldError(name.into()))
    }
}

#[cfg(test)]
mod tests;
