//! Puts an answer together from the events of a stream, and knows whether it is whole.

use std::collections::{BTreeMap, HashMap};

use crate::error::Error;
use crate::v1::stream_generate_response::Event;
use crate::v1::{
    Candidate, GenerateResponse, Media, MediaDelta, MediaDeltaKind, Part, Reasoning,
    ReasoningDelta, StreamCompleted, StreamGenerateResponse, ToolCall, ToolCallDelta, media, part,
};

/// What has come of one stream.
#[derive(Debug, Default)]
pub(crate) struct Record {
    answer: GenerateResponse,
    candidates: BTreeMap<u32, Building>,
    next: u64,
    completed: bool,
}

/// A candidate in the making: its parts in the order in which they began.
#[derive(Debug, Default)]
struct Building {
    candidate: Candidate,
    /// Where in the parts each tool call is.
    calls: HashMap<u32, usize>,
}

impl Record {
    /// Takes the next event. `DataLoss` if one is missing or comes too late.
    pub(crate) fn add(&mut self, event: &StreamGenerateResponse) -> Result<(), Error> {
        if self.completed {
            return Err(Error::broken("an event came after the last"));
        }
        if event.sequence != self.next {
            return Err(Error::broken("an event was lost"));
        }
        self.next += 1;
        if let Some(what) = &event.event {
            self.take(event.candidate_index, what);
        }
        Ok(())
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.next > 0
    }

    pub(crate) fn is_completed(&self) -> bool {
        self.completed
    }

    /// The answer as far as it has come.
    pub(crate) fn snapshot(&self) -> GenerateResponse {
        let candidates = self
            .candidates
            .values()
            .map(|building| building.candidate.clone());
        GenerateResponse {
            candidates: candidates.collect(),
            ..self.answer.clone()
        }
    }

    fn take(&mut self, index: u32, event: &Event) {
        match event {
            Event::Start(start) => {
                self.answer.operation_id.clone_from(&start.operation_id);
                self.answer.answered_by.clone_from(&start.answered_by);
            }
            Event::Usage(usage) => self.answer.usage = Some(*usage),
            Event::Attempt(attempt) => {
                let report = self.answer.report.get_or_insert_default();
                report.attempts.push(attempt.clone());
            }
            Event::Completed(end) => self.complete(end),
            _ => {
                let building = self.candidates.entry(index).or_default();
                building.candidate.index = index;
                building.add(event);
            }
        }
    }

    fn complete(&mut self, end: &StreamCompleted) {
        self.completed = true;
        self.answer.report.clone_from(&end.report);
        self.answer.usage = end.usage.or(self.answer.usage);
        self.answer.cost = end.cost.or(self.answer.cost);
    }
}

impl Building {
    fn add(&mut self, event: &Event) {
        match event {
            Event::TextDelta(text) => self.add_text(text),
            Event::ReasoningDelta(delta) => self.add_reasoning(delta),
            Event::ToolCallDelta(delta) => self.add_call(delta),
            Event::MediaDelta(delta) => self.add_media(delta),
            Event::Logprobs(delta) => self.candidate.logprobs.extend(delta.tokens.iter().cloned()),
            Event::Finish(finish) => self.candidate.finish = Some(finish.clone()),
            _ => {} // an event of the whole call
        }
    }

    fn last(&mut self) -> Option<&mut part::Content> {
        self.candidate.parts.last_mut()?.content.as_mut()
    }

    fn begin(&mut self, content: part::Content) {
        self.candidate.parts.push(Part {
            content: Some(content),
        });
    }

    fn add_text(&mut self, delta: &str) {
        match self.last() {
            Some(part::Content::Text(text)) => text.push_str(delta),
            _ => self.begin(part::Content::Text(delta.to_owned())),
        }
    }

    fn add_reasoning(&mut self, delta: &ReasoningDelta) {
        match self.last() {
            Some(part::Content::Reasoning(begun))
                if begun.signature.is_empty() && begun.redacted == delta.redacted =>
            {
                begun.text.push_str(&delta.text);
                begun.signature.clone_from(&delta.signature);
            }
            _ => self.begin(part::Content::Reasoning(Reasoning {
                text: delta.text.clone(),
                signature: delta.signature.clone(),
                redacted: delta.redacted,
            })),
        }
    }

    fn add_call(&mut self, delta: &ToolCallDelta) {
        let parts = &mut self.candidate.parts;
        let place = *self.calls.entry(delta.call_index).or_insert_with(|| {
            parts.push(part::Content::ToolCall(ToolCall::default()).into());
            parts.len() - 1
        });
        if let Some(part::Content::ToolCall(call)) = &mut parts[place].content {
            if call.id.is_empty() {
                call.id.clone_from(&delta.id);
            }
            if call.name.is_empty() {
                call.name.clone_from(&delta.name);
            }
            call.arguments_json.push_str(&delta.arguments_json_fragment);
        }
    }

    fn add_media(&mut self, delta: &MediaDelta) {
        let Some(media) = &delta.media else { return };
        if delta.kind() != MediaDeltaKind::Audio {
            return self.begin(part::Content::Image(media.clone()));
        }
        match (self.last(), &media.source) {
            (
                Some(part::Content::Audio(Media {
                    source: Some(media::Source::Data(begun)),
                    ..
                })),
                Some(media::Source::Data(more)),
            ) => begun.extend_from_slice(more),
            _ => self.begin(part::Content::Audio(media.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(events: Vec<(u32, Event)>) -> Record {
        let mut record = Record::default();
        for (sequence, (candidate_index, event)) in (0..).zip(events) {
            let event = StreamGenerateResponse {
                sequence,
                candidate_index,
                event: Some(event),
            };
            record.add(&event).unwrap();
        }
        record
    }

    fn call(call_index: u32, id: &str, fragment: &str) -> (u32, Event) {
        let delta = ToolCallDelta {
            call_index,
            id: id.into(),
            name: id.into(),
            arguments_json_fragment: fragment.into(),
        };
        (0, Event::ToolCallDelta(delta))
    }

    fn thought(text: &str, signature: &[u8]) -> (u32, Event) {
        let signature = signature.to_vec();
        (
            0,
            Event::ReasoningDelta(ReasoningDelta {
                text: text.into(),
                signature,
                redacted: false,
            }),
        )
    }

    fn sound(byte: u8) -> (u32, Event) {
        let media = Some(Media::bytes("audio/wav", [byte]));
        (
            0,
            Event::MediaDelta(MediaDelta {
                kind: MediaDeltaKind::Audio.into(),
                media,
            }),
        )
    }

    #[test]
    fn parts_stand_in_the_order_in_which_they_began() {
        let answer = recorded(vec![
            thought("h", b""),
            thought("m", b"proof"),
            thought("again", b""),
            (0, Event::TextDelta("Hel".into())),
            (1, Event::TextDelta("other".into())),
            (0, Event::TextDelta("lo".into())),
            call(0, "a", "{\"x\""),
            call(1, "b", "{}"),
            call(0, "", ":1}"),
            sound(1),
            sound(2),
        ])
        .snapshot();
        assert_eq!(answer.text(), "Hello");
        assert_eq!(answer.reasoning(), "hmagain");
        let calls: Vec<_> = answer.tool_calls().cloned().collect();
        assert_eq!(
            calls,
            [
                ToolCall::new("a", "a", "{\"x\":1}"),
                ToolCall::new("b", "b", "{}")
            ]
        );
        let parts = &answer.candidates[0].parts;
        assert_eq!(parts.len(), 6);
        assert_eq!(parts[5], Part::audio(Media::bytes("audio/wav", [1, 2])));
        assert_eq!(answer.candidates[1].parts, [Part::text("other")]);
    }

    #[test]
    fn an_event_may_neither_be_missing_nor_come_after_the_last() {
        let mut record = recorded(vec![(0, Event::Completed(StreamCompleted::default()))]);
        let late = StreamGenerateResponse {
            sequence: 1,
            ..Default::default()
        };
        assert!(record.is_completed());
        assert!(record.add(&late).unwrap_err().is_broken_stream());
        let error = Record::default().add(&late).unwrap_err();
        assert_eq!(
            (error.code(), error.message()),
            (tonic::Code::DataLoss, "an event was lost")
        );
    }
}
