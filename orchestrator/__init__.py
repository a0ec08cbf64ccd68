"""LLM agents as Celery tasks: runs that survive their workers, on the queue that you already have."""

from orchestrator.agent import Agent, FunctionToolResult, StopAtTools, ToolsToFinalOutputResult
from orchestrator.agent_tool import AgentTool
from orchestrator.celery import Orchestrator, create_app, install
from orchestrator.client import Client
from orchestrator.context import RunContext, RunContextWrapper, ToolContext
from orchestrator.entries import RunOptions
from orchestrator.error_handlers import RunErrorHandlerInput, RunErrorHandlerResult, RunErrorHandlers
from orchestrator.errors import (
    AgentNotLoaded,
    ContextNotSerializable,
    DuplicateName,
    InputTooLarge,
    InvalidInput,
    LedgerError,
    LedgerFull,
    LedgerUnavailable,
    MaxTurnsExceeded,
    MessageError,
    ModelBehaviorError,
    ModelCallError,
    ModelRefusalError,
    ModelRequestRejected,
    ModelUnavailable,
    NewerVersion,
    NotInstalled,
    OrchestratorError,
    ResultTimeout,
    RunCancelled,
    RunConflict,
    RunExpired,
    RunFailed,
    RunNotFound,
    RunPoisoned,
    SubmitError,
    ToolTimeoutError,
    UserError,
)
from orchestrator.events import Event
from orchestrator.handoff import Handoff, HandoffInputData, handoff
from orchestrator.hooks import AgentHooks, RunHooks
from orchestrator.hosted_tool import HostedTool, code_interpreter, file_search, web_search
from orchestrator.inline import arun_inline, run_inline
from orchestrator.model_settings import ModelSettings
from orchestrator.models.base import Model
from orchestrator.output_schema import AgentOutputSchema
from orchestrator.result import RunResult
from orchestrator.run import Run
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
    "Client",
    "ContextNotSerializable",
    "DuplicateName",
    "Event",
    "FunctionTool",
    "FunctionToolResult",
    "Handoff",
    "HandoffInputData",
    "HostedTool",
    "InputTooLarge",
    "InvalidInput",
    "LedgerError",
    "LedgerFull",
    "LedgerUnavailable",
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
    "NotInstalled",
    "Orchestrator",
    "OrchestratorError",
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
    "RunPoisoned",
    "RunResult",
    "Settings",
    "StopAtTools",
    "SubmitError",
    "ToolContext",
    "ToolOutputFileContent",
    "ToolOutputImage",
    "ToolOutputText",
    "ToolTimeoutError",
    "ToolsToFinalOutputResult",
    "Usage",
    "UserError",
    "arun_inline",
    "code_interpreter",
    "create_app",
    "file_search",
    "function_tool",
    "handoff",
    "install",
    "run_inline",
    "web_search",
]
