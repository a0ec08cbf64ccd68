"""Section C: how a tool's output is shown."""

from pydantic import BaseModel

from tests.conformance.case import case
from tests.support.model_server import message, tool_call


class Place(BaseModel):
    city: str
    country: str | None = None


DONE = [message("done")]


def _returning(kit, value):
    return kit.agent(tools=[kit.tool("look", value)])


LOOK = [[tool_call("look")], DONE]


@case(LOOK)
def a_dict_is_shown_as_python_writes_it(kit):
    return _returning(kit, {"a": 1, "b": None, "c": True})


@case(LOOK)
def an_empty_dict_is_shown_as_python_writes_it(kit):
    return _returning(kit, {})


@case(LOOK)
def a_pydantic_model_is_shown_as_python_writes_it(kit):
    return _returning(kit, Place(city="Rome"))


@case(LOOK)
def none_is_shown_as_python_writes_it(kit):
    return _returning(kit, None)


@case(LOOK)
def a_list_is_shown_as_python_writes_it(kit):
    return _returning(kit, ["a", 1, {"b": 2}])


@case(LOOK)
def a_text_is_shown_as_it_is(kit):
    return _returning(kit, "Grüße\n\u2028")


@case(LOOK)
def a_text_output_is_an_item(kit):
    return _returning(kit, kit.ToolOutputText(text="hello"))


@case(LOOK)
def a_text_output_may_be_a_dict(kit):
    return _returning(kit, {"type": "text", "text": "hello"})


@case(LOOK)
def an_image_output_is_an_item(kit):
    return _returning(kit, kit.ToolOutputImage(image_url="https://example.com/a.png", detail="low"))


@case(LOOK)
def a_file_output_is_an_item(kit):
    return _returning(kit, kit.ToolOutputFileContent(file_data="aGk=", filename="a.txt"))


@case(LOOK)
def outputs_in_a_list_are_items(kit):
    texts = [kit.ToolOutputText(text="one"), kit.ToolOutputImage(file_id="file_1")]
    return _returning(kit, [*texts, {"type": "file", "file_url": "https://example.com/a.pdf"}])


@case(LOOK)
def a_list_with_something_else_is_text(kit):
    return _returning(kit, [{"type": "text", "text": "one"}, "two"])
