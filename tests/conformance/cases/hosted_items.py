"""Section B: items that are neither messages nor function calls."""

from tests.conformance.case import case
from tests.support.model_server import message, tool_call

SEARCH = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}}


@case([[SEARCH], [message("found")]])
def hosted_tools_alone_are_another_turn(kit):
    return kit.agent(tools=[kit.web_search()])


@case([[SEARCH, message("found")]])
def hosted_tools_with_a_message_are_the_answer(kit):
    return kit.agent(tools=[kit.web_search()])


def hosted(kind, **fields):
    return {"type": kind, "id": f"{kind}_1", "status": "completed", **fields}


@case(
    [
        [hosted("file_search_call", queries=["q"], results=None)],
        [hosted("code_interpreter_call", code="1", container_id="c", outputs=None)],
        [hosted("image_generation_call", result="aGk=")],
        [message("done")],
    ]
)
def calls_of_other_hosted_tools_are_another_turn(kit):
    return kit.agent()


@case([[{"type": "mcp_list_tools", "id": "m", "server_label": "s", "tools": []}]])
def a_list_of_mcp_tools_alone(kit):
    return kit.agent()


@case([[{"type": "mcp_call", "id": "m", "server_label": "s", "name": "n", "arguments": "{}"}], [message("done")]])
def a_hosted_mcp_call_alone_is_another_turn(kit):
    return kit.agent()


@case([[SEARCH, tool_call("look")], [message("done")]])
def hosted_tools_beside_a_call(kit):
    return kit.agent(tools=[kit.tool("look")])


@case([[hosted("local_shell_call", call_id="c1", action={"type": "exec", "command": ["ls"], "env": {}})]])
def a_local_shell_call_without_an_executor_is_an_error(kit):
    return kit.agent()


@case([[hosted("computer_call", call_id="c1", pending_safety_checks=[], action={"type": "screenshot"})]])
def a_computer_call_without_a_computer_is_an_error(kit):
    return kit.agent()


@case([[{"type": "custom_tool_call", "id": "ct", "call_id": "c1", "name": "raw", "input": "text"}]])
def a_custom_tool_call_without_the_tool_is_an_error(kit):
    return kit.agent()
