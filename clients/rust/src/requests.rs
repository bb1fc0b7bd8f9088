//! Requests from prompts, and their most usual options; the others are fields to be set.

use crate::v1::{
    BatchGenerateRequest, EmbedInput, EmbedRequest, EmbeddingEncoding, GenerateRequest, Message,
    ReasoningEffort, ReasoningOptions, ResponseFormat, SamplingOptions, TokenIds, Tool, ToolChoice,
    embed_input,
};

impl From<Vec<Message>> for GenerateRequest {
    fn from(messages: Vec<Message>) -> Self {
        Self {
            messages,
            ..Self::default()
        }
    }
}

impl<const N: usize> From<[Message; N]> for GenerateRequest {
    fn from(messages: [Message; N]) -> Self {
        Vec::from(messages).into()
    }
}

impl From<&[Message]> for GenerateRequest {
    fn from(messages: &[Message]) -> Self {
        messages.to_vec().into()
    }
}

impl From<&str> for GenerateRequest {
    fn from(text: &str) -> Self {
        [Message::user(text)].into()
    }
}

impl From<String> for GenerateRequest {
    fn from(text: String) -> Self {
        [Message::user(text)].into()
    }
}

impl GenerateRequest {
    /// A request for a text of the user or a conversation.
    #[must_use]
    pub fn new(prompt: impl Into<Self>) -> Self {
        prompt.into()
    }

    /// An alias of the gateway; without one its `default` answers.
    #[must_use]
    pub fn with_model(mut self, model: impl Into<String>) -> Self {
        self.model = model.into();
        self
    }

    /// 0 is the most predictable; most models take up to 2.
    #[must_use]
    pub fn with_temperature(mut self, temperature: f64) -> Self {
        self.sampling().temperature = Some(temperature);
        self
    }

    /// Draw from the smallest set of tokens whose probabilities add up to this; in (0, 1].
    #[must_use]
    pub fn with_top_p(mut self, top_p: f64) -> Self {
        self.sampling().top_p = Some(top_p);
        self
    }

    /// Stop after this many tokens.
    #[must_use]
    pub fn with_max_output_tokens(mut self, tokens: u32) -> Self {
        self.sampling().max_output_tokens = Some(tokens);
        self
    }

    /// Stop before any of these texts.
    #[must_use]
    pub fn with_stop_sequences<T: Into<String>>(
        mut self,
        texts: impl IntoIterator<Item = T>,
    ) -> Self {
        self.sampling().stop_sequences = texts.into_iter().map(Into::into).collect();
        self
    }

    /// The same seed and request should give the same answer, as far as the provider can.
    #[must_use]
    pub fn with_seed(mut self, seed: i64) -> Self {
        self.sampling().seed = Some(seed);
        self
    }

    /// How many answers to generate.
    #[must_use]
    pub fn with_candidate_count(mut self, count: u32) -> Self {
        self.sampling().candidate_count = Some(count);
        self
    }

    /// Functions that the model may call.
    #[must_use]
    pub fn with_tools(mut self, tools: impl IntoIterator<Item = Tool>) -> Self {
        self.tools = tools.into_iter().collect();
        self
    }

    /// Whether and which tool must be called.
    #[must_use]
    pub fn with_tool_choice(mut self, choice: impl Into<ToolChoice>) -> Self {
        self.tool_choice = Some(choice.into());
        self
    }

    /// The form that the answer's text must have.
    #[must_use]
    pub fn with_response_format(mut self, format: ResponseFormat) -> Self {
        self.response_format = Some(format);
        self
    }

    /// How much the model should think first.
    #[must_use]
    pub fn with_reasoning_effort(mut self, effort: ReasoningEffort) -> Self {
        self.reasoning
            .get_or_insert_with(ReasoningOptions::default)
            .set_effort(effort);
        self
    }

    fn sampling(&mut self) -> &mut SamplingOptions {
        self.sampling.get_or_insert_with(SamplingOptions::default)
    }
}

impl<R: Into<GenerateRequest>> FromIterator<R> for BatchGenerateRequest {
    fn from_iter<I: IntoIterator<Item = R>>(requests: I) -> Self {
        let requests = requests.into_iter().map(Into::into).collect();
        Self {
            requests,
            max_parallel: None,
        }
    }
}

impl<R: Into<GenerateRequest>> From<Vec<R>> for BatchGenerateRequest {
    fn from(requests: Vec<R>) -> Self {
        requests.into_iter().collect()
    }
}

impl BatchGenerateRequest {
    /// How many to run at the same time at most.
    #[must_use]
    pub fn with_max_parallel(mut self, count: u32) -> Self {
        self.max_parallel = Some(count);
        self
    }
}

impl From<&str> for EmbedInput {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<String> for EmbedInput {
    fn from(text: String) -> Self {
        Self {
            input: Some(embed_input::Input::Text(text)),
        }
    }
}

impl From<Vec<u32>> for EmbedInput {
    fn from(ids: Vec<u32>) -> Self {
        Self {
            input: Some(embed_input::Input::TokenIds(TokenIds { ids })),
        }
    }
}

impl EmbedRequest {
    /// A request for the vectors of texts or sequences of token ids, as bytes, which no side has to
    /// take apart.
    #[must_use]
    pub fn new<T: Into<EmbedInput>>(inputs: impl IntoIterator<Item = T>) -> Self {
        Self {
            inputs: inputs.into_iter().map(Into::into).collect(),
            encoding: EmbeddingEncoding::Float32Le.into(),
            ..Self::default()
        }
    }

    /// An alias of the gateway; without one its `default` answers.
    #[must_use]
    pub fn with_model(mut self, model: impl Into<String>) -> Self {
        self.model = model.into();
        self
    }

    /// Length of the vectors, for models that let you choose.
    #[must_use]
    pub fn with_dimensions(mut self, dimensions: u32) -> Self {
        self.dimensions = Some(dimensions);
        self
    }
}
