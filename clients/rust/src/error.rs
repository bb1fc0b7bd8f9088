//! What can go wrong with a call, decoded from gRPC statuses and their details.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use prost::Message;
use tonic::{Code, Status};

use crate::rpc;

pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

/// A call that failed: every failure that the gateway, gRPC or the connection reports is one.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: Code,
    message: String,
    reason: String,
    metadata: HashMap<String, String>,
    retry_delay: Option<Duration>,
    violations: Vec<Violation>,
    resource: Option<Resource>,
    broken_stream: bool,
    source: Option<BoxError>,
}

/// One thing that stood in the way of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path of a field such as `messages[0].role`, or the subject of a quota or a precondition.
    pub subject: String,
    /// What is wrong with it.
    pub description: String,
}

/// The resource that an error is about, such as type `model` and name `gpt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// What it is.
    pub kind: String,
    /// Which one.
    pub name: String,
}

impl Error {
    /// The gRPC status code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// What happened, for a person.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Name of a value of the contract's `ErrorReason`, such as `ERROR_REASON_RATE_LIMITED`;
    /// empty if the failure did not come from the gateway.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// How long the gateway asks to wait before another try, if it says so.
    #[must_use]
    pub fn retry_delay(&self) -> Option<Duration> {
        self.0.retry_delay
    }

    /// The fields, quotas or preconditions that stood in the way.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.0.violations
    }

    /// What the error is about, where it is about one thing.
    #[must_use]
    pub fn resource(&self) -> Option<&Resource> {
        self.0.resource.as_ref()
    }

    /// What else the gateway tells, such as the `phase` that spent a deadline.
    #[must_use]
    pub fn metadata(&self) -> &HashMap<String, String> {
        &self.0.metadata
    }

    /// The gateway's name for the call; empty if the call did not reach it.
    #[must_use]
    pub fn operation_id(&self) -> &str {
        self.0
            .metadata
            .get("operation_id")
            .map_or("", String::as_str)
    }

    /// Whether a stream ended before its answer was whole. What came before is valid, but the call
    /// is not one that can simply be sent again.
    #[must_use]
    pub fn is_broken_stream(&self) -> bool {
        self.0.broken_stream
    }

    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            message: message.into(),
            reason: String::new(),
            metadata: HashMap::new(),
            retry_delay: None,
            violations: Vec::new(),
            resource: None,
            broken_stream: code == Code::Aborted,
            source: None,
        }))
    }

    pub(crate) fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    pub(crate) fn deadline() -> Self {
        Self::new(
            Code::DeadlineExceeded,
            "the time given to the call is spent",
        )
    }

    pub(crate) fn broken(message: &str) -> Self {
        let mut error = Self::new(Code::DataLoss, message);
        error.0.broken_stream = true;
        error
    }

    /// What the error means once a stream has begun: a connection that is lost then must not look
    /// like a call that can simply be sent again.
    pub(crate) fn cut_off(mut self) -> Self {
        let plain = matches!(self.0.code, Code::Cancelled | Code::DeadlineExceeded);
        self.0.broken_stream |= self.0.reason.is_empty() && !plain;
        self
    }

    /// The error for a status that came from the wire, or that tonic made up for a connection
    /// that broke. The latter says UNAVAILABLE, as every other gRPC does.
    pub(crate) fn from_status(status: Status) -> Self {
        let local = status.source().is_some();
        let vague = matches!(
            status.code(),
            Code::Unknown | Code::Cancelled | Code::Internal
        );
        if local && vague {
            return Self::new(Code::Unavailable, "the connection to the gateway broke")
                .with_source(status);
        }
        let mut error = Self::new(status.code(), status.message());
        if let Ok(details) = rpc::Status::decode(status.details()) {
            error.read(&details);
        }
        error.with_source(status)
    }

    /// The error for a status inside a message, such as that of an item of a batch.
    pub(crate) fn from_details(details: &rpc::Status) -> Self {
        let mut error = Self::new(Code::from(details.code), details.message.as_str());
        error.read(details);
        error
    }

    fn read(&mut self, status: &rpc::Status) {
        let inner = &mut *self.0;
        if let Some(info) = detail::<rpc::ErrorInfo>(status, "ErrorInfo") {
            inner.reason = info.reason;
            inner.metadata = info.metadata;
        }
        inner.retry_delay = detail::<rpc::RetryInfo>(status, "RetryInfo")
            .and_then(|info| info.retry_delay)
            .and_then(|delay| Duration::try_from(delay).ok());
        inner.resource = detail::<rpc::ResourceInfo>(status, "ResourceInfo").map(|info| Resource {
            kind: info.resource_type,
            name: info.resource_name,
        });
        inner.violations = violations(status);
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            "" => write!(f, "{:?}", self.code())?,
            reason => f.write_str(reason)?,
        }
        write!(f, ": {}", self.message())?;
        for Violation {
            subject,
            description,
        } in self.violations()
        {
            write!(f, "; {subject}: {description}")?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

fn violations(status: &rpc::Status) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut add = |subject, description| {
        found.push(Violation {
            subject,
            description,
        });
    };
    for v in detail::<rpc::BadRequest>(status, "BadRequest")
        .unwrap_or_default()
        .field_violations
    {
        add(v.field, v.description);
    }
    for v in detail::<rpc::QuotaFailure>(status, "QuotaFailure")
        .unwrap_or_default()
        .violations
    {
        add(v.subject, v.description);
    }
    for v in detail::<rpc::PreconditionFailure>(status, "PreconditionFailure")
        .unwrap_or_default()
        .violations
    {
        add(v.subject, v.description);
    }
    found
}

/// The first detail of a type; None if there is none that can be read.
fn detail<M: Message + Default>(status: &rpc::Status, name: &str) -> Option<M> {
    let url = format!("/google.rpc.{name}");
    let packed = status
        .details
        .iter()
        .find(|packed| packed.type_url.ends_with(&url))?;
    M::decode(packed.value.as_slice()).ok()
}
