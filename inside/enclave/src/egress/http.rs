//! HTTP/1.1 to an endpoint. Redirects are not followed: another place is not the one that the policy names.
//!
//! How long an answer may be and take, interim ones (1xx), headers and chunks included, is its stream's budget
//! ([`super::AnswerBudget`]); nothing here counts a second time.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;

use super::{EgressError, Endpoint, Meter, Wire};

/// An answer. It may hold credentials, so it is not printed.
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// A connection, used again until it breaks.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: HeaderValue,
    meter: Meter,
}

impl Connection {
    /// Opens one.
    ///
    /// # Errors
    /// [`EgressError`].
    pub async fn open(endpoint: &Endpoint) -> Result<Self, EgressError> {
        Self::over(endpoint.secure(endpoint.dial().await?).await?, endpoint.host()).await
    }

    /// Speaks over a stream that is open.
    ///
    /// # Errors
    /// [`EgressError::Protocol`].
    pub async fn over(stream: impl Wire, host: &str) -> Result<Self, EgressError> {
        let meter = stream.meter().clone();
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
        let (sender, connection) = handshake.await.map_err(|_| EgressError::Protocol)?;
        tokio::spawn(connection);
        // The server speaks when it is asked.
        meter.rest();
        Ok(Self { sender, host: HeaderValue::from_str(host).map_err(|_| EgressError::Protocol)?, meter })
    }

    /// Whether the other side has closed it.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// `POST path`; what came back, whatever its status.
    ///
    /// # Errors
    /// [`EgressError`]; the connection is then of no more use.
    pub async fn post(
        &mut self,
        path: &str,
        headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
        body: Bytes,
    ) -> Result<Answer, EgressError> {
        self.send(Method::POST, path, headers, body).await
    }

    /// `GET path`; what came back, whatever its status.
    ///
    /// # Errors
    /// As [`Connection::post`].
    pub async fn get(
        &mut self,
        path: &str,
        headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
    ) -> Result<Answer, EgressError> {
        self.send(Method::GET, path, headers, Bytes::new()).await
    }

    /// The same with any method.
    ///
    /// # Errors
    /// As [`Connection::post`].
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
        body: Bytes,
    ) -> Result<Answer, EgressError> {
        let request = Request::builder().method(method).uri(path).body(Full::new(body));
        let mut request = request.map_err(|_| EgressError::Protocol)?;
        request.headers_mut().insert(hyper::header::HOST, self.host.clone());
        request.headers_mut().extend(headers);
        self.meter.begin();
        let exchange = async {
            self.sender.ready().await.map_err(|_| EgressError::Protocol)?;
            let answer = self.sender.send_request(request).await.map_err(|_| EgressError::Protocol)?;
            let (head, body) = answer.into_parts();
            let body = body.collect().await.map_err(|_| EgressError::Protocol)?;
            Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() })
        };
        let answer = exchange.await.map_err(|error| self.meter.exceeded().unwrap_or(error))?;
        self.meter.rest();
        Ok(answer)
    }
}
