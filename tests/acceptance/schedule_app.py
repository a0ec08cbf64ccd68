"""An app with schedules: `celery -A tests.acceptance.schedule_app beat`."""

from celery.schedules import crontab

from orchestrator import Agent, Flow, create_app
from orchestrator.models.rehearsal import say
from orchestrator.settings import load_settings

clock = Agent("clock", rehearsal=lambda r: say(f"it is {r.user_text}"))
chime = Flow("chime", clock)
app = create_app("clocks", agents=[clock], flows=[chime], settings=load_settings())

app.orchestrator.schedule("minute", crontab(), clock, "a new minute", max_turns=3)
app.add_periodic_task(1.0, chime.s("another second"), name="second")
