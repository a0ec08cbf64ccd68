"""`Kit`: the nouns that a case is written in, from either library."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import agents
import agents.extensions.handoff_filters
import agents.tool_context
from agents.run_error_handlers import RunErrorHandlerResult

import orchestrator
from orchestrator import handoff_filters
from tests.conformance.case import Case

TOOLS_QUEUE = "conformance-tools"


class Records:
    """What tools and hooks did, in a file: on one side they run in another process."""

    def __init__(self, folder: Path, side: str) -> None:
        self._folder = folder / side

    def add(self, case: str, what: Any) -> None:
        """Append. Safe from several threads: a line is one write."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / case).open("a", encoding="utf-8") as file:
            file.write(json.dumps(what) + "\n")

    def read(self, case: str) -> list[Any]:
        """All of a case, in order."""
        file = self._folder / case
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


class Kit:
    """What both libraries call the same. A subclass holds one library's classes."""

    Agent: Any
    AgentHooks: Any
    AgentOutputSchema: Any
    ErrorHandlerResult: Any
    FunctionTool: Any
    GuardrailFunctionOutput: Any
    ModelSettings: Any
    RunContext: Any
    RunHooks: Any
    StopAtTools: Any
    ToolContext: Any
    ToolGuardrailFunctionOutput: Any
    ToolOutputFileContent: Any
    ToolOutputImage: Any
    ToolOutputText: Any
    ToolsToFinalOutputResult: Any
    file_search: Any
    function_tool: Any
    handoff: Any
    input_guardrail: Any
    output_guardrail: Any
    tool_input_guardrail: Any
    tool_output_guardrail: Any
    remove_all_tools: Any
    web_search: Any

    def __init__(self, case: Case, records: Records) -> None:
        self.case = case
        self._records = records
        self.error_handlers: Any = None

    def agent(self, name: str = "main", *, model: str = "", **fields: Any) -> Any:
        """An agent whose name and model name hold the case's: workers and the model server serve all cases."""
        model_name = f"{self.case.name}.{model}" if model else self.case.name
        return self.Agent(name=f"{self.case.name}.{name}", model=model_name, **fields)

    def record(self, *what: Any) -> None:
        """Note an effect."""
        self._records.add(self.case.name, what)

    def tool(self, name: str, answer: Any = "done", **options: Any) -> Any:
        """A tool without parameters that records its name and returns `answer`, or raises it."""

        def run() -> Any:
            """Does it."""
            self.record("tool", name)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return self.function_tool(run, name_override=name, **options)

    def guardrail(self, name: str, *, trips: bool, **options: Any) -> Any:
        """An input guardrail that records its name and what it was given."""

        async def check(context: Any, agent: Any, given: Any) -> Any:
            self.record("guardrail", name, given)
            return self.GuardrailFunctionOutput({"of": name}, tripwire_triggered=trips)

        return self.input_guardrail(name=name, **options)(check)

    def output_check(self, name: str, *, trips: bool) -> Any:
        """An output guardrail that records its name and the output."""

        def check(context: Any, agent: Any, output: Any) -> Any:
            self.record("guardrail", name, str(output))
            return self.GuardrailFunctionOutput({"of": name}, tripwire_triggered=trips)

        return self.output_guardrail(name=name)(check)

    def queued(self) -> dict[str, Any]:
        """Options that put a tool on a queue: here it runs as a Celery task of its own, there beside the agent."""
        return {}

    def run_hooks(self) -> Any:
        """Hooks for all agents of a run, which record."""
        return _recording(self.RunHooks, "run", lambda agent: self.record)

    def prompt(self, make: Any) -> Any:
        """A function of context and agent that makes a prompt template."""
        return make

    def agent_hooks(self) -> Any:
        """Hooks for one agent, which record."""
        return _recording(self.AgentHooks, "agent", lambda agent: self.record)


class SdkKit(Kit):
    """The Agents SDK's."""

    AgentHooks = agents.AgentHooks
    AgentOutputSchema = agents.AgentOutputSchema
    ErrorHandlerResult = RunErrorHandlerResult
    FunctionTool = agents.FunctionTool
    GuardrailFunctionOutput = agents.GuardrailFunctionOutput
    ToolGuardrailFunctionOutput = agents.ToolGuardrailFunctionOutput
    ModelSettings = agents.ModelSettings
    RunContext = agents.RunContextWrapper
    RunHooks = agents.RunHooks
    StopAtTools = agents.StopAtTools
    ToolContext = agents.tool_context.ToolContext
    ToolOutputFileContent = agents.ToolOutputFileContent
    ToolOutputImage = agents.ToolOutputImage
    ToolOutputText = agents.ToolOutputText
    ToolsToFinalOutputResult = agents.ToolsToFinalOutputResult
    file_search = staticmethod(agents.FileSearchTool)
    function_tool = staticmethod(agents.function_tool)
    handoff = staticmethod(agents.handoff)
    input_guardrail = staticmethod(agents.input_guardrail)
    output_guardrail = staticmethod(agents.output_guardrail)
    tool_input_guardrail = staticmethod(agents.tool_input_guardrail)
    tool_output_guardrail = staticmethod(agents.tool_output_guardrail)
    remove_all_tools = staticmethod(agents.extensions.handoff_filters.remove_all_tools)
    web_search = staticmethod(agents.WebSearchTool)

    def Agent(self, *, error_handlers: Any = None, **fields: Any) -> Any:
        """There, error handlers are given to the runner."""
        if error_handlers is not None:
            self.error_handlers = error_handlers
        return agents.Agent(**fields)

    def prompt(self, make: Any) -> Any:
        """There, context and agent come in one object."""
        return lambda given: make(given.context, given.agent)


class EngineKit(Kit):
    """Ours."""

    Agent = orchestrator.Agent
    AgentHooks = orchestrator.AgentHooks
    AgentOutputSchema = orchestrator.AgentOutputSchema
    ErrorHandlerResult = orchestrator.RunErrorHandlerResult
    FunctionTool = orchestrator.FunctionTool
    GuardrailFunctionOutput = orchestrator.GuardrailFunctionOutput
    ToolGuardrailFunctionOutput = orchestrator.ToolGuardrailFunctionOutput
    ModelSettings = orchestrator.ModelSettings
    RunContext = orchestrator.RunContext
    RunHooks = orchestrator.RunHooks
    StopAtTools = orchestrator.StopAtTools
    ToolContext = orchestrator.ToolContext
    ToolOutputFileContent = orchestrator.ToolOutputFileContent
    ToolOutputImage = orchestrator.ToolOutputImage
    ToolOutputText = orchestrator.ToolOutputText
    ToolsToFinalOutputResult = orchestrator.ToolsToFinalOutputResult
    file_search = staticmethod(orchestrator.file_search)
    function_tool = staticmethod(orchestrator.function_tool)
    handoff = staticmethod(orchestrator.handoff)
    input_guardrail = staticmethod(orchestrator.input_guardrail)
    output_guardrail = staticmethod(orchestrator.output_guardrail)
    tool_input_guardrail = staticmethod(orchestrator.tool_input_guardrail)
    tool_output_guardrail = staticmethod(orchestrator.tool_output_guardrail)
    remove_all_tools = staticmethod(handoff_filters.remove_all_tools)
    web_search = staticmethod(orchestrator.web_search)

    def queued(self) -> dict[str, Any]:
        return {"queue": TOOLS_QUEUE}


def _recording(base: Any, kind: str, recorder_of: Any) -> Any:
    """Hooks of class `base`, all of whose methods record who was called with what."""

    def hook(method: Any) -> Any:
        signature = inspect.signature(method)

        async def call(*args: Any, **kwargs: Any) -> None:
            _, _, *given = signature.bind(*args, **kwargs).arguments.items()  # without self and the context
            record = recorder_of(given[0][1])
            if record is not None:
                record(kind, method.__name__, {name: _short(value) for name, value in given})

        return call

    class Recording(base):
        """Every method of the base, recording."""

    for name in dir(Recording):
        if name.startswith("on_"):
            setattr(Recording, name, hook(getattr(Recording, name)))
    return Recording()


def _short(value: Any) -> Any:
    """Agents and tools by name; replies, whose classes differ, not at all."""
    if hasattr(value, "response_id"):
        return "reply"
    if isinstance(value, list | tuple):
        return len(value)
    return getattr(value, "name", None) or str(value)
