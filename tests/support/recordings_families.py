"""Which recorded exchanges a gateway can be asked for, and how a user would configure it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

import msgspec

from tests.support import recordings_readers as readers
from tests.support import recordings_requests as requests
from tests.support.recordings import Recorded

CANARY = "sk-canary-3f1d7a90c2b84e65"
ENVIRONMENT = {
    "RECORDED_KEY": CANARY,
    "RECORDED_AWS_ID": "AKIACANARY3F1D7A90",
    "RECORDED_AWS_SECRET": "canary-secret-3f1d7a90c2b84e65",
}


class Way(msgspec.Struct, frozen=True):
    """A kind of provider and what stands before its model names."""

    kind: str
    prefix: str = ""

    @property
    def name(self) -> str:
        return "litellm" if self.kind == "litellm" else "native"


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """Exchanges of one dialect: the paths end in `endpoint`, under the base URLs `roots`; what
    stands between is the model, of which litellm wants its own form (`model`)."""

    name: str
    endpoint: str
    hosts: tuple[str, ...]
    roots: tuple[str, ...] = ("",)
    asked: Callable[[Mapping[str, object]], requests.Asked] = requests.chat
    read: readers.Reader = readers.chat
    ways: tuple[Way, ...] = ()
    models: tuple[str, ...] = ("",)

    def covers(self, recorded: Recorded) -> bool:
        """Whether `recorded` is of this family."""
        return (
            recorded.method == "POST"
            and recorded.host in self.hosts
            and recorded.path.endswith(self.endpoint)
            and self.model(recorded).startswith(self.models)
        )

    def root(self, recorded: Recorded) -> str:
        """The path of the base URL that a user would configure."""
        return next(root for root in self.roots if recorded.path.startswith(root))

    def model(self, recorded: Recorded) -> str:
        """The model, from the path where it stands there."""
        for marker in ("/deployments/", "/model/", "/models/"):
            if marker in recorded.path:
                tail = recorded.path.partition(marker)[2]
                return tail.removesuffix(self.endpoint)
        return str(recorded.asked.get("model", ""))


def _pair(kind: str, prefix: str) -> tuple[Way, Way]:
    return Way(kind), Way("litellm", prefix)


_OPENAI = ("api.openai.com",)
_AZURE = ("traceloop-stg.openai.azure.com", "test-resource.openai.azure.com")
_DEEPSEEK = ("api.deepseek.com",)
_SERVERS = ("localhost:8000", "localhost:5002")
_AMAZON = ("bedrock-runtime.us-east-1.amazonaws.com",)
_OLLAMA = ("127.0.0.1:11434",)
_CLAUDE = ("anthropic.claude-3",)
_NOVA = ("amazon.nova", "us.amazon.nova")
_OLDER = (
    "ai21.j2",
    "amazon.titan-text",
    "cohere.command-text",
    "meta.llama",
)
_CONVERSE = (Way("litellm", "bedrock/converse/"),)
_INVOKE = (Way("litellm", "bedrock/invoke/"),)
_CHAT, _EMBED = "/chat/completions", "/embeddings"


def _both(name: str, hosts: tuple[str, ...], roots: tuple[str, ...], prefix: str) -> list[Family]:
    """Chat and embeddings in OpenAI's form."""
    ways = _pair(name, prefix)
    return [
        Family(name=name, endpoint=_CHAT, hosts=hosts, roots=roots, ways=ways),
        Family(
            name=f"{name}-embeddings",
            endpoint=_EMBED,
            hosts=hosts,
            roots=roots,
            ways=ways,
            asked=requests.embeddings,
            read=readers.embeddings,
        ),
    ]


FAMILIES: tuple[Family, ...] = (
    *_both("openai", _OPENAI, ("/v1",), "openai/"),
    *_both("azure", _AZURE, ("",), "azure/"),
    *_both("mistral", ("api.mistral.ai",), ("/v1",), "mistral/"),
    *_both("deepseek", _DEEPSEEK, ("/v1", "/beta"), "deepseek/"),
    *_both("vllm", _SERVERS, ("/v1",), "hosted_vllm/"),
    *_both("groq", ("api.groq.com",), ("/openai/v1",), "groq/"),
    *_both("together", ("api.together.xyz",), ("/v1",), "together_ai/"),
    Family(
        name="anthropic",
        endpoint="/v1/messages",
        hosts=("api.anthropic.com",),
        asked=requests.anthropic,
        read=readers.anthropic,
        ways=_pair("anthropic", "anthropic/"),
    ),
    *(
        Family(
            name=f"bedrock{endpoint.replace('/', '-')}",
            endpoint=endpoint,
            hosts=_AMAZON,
            asked=requests.converse,
            read=readers.converse,
            ways=_CONVERSE,
        )
        for endpoint in ("/converse", "/converse-stream")
    ),
    *(
        Family(
            name=f"bedrock{endpoint.replace('/', '-')}-{kind}",
            endpoint=endpoint,
            hosts=_AMAZON,
            asked=asked,
            read=read,
            ways=_INVOKE,
            models=models,
        )
        for endpoint in ("/invoke", "/invoke-with-response-stream")
        for kind, asked, read, models in (
            ("claude", requests.anthropic, readers.anthropic, _CLAUDE),
            ("nova", requests.converse, readers.converse, _NOVA),
            ("older", requests.prompt, readers.completion, _OLDER),
        )
    ),
    Family(
        name="cohere",
        endpoint="/v2/chat",
        hosts=("api.cohere.com",),
        roots=("/v2/chat",),
        read=readers.cohere,
        ways=(Way("litellm", "cohere_chat/"),),
    ),
    Family(
        name="cohere-v1",
        endpoint="/v1/chat",
        hosts=("api.cohere.com",),
        roots=("/v1/chat",),
        asked=requests.prompt,
        read=readers.cohere_v1,
        ways=(Way("litellm", "cohere_chat/v1/"),),
    ),
    Family(
        name="cohere-embeddings",
        endpoint="/v2/embed",
        hosts=("api.cohere.com",),
        roots=("/v2/embed",),
        asked=requests.embeddings,
        read=readers.cohere_embeddings,
        ways=(Way("litellm", "cohere/"),),
    ),
    Family(
        name="ollama",
        endpoint="/api/chat",
        hosts=_OLLAMA,
        read=readers.ollama,
        ways=(Way("litellm", "ollama_chat/"),),
    ),
    Family(
        name="ollama-generate",
        endpoint="/api/generate",
        hosts=_OLLAMA,
        asked=requests.prompt,
        read=readers.ollama,
        ways=(Way("litellm", "ollama/"),),
    ),
    Family(
        name="gemini",
        endpoint=":generateContent",
        hosts=("generativelanguage.googleapis.com",),
        roots=("/v1beta",),
        asked=requests.gemini,
        read=readers.gemini,
        ways=(Way("litellm", "gemini/"),),
    ),
)


def family_of(recorded: Recorded) -> Family | None:
    """The family of `recorded`, or None."""
    return next((family for family in FAMILIES if family.covers(recorded)), None)


class Case(msgspec.Struct, frozen=True):
    """One exchange by one way."""

    recorded: Recorded
    family: Family
    way: Way

    @property
    def account(self) -> str:
        """The name of the provider in the configuration: one for each base URL and version."""
        words = (
            self.way.name,
            self.way.prefix or self.way.kind,
            self.family.root(self.recorded),
            self.version,
        )
        parts = [part for word in words for part in word.split("/") if part]
        return "-".join(parts)

    @property
    def version(self) -> str:
        """Azure's api-version, or nothing."""
        return dict(parse_qsl(self.recorded.query)).get("api-version", "")

    @property
    def alias(self) -> str:
        """The model as a caller names it."""
        return f"{self.account}/{self.family.model(self.recorded)}"

    def provider(self, url: str) -> dict[str, object]:
        """The entry of the provider in the configuration, for an upstream at `url`."""
        entry: dict[str, object] = {
            "kind": self.way.kind,
            "base_url": url + self.family.root(self.recorded),
            "models_refresh_s": None,  # lists of models were not recorded
        }
        if "amazonaws" in self.recorded.host:
            entry["params"] = {
                "aws_access_key_id": "env:RECORDED_AWS_ID",
                "aws_secret_access_key": "env:RECORDED_AWS_SECRET",
                "aws_region_name": "us-east-1",
            }
        else:
            entry["api_key"] = "env:RECORDED_KEY"
        if self.version:
            entry["api_version"] = self.version
        return entry

    def model(self) -> dict[str, object]:
        """The entry of the models in the configuration that serves this case among others."""
        target = {"provider": self.account, "model": f"{self.way.prefix}*"}
        return {"name": f"{self.account}/*", "targets": [target]}


def configuration(cases: list[Case], url: str) -> dict[str, object]:
    """A configuration that serves all `cases` from an upstream at `url`."""
    accounts = {case.account: case for case in cases}
    return {
        "providers": {name: case.provider(url) for name, case in accounts.items()},
        "models": [case.model() for case in accounts.values()],
    }
