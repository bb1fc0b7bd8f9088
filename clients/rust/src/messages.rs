//! Constructors of messages, parts, tools and formats.

use crate::v1::{
    JsonObjectFormat, JsonSchemaFormat, Media, MediaDetail, Message, Part, Reasoning,
    ResponseFormat, Role, Tool, ToolCall, ToolChoice, ToolMode, ToolResult, media, part,
    response_format, tool_choice,
};

/// What a message or a tool's result is made of: a text, a part, or several parts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Content(Vec<Part>);

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self(vec![Part::text(text)])
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self(vec![Part::text(text)])
    }
}

impl From<Part> for Content {
    fn from(part: Part) -> Self {
        Self(vec![part])
    }
}

impl From<Vec<Part>> for Content {
    fn from(parts: Vec<Part>) -> Self {
        Self(parts)
    }
}

impl<const N: usize> From<[Part; N]> for Content {
    fn from(parts: [Part; N]) -> Self {
        Self(parts.into())
    }
}

impl Message {
    /// A message of this role.
    #[must_use]
    pub fn new(role: Role, content: impl Into<Content>) -> Self {
        Self {
            role: role.into(),
            parts: content.into().0,
            name: String::new(),
        }
    }

    /// Instructions that stand above the conversation.
    #[must_use]
    pub fn system(content: impl Into<Content>) -> Self {
        Self::new(Role::System, content)
    }

    /// Instructions of the application.
    #[must_use]
    pub fn developer(content: impl Into<Content>) -> Self {
        Self::new(Role::Developer, content)
    }

    /// A message of the person or program that asks.
    #[must_use]
    pub fn user(content: impl Into<Content>) -> Self {
        Self::new(Role::User, content)
    }

    /// A message of the model. To continue from an answer, send back its
    /// [`message`](crate::v1::GenerateResponse::message) instead.
    #[must_use]
    pub fn assistant(content: impl Into<Content>) -> Self {
        Self::new(Role::Assistant, content)
    }

    /// What a tool returned for a call.
    #[must_use]
    pub fn tool_result(call: &ToolCall, content: impl Into<Content>) -> Self {
        Self::returned(call, content, false)
    }

    /// How a tool failed when it was called.
    #[must_use]
    pub fn tool_error(call: &ToolCall, content: impl Into<Content>) -> Self {
        Self::returned(call, content, true)
    }

    fn returned(call: &ToolCall, content: impl Into<Content>, is_error: bool) -> Self {
        let result = ToolResult {
            tool_call_id: call.id.clone(),
            name: call.name.clone(),
            parts: content.into().0,
            is_error,
        };
        Self::new(Role::Tool, Part::from(part::Content::ToolResult(result)))
    }
}

impl Part {
    /// Text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        part::Content::Text(text.into()).into()
    }

    /// A picture; from bytes with their MIME type, or from a URI that the provider can fetch.
    #[must_use]
    pub fn image(media: Media) -> Self {
        part::Content::Image(media).into()
    }

    /// Sound.
    #[must_use]
    pub fn audio(media: Media) -> Self {
        part::Content::Audio(media).into()
    }

    /// Moving pictures.
    #[must_use]
    pub fn video(media: Media) -> Self {
        part::Content::Video(media).into()
    }

    /// A document.
    #[must_use]
    pub fn file(media: Media) -> Self {
        part::Content::File(media).into()
    }

    /// A call of a tool, in a message of the model.
    #[must_use]
    pub fn tool_call(call: ToolCall) -> Self {
        part::Content::ToolCall(call).into()
    }

    /// Reasoning of the model, in a message of the model.
    #[must_use]
    pub fn reasoning(reasoning: Reasoning) -> Self {
        part::Content::Reasoning(reasoning).into()
    }
}

impl From<part::Content> for Part {
    fn from(content: part::Content) -> Self {
        Self {
            content: Some(content),
        }
    }
}

impl Media {
    /// Media as bytes.
    #[must_use]
    pub fn bytes(mime_type: impl Into<String>, data: impl Into<Vec<u8>>) -> Self {
        let source = Some(media::Source::Data(data.into()));
        Self {
            mime_type: mime_type.into(),
            source,
            ..Self::default()
        }
    }

    /// Media at an address that the provider can fetch.
    #[must_use]
    pub fn uri(uri: impl Into<String>) -> Self {
        Self {
            source: Some(media::Source::Uri(uri.into())),
            ..Self::default()
        }
    }

    /// How closely an image should be looked at.
    #[must_use]
    pub fn with_detail(mut self, detail: MediaDetail) -> Self {
        self.set_detail(detail);
        self
    }

    /// The file name that the model is told.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

impl Tool {
    /// A function that the model may call.
    ///
    /// `parameters` is the JSON Schema of its arguments: JSON text or a `serde_json::Value`. Empty
    /// text means no arguments.
    #[must_use]
    #[allow(clippy::needless_pass_by_value)]
    pub fn function(
        name: impl Into<String>,
        description: impl Into<String>,
        parameters: impl ToString,
    ) -> Self {
        Self {
            name: name.into(),
            description: description.into(),
            parameters_json_schema: parameters.to_string(),
            strict: None,
        }
    }

    /// Asks the provider to hold the arguments to the schema exactly, or not to.
    #[must_use]
    pub fn with_strict(mut self, strict: bool) -> Self {
        self.strict = Some(strict);
        self
    }
}

impl ToolCall {
    /// A call, as the model made it.
    #[must_use]
    #[allow(clippy::needless_pass_by_value)]
    pub fn new(id: impl Into<String>, name: impl Into<String>, arguments: impl ToString) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            arguments_json: arguments.to_string(),
        }
    }

    /// The arguments as a value of your type.
    ///
    /// # Errors
    ///
    /// If the model wrote no JSON, or none of this type.
    pub fn arguments<T: serde::de::DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        let none = self.arguments_json.is_empty();
        serde_json::from_str(if none { "{}" } else { &self.arguments_json })
    }
}

impl From<ToolMode> for ToolChoice {
    fn from(mode: ToolMode) -> Self {
        Self {
            choice: Some(tool_choice::Choice::Mode(mode.into())),
        }
    }
}

impl ToolChoice {
    /// This tool and no other must be called.
    #[must_use]
    pub fn tool(name: impl Into<String>) -> Self {
        Self {
            choice: Some(tool_choice::Choice::ToolName(name.into())),
        }
    }
}

impl ResponseFormat {
    /// Some JSON object.
    #[must_use]
    pub fn json_object() -> Self {
        let format = response_format::Format::JsonObject(JsonObjectFormat {});
        Self {
            format: Some(format),
        }
    }

    /// A JSON value that satisfies a schema: JSON text or a `serde_json::Value`. The model is told
    /// the name.
    #[must_use]
    #[allow(clippy::needless_pass_by_value)]
    pub fn json_schema(name: impl Into<String>, schema: impl ToString) -> Self {
        let wanted = JsonSchemaFormat {
            name: name.into(),
            schema_json: schema.to_string(),
            strict: None,
        };
        Self {
            format: Some(response_format::Format::JsonSchema(wanted)),
        }
    }

    /// Asks the provider to hold the answer to the schema exactly, or not to.
    #[must_use]
    pub fn with_strict(mut self, strict: bool) -> Self {
        if let Some(response_format::Format::JsonSchema(wanted)) = &mut self.format {
            wanted.strict = Some(strict);
        }
        self
    }
}
