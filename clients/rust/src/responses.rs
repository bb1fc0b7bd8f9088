//! What one wants of responses most often; the rest is in their fields.

use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::v1::{
    BatchGenerateResponse, Cost, EmbedResponse, Embedding, FinishReason, GenerateResponse, Message,
    Part, Role, ToolCall, batch_generate_response, part,
};

/// What is said of one candidate here is said of the first; `candidates` has all.
impl GenerateResponse {
    /// The text parts, joined; empty if the model only called tools.
    #[must_use]
    pub fn text(&self) -> String {
        let texts = self.contents().filter_map(|content| match content {
            part::Content::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    /// What the model shows of its reasoning, joined; empty if nothing.
    #[must_use]
    pub fn reasoning(&self) -> String {
        let texts = self.contents().filter_map(|content| match content {
            part::Content::Reasoning(reasoning) => Some(reasoning.text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    /// The calls that the model wants made.
    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.contents().filter_map(|content| match content {
            part::Content::ToolCall(call) => Some(call),
            _ => None,
        })
    }

    /// The answer as a message, to be appended to the conversation when it goes on: it keeps tool
    /// calls and reasoning as the model sent them.
    #[must_use]
    pub fn message(&self) -> Message {
        Message {
            role: Role::Assistant.into(),
            parts: self.parts().to_vec(),
            name: String::new(),
        }
    }

    /// Why it ended; `Unspecified` if it has not.
    #[must_use]
    pub fn finish_reason(&self) -> FinishReason {
        let finish = self
            .candidates
            .first()
            .and_then(|first| first.finish.as_ref());
        finish.map_or(FinishReason::Unspecified, |finish| {
            FinishReason::try_from(finish.reason).unwrap_or(FinishReason::Other)
        })
    }

    /// The text as a value of your type, for a response format of JSON.
    ///
    /// # Errors
    ///
    /// If it is no JSON, as when the model ran out of tokens, or none of this type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.text())
    }

    /// What the call cost in USD; None if the price of the model is unknown.
    #[must_use]
    pub fn cost_usd(&self) -> Option<f64> {
        self.cost.as_ref().map(usd)
    }

    fn parts(&self) -> &[Part] {
        self.candidates.first().map_or(&[], |first| &first.parts)
    }

    fn contents(&self) -> impl Iterator<Item = &part::Content> {
        self.parts().iter().filter_map(|part| part.content.as_ref())
    }
}

impl EmbedResponse {
    /// The vectors, in the order of the inputs.
    pub fn vectors(&self) -> impl ExactSizeIterator<Item = Vec<f32>> {
        self.embeddings.iter().map(Embedding::vector)
    }

    /// What the call cost in USD; None if the price of the model is unknown.
    #[must_use]
    pub fn cost_usd(&self) -> Option<f64> {
        self.cost.as_ref().map(usd)
    }
}

impl Embedding {
    /// The numbers, whichever way they came.
    #[must_use]
    pub fn vector(&self) -> Vec<f32> {
        if !self.values.is_empty() {
            return self.values.clone();
        }
        let (numbers, _) = self.float32_le.as_chunks::<4>();
        numbers
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect()
    }
}

/// The results of a batch in the order of its requests. A request without a result has in its place
/// how the stream of results failed. The error if nothing had arrived.
pub(crate) fn batch_results(
    count: usize,
    arrived: Vec<BatchGenerateResponse>,
    failure: Option<&tonic::Status>,
) -> Result<Vec<Result<GenerateResponse, Error>>, Error> {
    if let Some(status) = failure.filter(|_| arrived.is_empty()) {
        return Err(Error::from_status(status.clone()));
    }
    let missing = || match failure {
        Some(status) => Error::from_status(status.clone()).cut_off(),
        None => Error::broken("no result was sent"),
    };
    let mut results: Vec<_> = (0..count).map(|_| Err(missing())).collect();
    for BatchGenerateResponse { index, result } in arrived {
        let place = usize::try_from(index)
            .ok()
            .and_then(|index| results.get_mut(index));
        if let (Some(place), Some(result)) = (place, result) {
            *place = item(result);
        }
    }
    Ok(results)
}

fn item(result: batch_generate_response::Result) -> Result<GenerateResponse, Error> {
    match result {
        batch_generate_response::Result::Response(response) => Ok(response),
        batch_generate_response::Result::Error(status) => Err(Error::from_details(&status)),
    }
}

#[allow(clippy::cast_precision_loss)] // 2^53 nano-USD are 9 million USD
fn usd(cost: &Cost) -> f64 {
    cost.cost_nano_usd as f64 / 1e9
}
