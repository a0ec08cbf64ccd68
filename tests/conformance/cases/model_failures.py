"""Section B: models that fail, and who may answer in their place."""

from pydantic import BaseModel

from tests.conformance.case import case
from tests.support.model_server import Reply, error, message, refusal, tool_call


class Report(BaseModel):
    title: str


@case([error(400, "no such thing")])
def a_bad_request_is_an_error(kit):
    return kit.agent()


@case([error(401, "who are you")])
def a_wrong_key_is_an_error(kit):
    return kit.agent()


@case([error(404, "which model")])
def an_unknown_model_is_an_error(kit):
    return kit.agent()


@case([error(429, "slowly")])
def a_rate_limit_is_an_error(kit):
    return kit.agent()


@case([error(500, "ouch")])
def a_broken_server_is_an_error(kit):
    return kit.agent()


@case([Reply(drop="before")])
def a_dropped_connection_is_an_error(kit):
    return kit.agent()


@case([Reply(items=[message("slow")], delay_seconds=60)])
def a_slow_server_is_an_error(kit):
    seconds = 3.0  # the request itself arrives in time on a busy machine, too
    if type(kit).__name__ == "SdkKit":
        return kit.agent(model_settings=kit.ModelSettings(extra_args={"timeout": seconds}))
    return kit.agent(model_settings=kit.ModelSettings(timeout=seconds))


@case([[tool_call("look")], error(500, "ouch")])
def an_error_in_a_later_turn_keeps_the_effects(kit):
    return kit.agent(tools=[kit.tool("look")])


def answer(given):
    return f"handled {type(given.error).__name__}"


@case([[tool_call("look")], []], options={"max_turns": 1})
def a_handler_answers_when_turns_run_out(kit):
    return kit.agent(tools=[kit.tool("look")], error_handlers={"max_turns": answer})


@case([[tool_call("look")], []], options={"max_turns": 1})
def a_handler_may_decline(kit):
    return kit.agent(tools=[kit.tool("look")], error_handlers={"max_turns": lambda given: None})


@case([[refusal("I must not.")]])
def a_handler_answers_a_refusal(kit):
    async def handle(given):
        return kit.ErrorHandlerResult(final_output="another way", include_in_history=False)

    return kit.agent(error_handlers={"model_refusal": handle})


@case([[message("no JSON")]])
def a_handler_answers_for_invalid_output(kit):
    handlers = {"invalid_final_output": lambda given: {"final_output": {"title": "fallback"}}}
    return kit.agent(output_type=Report, error_handlers=handlers)


@case([[message("")]])
def a_handler_answers_for_missing_output(kit):
    handlers = {"invalid_final_output": lambda given: Report(title="fallback")}
    return kit.agent(output_type=Report, error_handlers=handlers)


@case([[tool_call("look")], []], options={"max_turns": 1})
def a_handler_may_answer_with_a_number(kit):
    return kit.agent(tools=[kit.tool("look")], error_handlers={"max_turns": lambda given: 42})


@case([[tool_call("look")], []], options={"max_turns": 1})
def a_handler_may_answer_with_nothing(kit):
    handlers = {"max_turns": lambda given: kit.ErrorHandlerResult(final_output=None)}
    return kit.agent(tools=[kit.tool("look")], error_handlers=handlers)


@case([[tool_call("look")], []], options={"max_turns": 1})
def a_handler_that_fails_ends_the_run(kit):
    def fail(given):
        raise KeyError("no")

    return kit.agent(tools=[kit.tool("look")], error_handlers={"max_turns": fail})


@case([[message("no JSON")]])
def a_handlers_answer_is_validated(kit):
    handlers = {"invalid_final_output": lambda given: {"final_output": {"pages": 1}}}
    return kit.agent(output_type=Report, error_handlers=handlers)


@case([[message("no JSON")]])
def a_handler_for_another_kind_is_not_asked(kit):
    return kit.agent(output_type=Report, error_handlers={"max_turns": answer})


@case([[tool_call("look")], []], options={"max_turns": 1}, records_hooks=True)
def hooks_run_for_a_handlers_answer(kit):
    return kit.agent(tools=[kit.tool("look")], error_handlers={"max_turns": answer})
