//! Where a gateway is and how to speak with it: address, TLS, credentials, time limits.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tonic::Code;
use tonic::metadata::{AsciiMetadataValue, MetadataMap};

use crate::error::{BoxError, Error};
use crate::{Client, balancer};

const ADDRESS_VARIABLE: &str = "INTERLINGUA_ADDRESS";
const DEFAULT_ADDRESS: &str = "127.0.0.1:50051";

type TokenFuture = Pin<Box<dyn Future<Output = Result<String, BoxError>> + Send>>;
type TokenSource = Arc<dyn Fn() -> TokenFuture + Send + Sync>;
type TraceSource = Arc<dyn Fn() -> Option<TraceContext> + Send + Sync>;

/// How to trust the gateway and, for mutual TLS, how to be trusted. All texts are PEM.
///
/// The default trusts the roots of the system. Needs the feature `tls`.
#[derive(Clone, Default)]
pub struct Tls {
    /// Whom to trust instead of the roots of the system.
    pub root_certificates: Option<String>,
    /// Who you are: a certificate chain, leaf first, and its private key.
    pub identity: Option<(String, String)>,
    /// The name to find in the gateway's certificate, if it is not the address's host.
    pub server_name: Option<String>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

/// A W3C trace context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceContext {
    /// The `traceparent` header.
    pub traceparent: String,
    /// The `tracestate` header; empty if there is none.
    pub tracestate: String,
}

#[derive(Clone)]
pub(crate) enum Credentials {
    None,
    Fixed(AsciiMetadataValue),
    Source(TokenSource),
}

/// Makes a [`Client`]; see [`Client::builder`].
#[must_use]
pub struct Builder {
    address: Option<String>,
    tls: Option<Tls>,
    api_key: Option<String>,
    token_source: Option<TokenSource>,
    trace_source: Option<TraceSource>,
    timeout: Option<Duration>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            address: None,
            tls: None,
            api_key: None,
            token_source: None,
            trace_source: None,
            timeout: None,
        }
    }

    /// `host:port`, `dns:///host:port` or `unix:/path`. Without it the environment's
    /// `INTERLINGUA_ADDRESS` counts, then `127.0.0.1:50051`.
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// TLS; plain text without it.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Sent as `authorization: Bearer ...`. Without TLS anybody on the way can read it.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// Asked at each call for what to send instead of an API key; refresh and cache in there.
    pub fn token_source<F, Fut, E>(mut self, source: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        self.token_source = Some(Arc::new(move || {
            let token = source();
            Box::pin(async { token.await.map_err(Into::into) })
        }));
        self
    }

    /// Asked at each call for the trace context to pass on.
    pub fn trace_context<F>(mut self, source: F) -> Self
    where
        F: Fn() -> Option<TraceContext> + Send + Sync + 'static,
    {
        self.trace_source = Some(Arc::new(source));
        self
    }

    /// Bounds each call that does not name its own limit.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Makes the client; it connects at its first call.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for an address, TLS or credentials that cannot be used; the message holds
    /// no secret.
    pub fn build(self) -> Result<Client, Error> {
        let address = self
            .address
            .or_else(|| {
                std::env::var(ADDRESS_VARIABLE)
                    .ok()
                    .filter(|named| !named.is_empty())
            })
            .unwrap_or_else(|| DEFAULT_ADDRESS.to_owned());
        let credentials = match (self.api_key, self.token_source) {
            (None, None) => Credentials::None,
            (Some(key), None) => Credentials::Fixed(bearer(&key).ok_or_else(|| {
                invalid("the API key is empty or holds a character that cannot stand in a header")
            })?),
            (None, Some(source)) => Credentials::Source(source),
            (Some(_), Some(_)) => return Err(invalid("give either an API key or a token source")),
        };
        let balancer = balancer::Balancer::new(&address, self.tls.as_ref())?;
        Ok(Client::made(
            balancer,
            Identity {
                credentials,
                trace_source: self.trace_source,
            },
            self.timeout,
        ))
    }
}

/// What goes out with each call.
#[derive(Clone)]
pub(crate) struct Identity {
    credentials: Credentials,
    trace_source: Option<TraceSource>,
}

impl Identity {
    /// Adds credentials and, where the call has none of its own, the trace context.
    pub(crate) async fn add_to(&self, metadata: &mut MetadataMap) -> Result<(), Error> {
        if !metadata.contains_key("traceparent")
            && let Some(trace) = self.trace_source.as_ref().and_then(|source| source())
        {
            add_trace(metadata, &trace)?;
        }
        let authorization = match &self.credentials {
            Credentials::None => return Ok(()),
            Credentials::Fixed(value) => value.clone(),
            Credentials::Source(source) => {
                let token = source().await.map_err(|cause| {
                    Error::new(Code::Unauthenticated, "the token source failed").with_source(cause)
                })?;
                bearer(&token).ok_or_else(|| {
                    Error::new(
                        Code::Unauthenticated,
                        "the token source gave no usable token",
                    )
                })?
            }
        };
        metadata.insert("authorization", authorization);
        Ok(())
    }
}

/// Puts a trace context into metadata. `InvalidArgument` if it cannot stand there.
pub(crate) fn add_trace(metadata: &mut MetadataMap, trace: &TraceContext) -> Result<(), Error> {
    for (key, value) in [
        ("traceparent", &trace.traceparent),
        ("tracestate", &trace.tracestate),
    ] {
        if !value.is_empty() {
            let value = value
                .parse()
                .map_err(|_| invalid("the trace context is no header"))?;
            metadata.insert(key, value);
        }
    }
    Ok(())
}

pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(Code::InvalidArgument, message)
}

fn bearer(token: &str) -> Option<AsciiMetadataValue> {
    let printable = !token.is_empty() && token.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    let mut value: AsciiMetadataValue = format!("Bearer {token}").parse().ok()?;
    value.set_sensitive(true);
    printable.then_some(value)
}
