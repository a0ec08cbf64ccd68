"""Another app on the same server, whose one agent the shop knows by name alone."""

from orchestrator import Agent, create_app
from orchestrator.models.rehearsal import say

annex = Agent("annex", queue="annex", rehearsal=lambda rehearsal: say(f"annex({rehearsal.user_text})"))

app = create_app("annex", agents=[annex])
