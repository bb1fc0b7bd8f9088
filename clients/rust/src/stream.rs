//! A streamed answer.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Streaming;

use crate::assembly::Record;
use crate::error::Error;
use crate::v1::stream_generate_response::Event;
use crate::v1::{GenerateResponse, StreamGenerateResponse};

/// The events of an answer as they come, as messages of the contract.
///
/// It ends with `None` only after the whole answer; otherwise its last item is the error. Dropping
/// it cancels what has not ended, and the gateway then ends it at the provider.
pub struct GenerateStream {
    events: Streaming<StreamGenerateResponse>,
    deadline: Pin<Box<Sleep>>,
    record: Record,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Whole,
    Failed,
}

impl fmt::Debug for GenerateStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GenerateStream")
            .field("record", &self.record)
            .finish_non_exhaustive()
    }
}

impl GenerateStream {
    pub(crate) fn new(events: Streaming<StreamGenerateResponse>, deadline: Instant) -> Self {
        Self {
            events,
            deadline: Box::pin(sleep_until(deadline)),
            record: Record::default(),
            state: State::Open,
        }
    }

    /// The next event; None after the whole answer.
    ///
    /// # Errors
    ///
    /// What the stream failed of.
    pub async fn next_event(&mut self) -> Result<Option<StreamGenerateResponse>, Error> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context))
            .await
            .transpose()
    }

    /// More text of the first candidate; skips every other event. None after the whole answer.
    ///
    /// # Errors
    ///
    /// What the stream failed of.
    pub async fn next_text(&mut self) -> Result<Option<String>, Error> {
        while let Some(event) = self.next_event().await? {
            if let (0, Some(Event::TextDelta(text))) = (event.candidate_index, event.event) {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    /// Reads the rest and returns the whole answer.
    ///
    /// # Errors
    ///
    /// What the stream failed of.
    pub async fn collect(mut self) -> Result<GenerateResponse, Error> {
        while self.next_event().await?.is_some() {}
        self.response()
            .ok_or_else(|| Error::broken("the stream had failed before"))
    }

    /// The whole answer, once the stream has ended well.
    #[must_use]
    pub fn response(&self) -> Option<GenerateResponse> {
        (self.state == State::Whole).then(|| self.record.snapshot())
    }

    /// The answer as far as it has been read, whole or not.
    #[must_use]
    pub fn partial(&self) -> GenerateResponse {
        self.record.snapshot()
    }

    fn poll_event(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<StreamGenerateResponse>, Error>> {
        let Poll::Ready(next) = Pin::new(&mut self.events).poll_next(context) else {
            ready!(self.deadline.as_mut().poll(context));
            return Poll::Ready(Err(Error::deadline()));
        };
        Poll::Ready(match next.transpose() {
            Ok(Some(event)) => self.record.add(&event).map(|()| Some(event)),
            Ok(None) if self.record.is_completed() => Ok(None),
            Ok(None) => Err(Error::broken("the stream ended without its last event")),
            Err(status) => {
                let error = Error::from_status(status);
                Err(if self.record.has_begun() {
                    error.cut_off()
                } else {
                    error
                })
            }
        })
    }
}

impl Stream for GenerateStream {
    type Item = Result<StreamGenerateResponse, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.state != State::Open {
            return Poll::Ready(None);
        }
        let next = ready!(self.poll_event(context));
        self.state = match &next {
            Ok(Some(_)) => State::Open,
            Ok(None) => State::Whole,
            Err(_) => State::Failed,
        };
        Poll::Ready(next.transpose())
    }
}
