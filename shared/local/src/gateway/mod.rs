//! The HTTP API on one address of this machine, as API Gateway would serve it
//!
//! A request becomes the event of an API Gateway HTTP API (payload version 2.0), goes to its function
//! through the function host, and the function's answer becomes the response.

mod answer;
mod event;
mod route;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{Response, StatusCode, header};
use axum::response::IntoResponse as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::error::{Doing as _, Result};
use crate::host::Host;
pub use route::{HttpRoute, RouteTable};

/// API Gateway's limit for a request body
const MAX_BODY: usize = 10 * 1024 * 1024;

/// The gateway, serving until dropped or stopped
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    host: Host,
    routes: RouteTable,
    domain: String,
    requests: AtomicU64,
}

impl Gateway {
    /// Serves `routes` on `listener`; `extra` are routes of this machine alone, which come first
    pub fn start(listener: TcpListener, host: Host, routes: Vec<HttpRoute>, extra: Router) -> Result<Self> {
        let address = listener.local_addr().doing(|| "starting the HTTP gateway".to_owned())?;
        let shared = Shared {
            host,
            routes: RouteTable::new(routes),
            domain: address.to_string(),
            requests: AtomicU64::new(0),
        };
        let api = Router::new().fallback(serve).with_state(Arc::new(shared));
        let service = extra.fallback_service(api).into_make_service_with_connect_info::<SocketAddr>();
        let server = axum::serve(listener, service);
        Ok(Self { address, server: tokio::spawn(async move { drop(server.await) }) })
    }

    /// Where it is, without a slash at the end
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops serving; the port is free again when this returns
    pub async fn stop(mut self) {
        self.server.abort();
        drop((&mut self.server).await);
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Some((route, parameters)) = shared.routes.find(&parts.method, parts.uri.path()) else {
        return message(StatusCode::NOT_FOUND, "Not Found");
    };
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
    };
    let number = shared.requests.fetch_add(1, Ordering::Relaxed);
    let origin = event::Origin {
        domain: &shared.domain,
        source_ip: peer.ip().to_string(),
        request_id: format!("local-{}-{number}", std::process::id()),
        time: event::now(),
    };
    let event = event::of(&parts, &body, &route.key(), parameters, &origin);
    match shared.host.invoke(&route.function, event.to_string().into()).await {
        Ok(bytes) => answer::of(&bytes).unwrap_or_else(internal_error),
        Err(error) => {
            tracing::warn!(function = %route.function, %error, "the function gave no answer");
            internal_error()
        }
    }
}

/// What API Gateway answers when the function fails, takes too long or answers nonsense
fn internal_error() -> Response<Body> {
    message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
}

fn message(status: StatusCode, text: &str) -> Response<Body> {
    let body = serde_json::json!({ "message": text }).to_string();
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
