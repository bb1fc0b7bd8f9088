//! Which calls are sent again, and when: the retry policy that all clients share, by hand.
//!
//! The numbers are those of `clients/service_config.json`; the rules are those of gRPC's proposal
//! A6. A call is sent again only while nothing of its answer has come.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tonic::{Code, Status};

pub(crate) const MAX_ATTEMPTS: u32 = 5;
pub(crate) const INITIAL_BACKOFF: Duration = Duration::from_millis(200);
pub(crate) const MAX_BACKOFF: Duration = Duration::from_secs(2);
pub(crate) const BACKOFF_MULTIPLIER: u32 = 2;
pub(crate) const MAX_TOKENS: u32 = 1000;
/// A success gives back this many thousandths of a token.
pub(crate) const TOKEN_RATIO_MILLI: u32 = 200;

const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// Stops retries while most calls of a client fail.
#[derive(Debug)]
pub(crate) struct Throttle {
    milli_tokens: AtomicU32,
}

impl Throttle {
    pub(crate) fn new() -> Self {
        Self {
            milli_tokens: AtomicU32::new(MAX_TOKENS * 1000),
        }
    }

    pub(crate) fn succeeded(&self) {
        self.change(|tokens| (tokens + TOKEN_RATIO_MILLI).min(MAX_TOKENS * 1000));
    }

    /// Notes a failure; tells whether retries are still allowed.
    fn failed(&self) -> bool {
        self.change(|tokens| tokens.saturating_sub(1000)) > MAX_TOKENS * 1000 / 2
    }

    fn change(&self, next: impl Fn(u32) -> u32) -> u32 {
        let (order, load) = (Ordering::Relaxed, Ordering::Relaxed);
        let before = self
            .milli_tokens
            .fetch_update(order, load, |tokens| Some(next(tokens)));
        next(before.unwrap_or_else(|unchanged| unchanged))
    }
}

/// The attempts of one call.
#[derive(Debug)]
pub(crate) struct Attempts {
    made: u32,
}

impl Attempts {
    pub(crate) fn new() -> Self {
        Self { made: 0 }
    }

    /// How long to wait before the next attempt after one that failed; None if there is none.
    pub(crate) fn next(
        &mut self,
        code: Code,
        status: &Status,
        throttle: &Throttle,
    ) -> Option<Duration> {
        self.made += 1;
        let pushback = pushback_ms(status);
        if code != Code::Unavailable && pushback.is_none_or(|ms| ms >= 0) {
            return None;
        }
        let allowed = throttle.failed() && self.made < MAX_ATTEMPTS && code == Code::Unavailable;
        match pushback {
            _ if !allowed => None,
            Some(ms) => u64::try_from(ms).ok().map(Duration::from_millis),
            None => Some(self.backoff().mul_f64(0.8 + 0.4 * random())),
        }
    }

    fn backoff(&self) -> Duration {
        let growth = BACKOFF_MULTIPLIER.saturating_pow(self.made - 1);
        INITIAL_BACKOFF.saturating_mul(growth).min(MAX_BACKOFF)
    }
}

/// What the gateway says about another try: milliseconds to wait, or never if negative.
fn pushback_ms(status: &Status) -> Option<i64> {
    let value = status.metadata().get(PUSHBACK)?;
    // Anything that is no number forbids a retry as well, says A6.
    Some(
        value
            .to_str()
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(-1),
    )
}

/// In [0, 1): the standard library's hash keys are random, and nothing better is needed here.
fn random() -> f64 {
    f64::from((RandomState::new().hash_one(()) >> 32) as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(pushback: Option<&'static str>) -> Status {
        let mut status = Status::unavailable("not now");
        if let Some(value) = pushback {
            status
                .metadata_mut()
                .insert(PUSHBACK, value.parse().unwrap());
        }
        status
    }

    #[test]
    fn waits_grow_up_to_five_attempts() {
        let (mut attempts, throttle) = (Attempts::new(), Throttle::new());
        let mut next = || attempts.next(Code::Unavailable, &status(None), &throttle);
        for expected_ms in [200.0, 400.0, 800.0, 1600.0] {
            let wait_ms = next().unwrap().as_secs_f64() * 1e3;
            assert!((0.8..=1.2).contains(&(wait_ms / expected_ms)), "{wait_ms}");
        }
        assert_eq!(next(), None);
    }

    #[test]
    fn the_gateway_decides_whether_and_when() {
        let throttle = Throttle::new();
        let next = |code, pushback| Attempts::new().next(code, &status(pushback), &throttle);
        assert_eq!(
            next(Code::Unavailable, Some("70")),
            Some(Duration::from_millis(70))
        );
        assert_eq!(next(Code::Unavailable, Some("-1")), None);
        assert_eq!(next(Code::Unavailable, Some("soon")), None);
        assert_eq!(next(Code::Internal, None), None);
        assert_eq!(next(Code::Internal, Some("70")), None);
    }

    #[test]
    fn retries_stop_while_half_of_the_tokens_are_gone() {
        let throttle = Throttle::new();
        let next = || Attempts::new().next(Code::Unavailable, &status(None), &throttle);
        assert_eq!((0..1000).filter(|_| next().is_some()).count(), 499);
        (0..3000).for_each(|_| throttle.succeeded());
        assert!(next().is_some());
    }

    #[test]
    fn the_policy_is_the_one_that_all_clients_share() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../service_config.json");
        let config: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let methods = &config["methodConfig"][0];
        assert_eq!(methods["name"].as_array().unwrap().len(), 2);
        assert_eq!(
            methods["retryPolicy"],
            serde_json::json!({
                "maxAttempts": MAX_ATTEMPTS,
                "initialBackoff": format!("{}s", INITIAL_BACKOFF.as_secs_f64()),
                "maxBackoff": format!("{}s", MAX_BACKOFF.as_secs_f64()),
                "backoffMultiplier": BACKOFF_MULTIPLIER,
                "retryableStatusCodes": ["UNAVAILABLE"],
            })
        );
        assert_eq!(config["retryThrottling"]["maxTokens"], MAX_TOKENS);
        assert_eq!(
            config["retryThrottling"]["tokenRatio"],
            f64::from(TOKEN_RATIO_MILLI) / 1e3
        );
        assert_eq!(
            config["loadBalancingConfig"],
            serde_json::json!([{"round_robin": {}}])
        );
    }
}
