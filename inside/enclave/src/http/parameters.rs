//! Which parameters a request may have, of Twilio Verify v2's and of our own (`docs/verify-parameters.md`).
//!
//! 1. a body is a form (`application/x-www-form-urlencoded`) where the resource takes one, and empty elsewhere;
//! 2. every parameter of body and query stands in the resource's table ([`table`]);
//! 3. the parameters that the table offers are given to the handler, and it can read no others;
//! 4. the handler parses a value ([`Parameters::read`], [`Parameters::need`]). What it does not accept is refused with the accepted form,
//!    which stands in the table: no handler can refuse a value or miss one without saying what is accepted.
//!
//! A `+` that a client did not percent-encode is a blank in a form. Where the accepted form has a `+`, a refusal says so.
//!
//! Limit: which values are accepted is the handlers' to check; the table only names their form.

mod table;

use std::fmt::Display;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use zeroize::Zeroizing;

use super::answer::ApiError;
use super::body::Body;
use super::form::Form;

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
    /// The accepted form of an offered one, as it stands behind "expected" and on the page.
    pub(super) expected: &'static str,
    /// What else is to be known about an offered one.
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
    /// A parameter's value, if it was given, and the form that is accepted. One that the table does not offer was never given.
    fn get(&self, name: &str) -> (Option<&str>, &'static str) {
        let offered = self.resource.find(name).filter(|parameter| parameter.standing == Standing::Offered);
        debug_assert!(offered.is_some(), "the table of {} does not offer {name}", self.resource.title);
        offered.map_or((None, ""), |parameter| (self.form.get(name), parameter.expected))
    }

    /// 4. A parameter's value as `parse` reads it, if it was given.
    ///
    /// # Errors
    /// What is accepted, if this is not.
    pub(crate) fn read<T>(&self, name: &str, parse: impl Fn(&str) -> Result<T, Unfit>) -> Result<Option<T>, ApiError> {
        let (given, expected) = self.get(name);
        given.map(|text| parse(text).map_err(|unfit| refusal(name, text, unfit, expected, &parse))).transpose()
    }

    /// 4. A parameter's value as `parse` reads it.
    ///
    /// # Errors
    /// What is accepted, if this is not, or nothing was given.
    pub(crate) fn need<T>(&self, name: &str, parse: impl Fn(&str) -> Result<T, Unfit>) -> Result<T, ApiError> {
        self.read(name, parse)?.ok_or_else(|| self.missing(name))
    }

    /// The refusal where a parameter is needed and missing.
    pub(crate) fn missing(&self, name: &str) -> ApiError {
        ApiError::because(name, &format!("it is missing; expected {}", self.get(name).1))
    }
}

/// Why a parameter's value is not accepted. Nothing of it quotes the value.
pub(crate) enum Unfit {
    /// It has another form than the table names.
    Form,
    /// It breaks this rule, which says what is accepted.
    Rule(String),
    /// It is refused otherwise.
    Refused(ApiError),
}

impl Unfit {
    /// A rule of a parser's.
    pub(crate) fn rule(rule: impl Display) -> Self {
        Self::Rule(rule.to_string())
    }
}

/// The refusal of a value; `parse` is what refused it.
fn refusal<T>(
    name: &str,
    text: &str,
    unfit: Unfit,
    expected: &'static str,
    parse: impl Fn(&str) -> Result<T, Unfit>,
) -> ApiError {
    let rule = match unfit {
        Unfit::Form => format!("expected {expected}"),
        Unfit::Rule(rule) => rule,
        Unfit::Refused(error) => return error,
    };
    // It may be an address.
    let with_plus = Zeroizing::new(text.replace(' ', "+"));
    let was_plus = text.contains(' ') && (text.starts_with(' ') || parse(&with_plus).is_ok());
    if was_plus && expected.contains('+') {
        return ApiError::because(name, &format!("a + in a form is a blank: write %2B; {rule}"));
    }
    ApiError::because(name, &rule)
}

#[cfg(test)]
mod tests;
