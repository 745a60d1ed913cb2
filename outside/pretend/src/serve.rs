//! Serving routers and the mail server on listeners.

use std::sync::Arc;

use axum::Router;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::mail::MailServer;

/// Serves HTTP/1.1 for ever.
pub async fn http(listener: TcpListener, router: Router) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        tokio::spawn(connection(stream, router.clone()));
    }
}

/// Serves HTTP/1.1 in TLS for ever.
pub async fn https(listener: TcpListener, tls: TlsAcceptor, router: Router) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let (tls, router) = (tls.clone(), router.clone());
        tokio::spawn(async move {
            if let Ok(stream) = tls.accept(stream).await {
                connection(stream, router).await;
            }
        });
    }
}

/// Serves mail submission in TLS for ever.
pub async fn mail(listener: TcpListener, tls: TlsAcceptor, server: Arc<MailServer>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (tls, server) = (tls.clone(), Arc::clone(&server));
        tokio::spawn(async move {
            if let Ok(stream) = tls.accept(stream).await {
                // How a session ends is the client's affair.
                let _ = server.serve(stream).await;
            }
        });
    }
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router) {
    let http = hyper::server::conn::http1::Builder::new();
    // How a connection ends is the client's affair.
    let _ = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)).await;
}
