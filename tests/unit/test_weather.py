"""The weather job: a tool that must be used, and the four things that can follow."""

from orchestrator import Settings, run_inline
from orchestrator.testing import ScriptedModel, function_call
from tasks import weather
from tasks.weather import Climate

REHEARSAL = Settings(model_api="rehearsal", rehearsal_latency_seconds=0)


def test_model_speaks_after_the_tool() -> None:
    result = run_inline(weather.weather, "What should I pack for Lisbon in May?", settings=REHEARSAL)

    assert "Lisbon has 14 to 22 °C" in result.final_output
    assert result.usage.requests == 2


def test_only_the_first_call_is_forced_to_use_a_tool() -> None:
    model = ScriptedModel([function_call("look_up_climate", {"city": "Oslo", "month": "Jan"}), "Cold."])

    run_inline(weather.weather.clone(model=model), "Oslo in January?")

    assert [request.settings.tool_choice for request in model.requests] == ["required", None]


def test_value_of_the_first_tool_is_the_answer() -> None:
    result = run_inline(weather.raw, "Lisbon in May", settings=REHEARSAL)

    assert result.final_output == Climate(city="Lisbon", month="May", high_c=22, low_c=14, rain_days=6)
    assert result.usage.requests == 1


def test_only_the_named_tool_ends_the_run() -> None:
    result = run_inline(weather.stop, "Lissabon in May", settings=REHEARSAL)

    assert result.final_output.city == "Lisbon"
    assert result.usage.requests == 2


def test_function_makes_the_answer_of_all_look_ups() -> None:
    result = run_inline(weather.table, "Oslo or Athens in May?", settings=REHEARSAL)

    assert result.final_output.splitlines() == [
        "Oslo     May    7 to 17 °C, rain on 8 days",
        "Athens   May   17 to 26 °C, rain on 4 days",
    ]
    assert result.usage.requests == 1


def test_function_lets_the_model_go_on_where_a_look_up_failed() -> None:
    result = run_inline(weather.table, "Paris in May?", settings=REHEARSAL)

    assert "There are no figures for Paris" in result.final_output
    assert result.usage.requests == 2


def test_name_that_is_nearly_right_is_met_with_the_right_one() -> None:
    model = ScriptedModel([function_call("look_up_climate", {"city": "Lisboa", "month": "May"}), "Lisbon, then."])

    run_inline(weather.weather.clone(model=model), "Lisboa in May?")

    assert model.requests[1].input[-1]["output"] == "There are no figures for Lisboa. Did you mean Lisbon?"
