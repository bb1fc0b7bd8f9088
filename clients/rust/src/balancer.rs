//! Connections to all addresses of a gateway, used in turn.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use tonic::Status;
use tonic::transport::{Channel, Endpoint, Uri};

use crate::endpoint::{Tls, invalid};
use crate::error::Error;
use crate::transport::{configured, with_tls};

/// Names are looked up again after this time, or at once after a failure.
const RESOLVE_EVERY: Duration = Duration::from_secs(30);
/// An address that failed is passed over for this time if there are others.
const REST: Duration = Duration::from_secs(1);
/// Stands for the address of a Unix socket, of which there is one.
const NOWHERE: SocketAddr = SocketAddr::V4(std::net::SocketAddrV4::new(
    std::net::Ipv4Addr::UNSPECIFIED,
    0,
));

enum Target {
    Unix(String),
    Tcp {
        host: String,
        port: u16,
        origin: Uri,
        tls: Option<Tls>,
    },
}

struct Member {
    address: SocketAddr,
    channel: Channel,
    rests_until: Option<Instant>,
}

#[derive(Default)]
struct Members {
    all: Vec<Member>,
    next: usize,
    resolved_at: Option<Instant>,
}

/// The connection to use for one attempt.
pub(crate) struct Picked {
    pub(crate) channel: Channel,
    address: SocketAddr,
}

pub(crate) struct Balancer {
    target: Target,
    members: Mutex<Members>,
}

impl Balancer {
    pub(crate) fn new(address: &str, tls: Option<&Tls>) -> Result<Self, Error> {
        let target = match address.strip_prefix("unix:") {
            Some(_) if tls.is_some() => {
                return Err(invalid("TLS over a Unix socket is not offered"));
            }
            Some(_) => Target::Unix(address.to_owned()),
            None => tcp(address, tls)?,
        };
        target.endpoint(NOWHERE)?; // so that what cannot be used is told now
        Ok(Self {
            target,
            members: Mutex::default(),
        })
    }

    /// The next connection. UNAVAILABLE if the name has no address.
    pub(crate) async fn pick(&self) -> Result<Picked, Status> {
        let mut members = self.members.lock().await;
        let stale = members
            .resolved_at
            .is_none_or(|at| at.elapsed() > RESOLVE_EVERY);
        if stale {
            self.resolve(&mut members).await?;
        }
        members
            .pick()
            .ok_or_else(|| Status::unavailable("the gateway's name has no address"))
    }

    /// Notes that an attempt could not be made over this connection.
    pub(crate) async fn failed(&self, picked: &Picked) {
        let mut members = self.members.lock().await;
        let now = Instant::now();
        if members.resolved_at.is_some_and(|at| now - at > REST) {
            members.resolved_at = None;
        }
        for member in members
            .all
            .iter_mut()
            .filter(|member| member.address == picked.address)
        {
            member.rests_until = Some(now + REST);
        }
    }

    async fn resolve(&self, members: &mut Members) -> Result<(), Status> {
        let addresses: Vec<SocketAddr> = match &self.target {
            Target::Unix(_) => vec![NOWHERE],
            Target::Tcp { host, port, .. } => {
                match tokio::net::lookup_host((host.as_str(), *port)).await {
                    Ok(found) => found.collect(),
                    // What was known is better than nothing.
                    Err(_) if !members.all.is_empty() => return Ok(()),
                    Err(_) => {
                        return Err(Status::unavailable(format!("{host} could not be resolved")));
                    }
                }
            }
        };
        members
            .all
            .retain(|member| addresses.contains(&member.address));
        for address in addresses {
            if members.all.iter().any(|member| member.address == address) {
                continue;
            }
            let endpoint = self.target.endpoint(address);
            let endpoint = endpoint.map_err(|error| Status::unavailable(error.to_string()))?;
            let channel = endpoint.connect_lazy();
            members.all.push(Member {
                address,
                channel,
                rests_until: None,
            });
        }
        members.resolved_at = Some(Instant::now());
        Ok(())
    }
}

impl Members {
    fn pick(&mut self) -> Option<Picked> {
        let now = Instant::now();
        let count = self.all.len();
        let in_turn = (0..count).map(|step| (self.next + step) % count);
        let rested = |index: &usize| {
            self.all[*index]
                .rests_until
                .is_none_or(|until| until <= now)
        };
        let index = in_turn
            .clone()
            .find(rested)
            .or_else(|| in_turn.clone().next())?;
        self.next = index + 1;
        let member = &self.all[index];
        Some(Picked {
            channel: member.channel.clone(),
            address: member.address,
        })
    }
}

impl Target {
    fn endpoint(&self, address: SocketAddr) -> Result<Endpoint, Error> {
        let (host, origin, tls) = match self {
            Self::Unix(path) => return configured(path.parse().map_err(|_| refused(path))?),
            Self::Tcp {
                host, origin, tls, ..
            } => (host, origin, tls),
        };
        let scheme = origin.scheme_str().unwrap_or("http");
        let uri = format!("{scheme}://{address}");
        let endpoint = configured(uri.parse().map_err(|_| refused(&uri))?)?.origin(origin.clone());
        match tls {
            None => Ok(endpoint),
            Some(tls) => with_tls(endpoint, tls, host),
        }
    }
}

fn tcp(address: &str, tls: Option<&Tls>) -> Result<Target, Error> {
    let authority = address
        .strip_prefix("dns:")
        .unwrap_or(address)
        .trim_start_matches('/');
    let scheme = if tls.is_some() { "https" } else { "http" };
    let origin: Uri = format!("{scheme}://{authority}")
        .parse()
        .map_err(|_| refused(address))?;
    let (Some(host), Some(port)) = (origin.host(), origin.port_u16()) else {
        return Err(refused(address));
    };
    let host = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    Ok(Target::Tcp {
        host,
        port,
        origin,
        tls: tls.cloned(),
    })
}

fn refused(address: &str) -> Error {
    invalid(format!(
        "the address must be host:port or unix:/path, not {address:?}"
    ))
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    fn ports(picked: &[Picked]) -> Vec<u16> {
        picked.iter().map(|picked| picked.address.port()).collect()
    }

    #[tokio::test]
    async fn addresses_take_turns_and_those_that_failed_rest() {
        let balancer = Balancer::new("localhost:1", None).unwrap();
        let member = |port| Member {
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            channel: Endpoint::from_static("http://127.0.0.1:1").connect_lazy(),
            rests_until: None,
        };
        *balancer.members.lock().await = Members {
            all: [1, 2, 3].map(member).into(),
            next: 0,
            resolved_at: Some(Instant::now()),
        };
        let mut picked = Vec::new();
        for _ in 0..4 {
            picked.push(balancer.pick().await.unwrap());
        }
        assert_eq!(ports(&picked), [1, 2, 3, 1]);
        balancer.failed(&picked[1]).await;
        let next = [
            balancer.pick().await.unwrap(),
            balancer.pick().await.unwrap(),
        ];
        assert_eq!(ports(&next), [3, 1]);
        for failed in &picked {
            balancer.failed(failed).await;
        }
        assert_eq!(ports(&[balancer.pick().await.unwrap()]), [2]);
    }

    #[tokio::test]
    async fn a_name_is_looked_up_and_kept_as_the_authority() {
        let balancer = Balancer::new("dns:///localhost:7", None).unwrap();
        assert_eq!(balancer.pick().await.unwrap().address.port(), 7);
        let Target::Tcp { origin, .. } = &balancer.target else {
            panic!("no TCP")
        };
        assert_eq!(origin.authority().unwrap(), "localhost:7");
        let address = Balancer::new("[::1]:7", None)
            .unwrap()
            .pick()
            .await
            .unwrap()
            .address;
        assert_eq!(address.to_string(), "[::1]:7");
        let nobody = Balancer::new("nobody.invalid:7", None)
            .unwrap()
            .pick()
            .await;
        assert_eq!(nobody.err().unwrap().code(), Code::Unavailable);
    }
}
