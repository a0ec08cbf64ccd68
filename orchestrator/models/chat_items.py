"""Translates between Responses items, which this library keeps, and Chat Completions messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orchestrator.errors import UserError
from orchestrator.models.base import Item, OutputFormat, ToolSpec
from orchestrator.usage import Usage

Message = dict[str, Any]

FILTERED = "The provider's content filter withheld the reply."
NOT_CARRIED = "(the tool returned something other than text, which this model's API cannot carry)"


def to_messages(
    items: Iterable[Item], *, instructions: str | None = None, echo_reasoning: bool = False
) -> list[Message]:
    """The conversation as messages.

    An assistant's text and the calls after it become one message, as the API wants them. Reasoning goes back to
    servers that sent it in the field `reasoning`, and with `echo_reasoning` also what came in `reasoning_content`.
    """
    writer = _MessageWriter(echo_reasoning)
    if instructions:
        writer.messages.append({"role": "system", "content": instructions})
    for item in items:
        writer.add(item)
    return writer.messages


class _MessageWriter:
    """The messages so far. The last of them may still be an assistant's message that calls are added to."""

    def __init__(self, echo_reasoning: bool) -> None:
        self.messages: list[Message] = []
        self._echo_reasoning = echo_reasoning
        self._reasoning: Message = {}
        self._assistant: Message | None = None

    def add(self, item: Item) -> None:
        match item.get("type", "message"):
            case "message":
                self._add_message(item)
            case "function_call":
                self._add_call(item)
            case "function_call_output":
                self._assistant = None
                content = _output_content(item.get("output"))
                self.messages.append({"role": "tool", "tool_call_id": item["call_id"], "content": content})
            case "reasoning":
                self._keep_reasoning(item)
            case kind:
                raise UserError(
                    f"Chat Completions cannot carry an item of type `{kind}`. Use a model of the Responses API "
                    "(`responses/<name>`) for this agent, or take such items out in the handoff's input filter."
                )

    def _add_message(self, item: Item) -> None:
        role, content = item.get("role"), item.get("content")
        if role == "assistant":
            self._assistant = _assistant_message(content)
            self.messages.append(self._assistant)
        elif role in ("user", "system", "developer"):
            self._assistant = None
            self._reasoning = {}
            self.messages.append({"role": role, "content": _input_content(content)})
        else:
            raise UserError(f"A message has the role `{role}`; use user, assistant, system or developer.")

    def _add_call(self, item: Item) -> None:
        if self._assistant is None:
            self._assistant = {"role": "assistant", "content": None}
            self.messages.append(self._assistant)
        self._assistant.update(self._reasoning)
        self._reasoning = {}
        function = {"name": item["name"], "arguments": item.get("arguments") or "{}"}
        self._assistant.setdefault("tool_calls", []).append(
            {"id": item["call_id"], "type": "function", "function": function}
        )

    def _keep_reasoning(self, item: Item) -> None:
        if "id" in item:
            return  # from the Responses API, and of use to nobody else
        if text := _joined(item.get("content")):
            self._reasoning = {"reasoning": text}
        elif self._echo_reasoning and (text := _joined(item.get("summary"))):
            self._reasoning = {"reasoning_content": text}


def _assistant_message(content: Any) -> Message:
    if isinstance(content, str):
        return {"role": "assistant", "content": content}
    message: Message = {"role": "assistant"}
    texts = [part["text"] for part in content or [] if "text" in part]
    refusals = [part["refusal"] for part in content or [] if part.get("type") == "refusal"]
    if texts or not refusals:
        message["content"] = "\n".join(texts)
    if refusals:
        message["refusal"] = "\n".join(refusals)
    return message


def _input_content(content: Any) -> Any:
    if isinstance(content, str):
        return content
    return [_input_part(part) for part in content or []]


def _input_part(part: Mapping[str, Any]) -> Message:
    match part.get("type"):
        case "input_text" | "text" | "output_text":
            return {"type": "text", "text": part["text"]}
        case "input_image" if part.get("image_url"):
            image = {"url": part["image_url"], "detail": part.get("detail") or "auto"}
            return {"type": "image_url", "image_url": image}
        case "input_file" if part.get("file_data") or part.get("file_id"):
            file = {name: part[name] for name in ("file_data", "file_id", "filename") if part.get(name)}
            return {"type": "file", "file": file}
        case "input_audio" if part.get("input_audio"):
            return {"type": "input_audio", "input_audio": part["input_audio"]}
        case "image_url" | "file":
            return dict(part)
        case kind:
            raise UserError(
                f"Chat Completions cannot carry this `{kind}` part of a message. Give images as `image_url`, "
                "files as `file_data` or `file_id`, audio as `input_audio`."
            )


def _output_content(output: Any) -> Any:
    if isinstance(output, str):
        return output
    # Tool messages hold text only.
    texts = [{"type": "text", "text": part["text"]} for part in output or [] if part.get("type") == "input_text"]
    return texts or NOT_CARRIED


def _joined(parts: Any) -> str:
    return "\n".join(str(part.get("text") or "") for part in parts or [])


def to_tools(tools: Sequence[ToolSpec]) -> list[Message]:
    """Functions as Chat Completions takes them."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
                "strict": tool.strict,
            },
        }
        for tool in tools
    ]


def to_tool_choice(choice: str | None) -> str | Message | None:
    """`tool_choice` on the wire: a mode, or a function."""
    if choice in (None, "auto", "required", "none"):
        return choice
    return {"type": "function", "function": {"name": choice}}


def to_response_format(output_format: OutputFormat | None) -> Message | None:
    """The final message's schema as Chat Completions takes it."""
    if output_format is None:
        return None
    schema = {"name": output_format.name, "strict": output_format.strict, "schema": output_format.schema}
    return {"type": "json_schema", "json_schema": schema}


def from_message(message: Mapping[str, Any], finish_reason: str | None = None) -> list[Item]:
    """An assistant's message as items: reasoning, text or refusal, calls.

    They have no ids, for there are none; that is how reasoning from here is told from the Responses API's.
    """
    items = [_reasoning_item(message), _message_item(message, finish_reason)]
    items += [_call_item(call) for call in message.get("tool_calls") or []]
    return [item for item in items if item is not None]


def _reasoning_item(message: Mapping[str, Any]) -> Item | None:
    if text := message.get("reasoning_content"):
        return {"type": "reasoning", "summary": [{"type": "summary_text", "text": text}]}
    if isinstance(text := message.get("reasoning"), str) and text:
        return {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": text}]}
    return None


def _message_item(message: Mapping[str, Any], finish_reason: str | None) -> Item | None:
    content: list[Item] = []
    if text := message.get("content"):
        content.append({"type": "output_text", "text": text, "annotations": []})
    if refused := message.get("refusal"):
        content.append({"type": "refusal", "refusal": refused})
    elif not content and finish_reason == "content_filter":
        content.append({"type": "refusal", "refusal": FILTERED})
    if not content:
        return None
    # A reply cut at the token limit still counts as one, as in the Agents SDK, but it says so.
    status = "incomplete" if finish_reason == "length" else "completed"
    return {"type": "message", "role": "assistant", "status": status, "content": content}


def _call_item(call: Mapping[str, Any]) -> Item:
    function = call["function"]
    return {
        "type": "function_call",
        "call_id": call.get("id") or "",
        "name": function["name"],
        "arguments": function.get("arguments") or "",
    }


def read_chat_usage(usage: Mapping[str, Any]) -> Usage:
    """Usage as Chat Completions counts it; details are missing on many servers."""
    input_tokens, output_tokens = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
    return Usage(
        requests=1,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        total_tokens=usage.get("total_tokens") or input_tokens + output_tokens,
        cached_tokens=(usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0,
        reasoning_tokens=(usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0,
    )
