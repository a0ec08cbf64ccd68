"""The app of the loads: one agent that asks its model once."""

from orchestrator import Agent, create_app

asker = Agent("asker", instructions="Answer in one word.")
app = create_app("limit-load", agents=[asker])
