"""THE ORDER OF POLICIES. Read this first."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from interlingua_gateway.app.answers import AnswerPolicies
from interlingua_gateway.app.budgets import BudgetPolicies
from interlingua_gateway.app.ledger import LedgerPolicies
from interlingua_gateway.app.limits import LimitPolicies
from interlingua_gateway.core.call import Handler
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.ports import Policy
from interlingua_gateway.policies.account import Account
from interlingua_gateway.policies.observe import Observe
from interlingua_gateway.policies.permit import Permit
from interlingua_gateway.telemetry.metrics import Metrics


def policies(
    metrics: Metrics,
    clock: Clock,
    permit: Permit,
    ledger: LedgerPolicies,
    limits: LimitPolicies,
    answers: AnswerPolicies,
    budgets: BudgetPolicies,
) -> tuple[Policy, ...]:
    """All policies, outermost first."""
    return (
        # Outermost, so that what it measures is what the caller waits for, refusals included.
        Observe(metrics, clock),
        # Who calls is known before a call is made of the request (wire/grpc/front). Outside of
        # everything that may refuse, answer or account for a call: each gets its row, and what is
        # recorded is settled by then. The caller gets the end of its answer only after that.
        *ledger.policies,
        # Before all that counts, waits or keeps something: a model that the caller may not name
        # takes nothing there and finds nothing.
        permit,
        # Outside of the accounting, so that tokens are settled to what the accounting has found;
        # outside of cache and dedupe, because their answers spend request quota.
        *limits.policies,
        # Outside of everything that may change or replace an answer: it counts what the caller
        # gets, and settles after everything inside it has ended.
        Account(),
        # Idempotency, cache, dedupe: inside of limits, because such an answer spends request quota;
        # outside of budgets, because it costs nothing.
        *answers.sharing,
        # Inside of all that may answer for free; outside of joined embeddings, so that each call
        # spends of its own caller's.
        budgets.policy,
        # Innermost, so that everything before it still sees single calls.
        *answers.joining,
    )


def stack(chain: Sequence[Policy], innermost: Handler) -> Handler:
    """One handler that passes a call through `chain`, first to last, and then to `innermost`."""
    handler = innermost
    for policy in reversed(chain):
        handler = partial(policy, inner=handler)
    return handler
