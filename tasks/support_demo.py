"""What `make demo` submits to the support desk, all at once."""

from orchestrator.demo import Demo, DemoRun
from tasks.support_desk import Customer, triage

DEMO = Demo(
    title="A support desk with six agents",
    agent=triage,
    runs=[
        DemoRun(
            title="broken charger",
            input="My charger from order A1001 arrived broken. I want my money back.",
            context=Customer(email="ada@example.com"),
        ),
        DemoRun(
            title="late refund",
            input="I do not like the espresso machine (order B2001) any more, please refund it.",
            context=Customer(email="bob@example.com"),
        ),
        DemoRun(
            title="where is it",
            input="Where is my keyboard? It should have been here by now.",
            context=Customer(email="ada@example.com"),
        ),
        DemoRun(
            title="how to pair",
            input="How do I pair my headphones with a second phone?",
            context=Customer(email="cleo@example.com"),
        ),
    ],
    afterwards=(
        "More jobs: `orchestrator up`, and in another terminal `orchestrator run blog …`, research, story, "
        "translation, inbox, finance, airline, weather: see docs/jobs.md."
    ),
)
