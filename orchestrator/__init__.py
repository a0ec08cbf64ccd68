"""LLM agents as Celery tasks: runs that survive their workers, on the queue that you already have."""

from orchestrator.agent import Agent, FunctionToolResult, StopAtTools, ToolsToFinalOutputResult
from orchestrator.agent_tool import AgentTool
from orchestrator.ask_person import ask_person
from orchestrator.budget import Budget
from orchestrator.celery import Orchestrator, create_app, install
from orchestrator.client import Client
from orchestrator.combinators.each import each
from orchestrator.combinators.parallel import at_least, parallel
from orchestrator.combinators.refine import refine
from orchestrator.combinators.route import route
from orchestrator.combinators.sequence import gate, sequence
from orchestrator.combinators.step import step
from orchestrator.combinators.vote import vote
from orchestrator.context import RunContext, RunContextWrapper, ToolContext
from orchestrator.delta import Delta
from orchestrator.entries import RunOptions
from orchestrator.error_handlers import RunErrorHandlerInput, RunErrorHandlerResult, RunErrorHandlers
from orchestrator.errors import (
    AgentNotLoaded,
    AlreadyDecided,
    BudgetExceeded,
    ContextNotSerializable,
    CursorExpired,
    DeadlineExceeded,
    DecisionError,
    DuplicateName,
    FlowError,
    GuardrailTripwireTriggered,
    InputGuardrailTripwireTriggered,
    InputTooLarge,
    InvalidAnswer,
    InvalidInput,
    LedgerError,
    LedgerFull,
    LedgerUnavailable,
    LimitCannotBeMet,
    MaxTurnsExceeded,
    MessageError,
    ModelBehaviorError,
    ModelCallError,
    ModelRefusalError,
    ModelRequestRejected,
    ModelUnavailable,
    NewerVersion,
    NotAsked,
    NotInstalled,
    OrchestratorError,
    OutputGuardrailTripwireTriggered,
    ResultTimeout,
    RunCancelled,
    RunConflict,
    RunExpired,
    RunFailed,
    RunNotFound,
    RunOver,
    RunPoisoned,
    SessionBusy,
    SubmitError,
    ToolInputGuardrailTripwireTriggered,
    ToolOutputGuardrailTripwireTriggered,
    ToolRemoved,
    ToolTimeoutError,
    UserError,
    WrongRunState,
)
from orchestrator.events import Event
from orchestrator.flow import Flow
from orchestrator.guardrail import (
    GuardrailFunctionOutput,
    InputGuardrail,
    OutputGuardrail,
    ToolGuardrailFunctionOutput,
    ToolInputGuardrail,
    ToolInputGuardrailData,
    ToolOutputGuardrail,
    ToolOutputGuardrailData,
    input_guardrail,
    input_guardrail_agent,
    output_guardrail,
    output_guardrail_agent,
    tool_input_guardrail,
    tool_output_guardrail,
)
from orchestrator.handoff import Handoff, HandoffInputData, handoff
from orchestrator.hooks import AgentHooks, RunHooks
from orchestrator.hosted_tool import HostedTool, code_interpreter, file_search, web_search
from orchestrator.inline import arun_inline, run_inline
from orchestrator.limits import Caps, Limit
from orchestrator.model_settings import ModelSettings
from orchestrator.models.base import Model
from orchestrator.output_schema import AgentOutputSchema
from orchestrator.questions import OpenQuestion
from orchestrator.result import RunResult
from orchestrator.run import Run
from orchestrator.session import Compaction, Session
from orchestrator.settings import Settings
from orchestrator.tool import FunctionTool, function_tool
from orchestrator.tool_output import ToolOutputFileContent, ToolOutputImage, ToolOutputText
from orchestrator.usage import Usage

__all__ = [
    "Agent",
    "AgentHooks",
    "AgentNotLoaded",
    "AgentOutputSchema",
    "AgentTool",
    "AlreadyDecided",
    "Budget",
    "BudgetExceeded",
    "Caps",
    "Client",
    "Compaction",
    "ContextNotSerializable",
    "CursorExpired",
    "DeadlineExceeded",
    "DecisionError",
    "Delta",
    "DuplicateName",
    "Event",
    "Flow",
    "FlowError",
    "FunctionTool",
    "FunctionToolResult",
    "GuardrailFunctionOutput",
    "GuardrailTripwireTriggered",
    "Handoff",
    "HandoffInputData",
    "HostedTool",
    "InputGuardrail",
    "InputGuardrailTripwireTriggered",
    "InputTooLarge",
    "InvalidAnswer",
    "InvalidInput",
    "LedgerError",
    "LedgerFull",
    "LedgerUnavailable",
    "Limit",
    "LimitCannotBeMet",
    "MaxTurnsExceeded",
    "MessageError",
    "Model",
    "ModelBehaviorError",
    "ModelCallError",
    "ModelRefusalError",
    "ModelRequestRejected",
    "ModelSettings",
    "ModelUnavailable",
    "NewerVersion",
    "NotAsked",
    "NotInstalled",
    "OpenQuestion",
    "Orchestrator",
    "OrchestratorError",
    "OutputGuardrail",
    "OutputGuardrailTripwireTriggered",
    "ResultTimeout",
    "Run",
    "RunCancelled",
    "RunConflict",
    "RunContext",
    "RunContextWrapper",
    "RunErrorHandlerInput",
    "RunErrorHandlerResult",
    "RunErrorHandlers",
    "RunExpired",
    "RunFailed",
    "RunHooks",
    "RunNotFound",
    "RunOptions",
    "RunOver",
    "RunPoisoned",
    "RunResult",
    "Session",
    "SessionBusy",
    "Settings",
    "StopAtTools",
    "SubmitError",
    "ToolContext",
    "ToolGuardrailFunctionOutput",
    "ToolInputGuardrail",
    "ToolInputGuardrailData",
    "ToolInputGuardrailTripwireTriggered",
    "ToolOutputFileContent",
    "ToolOutputGuardrail",
    "ToolOutputGuardrailData",
    "ToolOutputGuardrailTripwireTriggered",
    "ToolOutputImage",
    "ToolOutputText",
    "ToolRemoved",
    "ToolTimeoutError",
    "ToolsToFinalOutputResult",
    "Usage",
    "UserError",
    "WrongRunState",
    "arun_inline",
    "ask_person",
    "at_least",
    "code_interpreter",
    "create_app",
    "each",
    "file_search",
    "function_tool",
    "gate",
    "handoff",
    "input_guardrail",
    "input_guardrail_agent",
    "install",
    "output_guardrail",
    "output_guardrail_agent",
    "parallel",
    "refine",
    "route",
    "run_inline",
    "sequence",
    "step",
    "tool_input_guardrail",
    "tool_output_guardrail",
    "vote",
    "web_search",
]
