"""What a gateway's ledger says: usage, operations, costs, and what people thought of answers."""

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Unpack

from interlingua.access import AsyncCalling, Calling
from interlingua.requests import CallOptions
from interlingua.v1.feedback_service_pb2 import (
    GetInsightsRequest,
    GetInsightsResponse,
    RecordFeedbackRequest,
    RecordFeedbackResponse,
)
from interlingua.v1.usage_service_pb2 import (
    GetCostSummaryRequest,
    GetCostSummaryResponse,
    GetUsageRequest,
    GetUsageResponse,
    ListOperationsRequest,
    Operation,
)

if TYPE_CHECKING:
    from interlingua.v1.feedback_service_pb2_grpc import (
        FeedbackServiceAsyncStub,
        FeedbackServiceStub,
    )
    from interlingua.v1.usage_service_pb2_grpc import UsageServiceAsyncStub, UsageServiceStub


class Reports:
    """The ledger and feedback; `Client.reports`. It needs the scopes `usage` and `feedback`.

    Requests are messages of the contract: their fields are described there.
    """

    def __init__(
        self, usage: "UsageServiceStub", feedback: "FeedbackServiceStub", call: Calling
    ) -> None:
        self._usage = usage
        self._feedback = feedback
        self._call = call

    def usage(
        self, request: GetUsageRequest | None = None, **options: Unpack[CallOptions]
    ) -> GetUsageResponse:
        """Totals in groups and steps; without a request of the last 24 hours."""
        return self._call(self._usage.GetUsage, "GetUsage", request or GetUsageRequest(), options)

    def operations(
        self, request: ListOperationsRequest | None = None, **options: Unpack[CallOptions]
    ) -> Iterator[Operation]:
        """Single operations, newest first, read page by page as they are used. The timeout holds
        for each page."""
        wish = ListOperationsRequest()
        wish.MergeFrom(request or wish)
        while True:
            page = self._call(self._usage.ListOperations, "ListOperations", wish, options)
            yield from page.operations
            if not page.next_page_token:
                return
            wish.page_token = page.next_page_token

    def cost_summary(
        self, request: GetCostSummaryRequest | None = None, **options: Unpack[CallOptions]
    ) -> GetCostSummaryResponse:
        """Money by model and provider; without a request of the last 24 hours."""
        wish = request or GetCostSummaryRequest()
        return self._call(self._usage.GetCostSummary, "GetCostSummary", wish, options)

    def record_feedback(
        self, feedback: RecordFeedbackRequest, **options: Unpack[CallOptions]
    ) -> RecordFeedbackResponse:
        """Keeps what somebody thought of an answer."""
        return self._call(self._feedback.RecordFeedback, "RecordFeedback", feedback, options)

    def insights(
        self, request: GetInsightsRequest | None = None, **options: Unpack[CallOptions]
    ) -> GetInsightsResponse:
        """What feedback adds up to; without a request of the last 24 hours."""
        wish = request or GetInsightsRequest()
        return self._call(self._feedback.GetInsights, "GetInsights", wish, options)


class AsyncReports:
    """The same for asyncio; `AsyncClient.reports`."""

    def __init__(
        self,
        usage: "UsageServiceAsyncStub",
        feedback: "FeedbackServiceAsyncStub",
        call: AsyncCalling,
    ) -> None:
        self._usage = usage
        self._feedback = feedback
        self._call = call

    async def usage(
        self, request: GetUsageRequest | None = None, **options: Unpack[CallOptions]
    ) -> GetUsageResponse:
        """Totals in groups and steps; without a request of the last 24 hours."""
        wish = request or GetUsageRequest()
        return await self._call(self._usage.GetUsage, "GetUsage", wish, options)

    async def operations(
        self, request: ListOperationsRequest | None = None, **options: Unpack[CallOptions]
    ) -> AsyncIterator[Operation]:
        """Single operations, newest first, read page by page as they are used. The timeout holds
        for each page."""
        wish = ListOperationsRequest()
        wish.MergeFrom(request or wish)
        while True:
            page = await self._call(self._usage.ListOperations, "ListOperations", wish, options)
            for operation in page.operations:
                yield operation
            if not page.next_page_token:
                return
            wish.page_token = page.next_page_token

    async def cost_summary(
        self, request: GetCostSummaryRequest | None = None, **options: Unpack[CallOptions]
    ) -> GetCostSummaryResponse:
        """Money by model and provider; without a request of the last 24 hours."""
        wish = request or GetCostSummaryRequest()
        return await self._call(self._usage.GetCostSummary, "GetCostSummary", wish, options)

    async def record_feedback(
        self, feedback: RecordFeedbackRequest, **options: Unpack[CallOptions]
    ) -> RecordFeedbackResponse:
        """Keeps what somebody thought of an answer."""
        return await self._call(self._feedback.RecordFeedback, "RecordFeedback", feedback, options)

    async def insights(
        self, request: GetInsightsRequest | None = None, **options: Unpack[CallOptions]
    ) -> GetInsightsResponse:
        """What feedback adds up to; without a request of the last 24 hours."""
        wish = request or GetInsightsRequest()
        return await self._call(self._feedback.GetInsights, "GetInsights", wish, options)
