"""Sections H and I: what a run leaves to the next one. `test_conversations.py` talks with these agents."""

from tests.conformance.case import case
from tests.support.model_server import message, tool_call


def in_turn(*replies):
    """The replies one after the other, over all runs of a conversation: chosen by what was generated so far."""

    def choose(body):
        generated = [
            item for item in body["input"] if item.get("type") == "function_call" or item.get("role") == "assistant"
        ]
        return replies[len(generated)]

    return choose


@case(in_turn([message("Hello Ada.")], [message("You are Ada.")], [message("Bye.")]))
def a_conversation(kit):
    return kit.agent()


@case(in_turn([tool_call("look")], [message("Found.")], [tool_call("look")], [message("Again.")]))
def a_conversation_with_tools(kit):
    return kit.agent(tools=[kit.tool("look", "a value")])


@case(in_turn([tool_call("transfer_to_{case}_b")], [message("I am b.")], [message("I am a.")]))
def a_conversation_with_a_handoff(kit):
    return kit.agent("a", handoffs=[kit.agent("b")])
