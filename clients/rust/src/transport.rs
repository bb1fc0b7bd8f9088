//! Settings of a connection: keepalive, windows, TLS.

use std::time::Duration;

use tonic::Code;
use tonic::transport::Endpoint;
#[cfg(feature = "tls")]
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use crate::endpoint::{Tls, invalid};
use crate::error::Error;

const KEEPALIVE_TIME: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// `endpoint` with the settings that all connections have.
pub(crate) fn configured(endpoint: Endpoint) -> Result<Endpoint, Error> {
    Ok(endpoint
        .user_agent(concat!("interlingua-rust/", env!("CARGO_PKG_VERSION")))
        .map_err(|error| invalid(error.to_string()))?
        .connect_timeout(CONNECT_TIMEOUT)
        // The gateway refuses pings that come more often than every 5 seconds.
        .http2_keep_alive_interval(KEEPALIVE_TIME)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(1024 * 1024)
        .initial_connection_window_size(4 * 1024 * 1024))
}

/// `endpoint` with TLS. `InvalidArgument` for texts that are no certificates or keys.
#[cfg(feature = "tls")]
pub(crate) fn with_tls(endpoint: Endpoint, tls: &Tls, host: &str) -> Result<Endpoint, Error> {
    let identity = tls.identity.iter().flat_map(|(chain, key)| [chain, key]);
    for pem in tls.root_certificates.iter().chain(identity) {
        // rustls takes a text without any certificate for an empty list of them.
        if !pem.contains("-----BEGIN") {
            return Err(invalid(
                "certificates and keys of TLS are PEM texts, not paths or DER",
            ));
        }
    }
    let name = tls.server_name.as_deref().unwrap_or(host);
    let mut config = ClientTlsConfig::new().domain_name(name);
    config = match &tls.root_certificates {
        Some(pem) => config.ca_certificate(Certificate::from_pem(pem)),
        None => config.with_native_roots(),
    };
    if let Some((chain, key)) = &tls.identity {
        config = config.identity(Identity::from_pem(chain, key));
    }
    endpoint.tls_config(config).map_err(|error| {
        Error::new(Code::InvalidArgument, "TLS cannot be set up so").with_source(error)
    })
}

#[cfg(not(feature = "tls"))]
pub(crate) fn with_tls(_: Endpoint, _: &Tls, _: &str) -> Result<Endpoint, Error> {
    Err(Error::new(
        Code::Unimplemented,
        "TLS needs the feature `tls` of the crate interlingua",
    ))
}
