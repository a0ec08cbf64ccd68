"""Runs a case on either side, and brings what came of it into one form."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import agents
from celery import Celery
from openai import AsyncOpenAI, DefaultAsyncHttpxClient
from pydantic_core import to_jsonable_python

from orchestrator import OrchestratorError, RunFailed, Settings, create_app
from orchestrator.context_binding import dump_context
from orchestrator.errors import ModelCallError
from orchestrator.ledger.base import LedgerSettings
from orchestrator.ledger.redis import RedisLedger
from orchestrator.loop import background
from orchestrator.state import fold
from tests.conformance.case import CASES, Case, Json, Scripted, case_of
from tests.conformance.kit import EngineKit, Records, SdkKit, _recording
from tests.conformance.people import decide_in_engine, decide_in_sdk
from tests.support.model_server import ModelServer, error

RESULT_SECONDS = 60.0


@dataclass(frozen=True)
class Outcome:
    """What a run came to. `requests` are the bodies that the models got, by model."""

    requests: dict[str, list[Json]]
    effects: list[Any]
    answer: Any = None
    error: str | None = None
    """The class of what ended the run."""
    last_agent: str | None = None
    usage: dict[str, int] | None = None
    context: Any = None


class ScriptPlayer:
    """A model server's handler: the model's name leads to the case, its count of calls to the reply."""

    def __init__(self) -> None:
        self._calls: Counter[str] = Counter()

    def __call__(self, body: Json, path: str) -> Scripted:
        model = body["model"]
        number = self._calls[model]
        self._calls[model] += 1
        scripted = case_of(model).reply(model.partition(".")[2], number, body)
        return error(400, f"the script of {model} has no reply {number}") if scripted is None else scripted


async def run_sdk(case: Case, server: ModelServer, records: Records) -> Outcome:
    """The case in the Agents SDK's runner."""
    kit = SdkKit(case, records)
    agent = case.build(kit)
    # Plain HTTP: reading the machine's certificates would take half of the suite's time.
    http_client = DefaultAsyncHttpxClient(verify=False)
    client = AsyncOpenAI(base_url=server.url, api_key="test", max_retries=0, http_client=http_client)
    run_config, max_turns = _run_config(case, client)
    ended: dict[str, Any]
    try:
        result = await agents.Runner.run(
            agent,
            case.input,
            context=copy.deepcopy(case.context),  # changed in place
            run_config=run_config,
            hooks=kit.run_hooks() if case.records_hooks else None,
            error_handlers=kit.error_handlers,
            **max_turns,
        )
        for said in case.decisions:
            result = await agents.Runner.run(agent, decide_in_sdk(result, said), run_config=run_config)
    except Exception as failure:
        ended = {"error": type(failure).__name__}
    else:
        ended = {
            "answer": _typed(result.final_output),
            "last_agent": result.last_agent.name,
            "usage": _sdk_usage(result.context_wrapper.usage),
            "context": dump_context(result.context_wrapper.context, owner="the test"),
        }
    finally:
        await client.close()
    return _outcome(case, server, records, ended)


def _run_config(case: Case, client: AsyncOpenAI) -> tuple[agents.RunConfig, Json]:
    options = dict(case.options)
    max_turns = {"max_turns": options.pop("max_turns")} if "max_turns" in options else {}
    if "model_settings" in options:
        options["model_settings"] = agents.ModelSettings(**options["model_settings"])
    if "max_function_tool_concurrency" in options:
        limit = options.pop("max_function_tool_concurrency")
        options["tool_execution"] = agents.ToolExecutionConfig(max_function_tool_concurrency=limit)
    provider = agents.OpenAIProvider(openai_client=client, use_responses=True)
    return agents.RunConfig(model_provider=provider, tracing_disabled=True, **options), max_turns


def _sdk_usage(usage: agents.Usage) -> dict[str, int]:
    names = ("requests", "input_tokens", "output_tokens", "total_tokens")
    return {
        **{name: getattr(usage, name) for name in names},
        "cached_tokens": usage.input_tokens_details.cached_tokens,
        "reasoning_tokens": usage.output_tokens_details.reasoning_tokens,
    }


def build_app(settings: Settings, records: Records) -> tuple[Celery, dict[str, Any]]:
    """A Celery app with the agents of all cases, and each case's starting agent."""
    starting = {case.name: case.build(EngineKit(case, records)) for case in CASES.values()}

    def recorder_of(agent: Any) -> Any:
        case = case_of(agent.name)
        return EngineKit(case, records).record if case.records_hooks else None

    hooks = _recording(EngineKit.RunHooks, "run", recorder_of)
    return create_app("conformance", agents=starting.values(), settings=settings, hooks=[hooks]), starting


async def run_engine(case: Case, agent: Any, server: ModelServer, settings: Settings, records: Records) -> Outcome:
    """The case on the workers."""
    options = dict(case.options)
    max_turns = {"max_turns": options.pop("max_turns")} if "max_turns" in options else {}
    run = await agent.asubmit(case.input, context=case.context, run_options=options, **max_turns)
    ended: dict[str, Any]
    try:
        for said in case.decisions:
            await decide_in_engine(run, said)
        answer = await run.aresult(RESULT_SECONDS)
    except OrchestratorError as failure:
        ended = {"error": _class_name(failure)}
    else:
        state = fold(await background.arun(_entries(settings, run.id)))
        ended = {
            "answer": _typed(answer),
            "last_agent": state.agent,
            "usage": state.usage.model_dump(),
            "context": state.context,
        }
    return _outcome(case, server, records, ended)


async def _entries(settings: Settings, run_id: str) -> Iterable[Any]:
    ledger = RedisLedger(settings.redis_url, namespace=settings.namespace, settings=LedgerSettings())
    try:
        return [entry for _, entry in await ledger.entries(run_id)]
    finally:
        await ledger.close_connections()


def _class_name(failure: OrchestratorError) -> str:
    """The class that user code raised, or the openai client, where ours only stands for it."""
    stands_for_another = isinstance(failure, ModelCallError) or type(failure) is RunFailed
    return str(failure.data.get("error_type")) if stands_for_another else type(failure).__name__


def _typed(answer: Any) -> Any:
    return [type(answer).__name__, to_jsonable_python(answer)]


def _outcome(case: Case, server: ModelServer, records: Records, ended: dict[str, Any]) -> Outcome:
    requests: dict[str, list[Json]] = {model: [] for model in case.scripts}
    for body in server.bodies:
        name, _, model = body["model"].partition(".")
        if name == case.name:
            requests[model].append(body)
    return Outcome(requests, records.read(case.name), **ended)
