"""Tools for models whose server does not enforce them: all tools become one JSON schema, which it does enforce."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from orchestrator.errors import ModelBehaviorError, UserError
from orchestrator.models.base import Item, Model, ModelReply, ModelRequest, OnDelta, OutputFormat, ToolSpec
from orchestrator.models.schema_words import describe
from orchestrator.models.union_schema import LIMITS_IN_WORDS, REPLY, bound_answer, union_schema

MAX_TOKENS = 1024
"""For requests that set no limit: small models may never end, and the largest bounded reply fits."""

SHOWN_CHARACTERS = 200


class SchemaUnion:
    """A model that chooses one tool, or the reply, as a JSON object.

    It wraps a model of Chat Completions. One reply holds one call, since the object is one choice.
    """

    def __init__(self, inner: Model, *, new_call_id: Callable[[], str] = lambda: f"call_{uuid4().hex[:24]}") -> None:
        self._inner = inner
        self._new_call_id = new_call_id

    @property
    def name(self) -> str:
        return self._inner.name

    async def respond(self, request: ModelRequest, *, on_delta: OnDelta | None = None) -> ModelReply:
        tools, with_reply = _offered(request)
        plain = _without_tools(request)
        if not tools:
            return await self._inner.respond(plain, on_delta=on_delta)
        schema = union_schema(tools, request.output_format, with_reply=with_reply)
        asked = replace(
            plain,
            instructions=_join(request.instructions, _explain(tools, request.output_format, with_reply=with_reply)),
            output_format=OutputFormat("action", schema),
        )
        reply = await self._inner.respond(asked)
        return replace(reply, items=self._read(reply, on_delta))

    def _read(self, reply: ModelReply, on_delta: OnDelta | None) -> list[Item]:
        thoughts = [item for item in reply.items if item.get("type") == "reasoning"]
        if any(part.get("type") == "refusal" for item in reply.items for part in item.get("content") or []):
            return reply.items
        choice = self._parse(reply)
        if choice["tool"] != REPLY:
            arguments = json.dumps(choice.get("arguments") or {}, ensure_ascii=False)
            call = {"type": "function_call", "call_id": self._new_call_id(), "name": choice["tool"]}
            return [*thoughts, {**call, "arguments": arguments}]
        output = choice.get("output", choice.get("text", ""))
        text = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
        if on_delta and text:
            on_delta(text)
        content = [{"type": "output_text", "text": text, "annotations": []}]
        return [*thoughts, {"type": "message", "role": "assistant", "status": "completed", "content": content}]

    def _parse(self, reply: ModelReply) -> dict[str, Any]:
        messages = [item for item in reply.items if item.get("type") == "message"]
        text = "\n".join(_text_of(item) for item in messages).strip()
        try:
            choice = json.loads(text.removeprefix("```json").removesuffix("```"))
        except ValueError as error:
            cut = any(item.get("status") == "incomplete" for item in messages)
            problem = "was cut off at its token limit (`max_tokens`)" if cut else "chose no tool: it wrote invalid JSON"
            raise self._broken(reply, problem, text) from error
        if not isinstance(choice, dict) or not isinstance(choice.get("tool"), str):
            raise self._broken(reply, "chose no tool: it ignored the schema", text)
        return choice

    @staticmethod
    def _broken(reply: ModelReply, problem: str, text: str) -> ModelBehaviorError:
        shown = text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
        return ModelBehaviorError(f"Model `{reply.model}` {problem}: {shown or 'nothing'}", model=reply.model)


def _offered(request: ModelRequest) -> tuple[Sequence[ToolSpec], bool]:
    """The tools that `tool_choice` leaves, and whether a reply in words is one of the choices."""
    if any(tool.name == REPLY for tool in request.functions):
        raise UserError(f"Agent `{request.agent}` has a tool named `{REPLY}`, which the union of tools needs itself.")
    match request.settings.tool_choice:
        case None | "auto":
            return request.functions, True
        case "none":
            return (), True
        case "required":
            return request.functions, False
        case name:
            return [tool for tool in request.functions if tool.name == name] or request.functions, False


def _without_tools(request: ModelRequest) -> ModelRequest:
    settings = request.settings
    changes = {"tool_choice": None, "parallel_tool_calls": None, "max_tokens": settings.max_tokens or MAX_TOKENS}
    output_format, instructions = request.output_format, request.instructions
    if output_format:
        form = f"Answer with JSON of this form: {describe(output_format.schema)}"
        instructions = _join(instructions, f"{form}\n{LIMITS_IN_WORDS}")
        output_format = replace(output_format, schema=bound_answer(output_format.schema))
    return replace(
        request,
        instructions=instructions,
        input=list(told(request.input)),
        tools=(),
        output_format=output_format,
        settings=settings.model_copy(update=changes),
    )


def told(items: Iterable[Item]) -> list[Item]:
    """The conversation with calls and their outputs told as messages, in the words the model is asked to use.

    Neighbours of one role are joined: the chat templates of several small models insist on taking turns.
    """
    names: dict[str, str] = {}
    messages: list[Item] = []
    for item in items:
        message = _tell(item, names)
        last = messages[-1] if messages else {}
        is_text = isinstance(message.get("content"), str) and isinstance(last.get("content"), str)
        if is_text and message.get("role") == last.get("role"):
            messages[-1] = {**last, "content": f"{last['content']}\n{message['content']}"}
        elif message.get("type") != "reasoning":
            messages.append(message)
    return messages


def _tell(item: Item, names: dict[str, str]) -> Item:
    match item.get("type", "message"):
        case "function_call":
            names[item["call_id"]] = item["name"]
            action = f'{{"tool": {json.dumps(item["name"])}, "arguments": {item.get("arguments") or "{}"}}}'
            return {"role": "assistant", "content": action}
        case "function_call_output":
            name = names.get(item["call_id"], "the tool")
            return {"role": "user", "content": f"Result of {name}: {_text_of({'content': item.get('output')})}"}
        case "message" if item.get("role") == "assistant":
            return {"role": "assistant", "content": _text_of(item)}
        case _:
            return item


def _text_of(item: Item) -> str:
    content = item.get("content")
    if isinstance(content, str):
        return content
    return "\n".join(str(part.get("text") or part.get("refusal") or "") for part in content or [])


def _join(*parts: str | None) -> str:
    return "\n\n".join(part for part in parts if part)


def _explain(tools: Sequence[ToolSpec], output_format: OutputFormat | None, *, with_reply: bool) -> str:
    """What the model is told about its choice. Small models need it although the schema enforces the form."""
    lines = ["Answer with one JSON object that chooses one of these actions:"]
    for tool in tools:
        lines.append(f'- {{"tool": "{tool.name}", "arguments": {describe(tool.parameters)}}}: {tool.description}')
    if with_reply:
        field = f'"output": {describe(output_format.schema)}' if output_format else '"text": "…"'
        lines.append(f'- {{"tool": "{REPLY}", {field}}}: give the user your answer.')
        lines.extend([LIMITS_IN_WORDS] if output_format else [])
        lines.append(
            "Choose a tool when its description fits what the user needs. "
            f"Once you have the results, choose `{REPLY}`. Never choose one tool with the same arguments twice."
        )
    return "\n".join(lines)
