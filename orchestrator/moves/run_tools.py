"""Runs the local calls of a reply, takes the answers of called agents, and asks whether they end the run."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.active_run import ActiveRun, to_tool_result
from orchestrator.answers import read_answer
from orchestrator.engine import Performed
from orchestrator.entries import Output, Started
from orchestrator.models.base import Item
from orchestrator.moves.call_model import call_model
from orchestrator.tool import FunctionTool
from orchestrator.tool_runner import ToolRunner
from orchestrator.tool_use import ask_behavior
from orchestrator.toolbox import Toolbox
from orchestrator.turn import CheckTools, RunTools, TakeAnswers


async def run_tools(run: ActiveRun, move: RunTools) -> None:
    """Run calls side by side; each output is recorded as it comes."""
    for output in move.settled:
        run.note(output)
    if not await _begin(run, move.calls):
        return

    async def record(output: Output) -> None:
        run.note_output(output, run.binding.take_patch())
        await run.recorder.write()

    limit = run.state.options.max_function_tool_concurrency
    runner = ToolRunner(run.tool_context, run.hooks, record, limit=limit, keep_values=run.keeps_values)
    await runner.run(move.calls)


async def _begin(run: ActiveRun, chosen: Sequence[tuple[Item, FunctionTool]]) -> bool:
    """Record that calls begin. False: none must, because there are none, the run was cancelled or the budget is spent.

    The budget is asked again once they are counted: a branch of the tree may have begun others at the same time.
    """
    assert run.state.turn is not None
    calls = [call for call, _ in chosen]
    durable = any(tool.on_interrupt != "rerun" for _, tool in chosen)
    new = [call for call in calls if call["call_id"] not in run.state.turn.started]
    if calls and not run.budget.may_begin(tool_calls=len(new)):
        run.budget.refuse(calls)
        return False
    for call in calls:
        run.note(Started(call_id=call["call_id"], tool=call["name"]))
    if await run.recorder.write(durable=durable) or not calls:
        return False
    if not run.budget.may_begin(tool_calls=0):
        run.budget.refuse(calls)
        return False
    return True


async def take_answers(run: ActiveRun, move: TakeAnswers) -> None:
    """Turn what children have answered into outputs."""
    for child, call, tool in move.answers:
        context = run.tool_context(call)
        output = await read_answer(
            child,
            call,
            tool,
            context,
            ledger=run.engine.ledger,
            registry=run.engine.registry,
            keep_value=run.keeps_values,
        )
        if output.context:
            run.binding.merge(output.context)
        run.note_output(output, run.binding.take_patch())
        await run.hooks.tool_end(context, tool, output.output)


async def check_tools(run: ActiveRun, move: CheckTools, toolbox: Toolbox) -> Performed | None:
    """All calls are settled: end the run with their outputs, or ask the model again."""
    assert run.state.turn is not None
    outputs = run.state.turn.outputs
    results = [to_tool_result(tool, outputs[call["call_id"]]) for call, tool in move.calls]
    final = await ask_behavior(run.agent, run.context, results)
    if final.is_final_output:
        return await run.finish(final.final_output)
    return await call_model(run, toolbox)
